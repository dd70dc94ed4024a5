import type { Queryable, Tx } from '@pando/saga'

/** An account as its owner sees it. */
export interface Account {
  id: string
  username: string
  displayName: string
  email: string
  statusMessage: string
  locale: 'ko' | 'en'
  role: 'user' | 'admin'
  createdAt: Date
}

/** What others see of a user. */
export type PublicProfile = Pick<Account, 'id' | 'username' | 'displayName' | 'statusMessage'>

const COLUMNS = `id, username, display_name as "displayName", email, status_message as "statusMessage", locale, role, created_at as "createdAt"`

/** A living account, also one that is being deleted; undefined for a pending or unknown one. */
export async function findAccount(db: Queryable, id: string): Promise<Account | undefined> {
  const [account] = await db.query<Account>(
    `select ${COLUMNS} from users.account where id = $1 and status <> 'pending'`,
    [id],
  )
  return account
}

/** The password's hash of a living account. */
export async function passwordHashOf(db: Queryable, id: string): Promise<string | undefined> {
  const [row] = await db.query<{ hash: string }>(
    `select password_hash as hash from users.account where id = $1 and status <> 'pending'`,
    [id],
  )
  return row?.hash
}

/** An active account by its username, with the hash to compare a password with. */
export async function findForLogIn(
  db: Queryable,
  username: string,
): Promise<(Account & { passwordHash: string }) | undefined> {
  const [account] = await db.query<Account & { passwordHash: string }>(
    `select ${COLUMNS}, password_hash as "passwordHash" from users.account where username = $1 and status = 'active'`,
    [username],
  )
  return account
}

/** Whether a username and an e-mail address are taken, be it by a sign-up that still runs. */
export interface Taken {
  username: boolean
  email: boolean
}

/**
 * For each of these in turn what is taken. Case is left to PostgreSQL: JavaScript's lower case is not always the one of the unique index.
 * Joins, not `exists`: of that the planner makes a hash of all accounts while they are few, and keeps to it when they are many.
 */
export function takenOf(db: Queryable, wanted: readonly { username: string; email: string }[]): Promise<Taken[]> {
  return db.query<Taken>(
    `select u.id is not null as username, e.id is not null as email
     from unnest($1::text[], $2::text[]) with ordinality w(username, email, n)
     left join users.account u on u.username = w.username
     left join users.account e on lower(e.email) = lower(w.email)
     order by n`,
    [wanted.map(({ username }) => username), wanted.map(({ email }) => email)],
  )
}

/** Whether somebody has this username, or a sign-up that still runs. */
export async function isUsernameTaken(db: Queryable, username: string): Promise<boolean> {
  return (await db.query('select from users.account where username = $1', [username])).length > 0
}

export async function publicProfile(db: Queryable, id: string): Promise<PublicProfile | undefined> {
  const [profile] = await db.query<PublicProfile>(
    `select id, username, display_name as "displayName", status_message as "statusMessage" from users.account where id = $1 and status = 'active'`,
    [id],
  )
  return profile
}

/** Active users whose username or display name begins with `prefix`, whatever its case, by username, from the one after `after`. */
export function searchProfiles(db: Queryable, prefix: string, after: string, limit: number): Promise<PublicProfile[]> {
  const from = prefix.toLowerCase()
  return db.query<PublicProfile>(
    `select id, username, display_name as "displayName", status_message as "statusMessage" from users.account
     where status = 'active'
       and (username ~>=~ $1 and username ~<~ $2 or lower(display_name) ~>=~ $1 and lower(display_name) ~<~ $2)
       and username collate "C" > $3
     order by username collate "C" limit $4`,
    [from, `${from}\u{10ffff}`, after, limit],
  )
}

/** Changes the members that are given; the account as it is then, undefined when there is none. */
export async function updateAccount(
  tx: Tx,
  id: string,
  { displayName, statusMessage, locale }: Partial<Pick<Account, 'displayName' | 'statusMessage' | 'locale'>>,
): Promise<Account | undefined> {
  const [account] = await tx.query<Account>(
    `update users.account
     set display_name = coalesce($2, display_name), status_message = coalesce($3, status_message), locale = coalesce($4, locale)
     where id = $1 and status <> 'pending' returning ${COLUMNS}`,
    [id, displayName ?? null, statusMessage ?? null, locale ?? null],
  )
  return account
}
