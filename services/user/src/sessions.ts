import { createHash, randomBytes, randomUUIDv7 } from 'node:crypto'
import { userSessionsEnded } from '@pando/events'
import { append, type Database, transaction, type Tx } from '@pando/saga'
import { Problem, type SessionTokens } from '@pando/service'
import { type Account, findAccount, findForLogIn } from './accounts.ts'
import type { Passwords } from './passwords.ts'
import type { SigningKey } from './signing-key.ts'

const REFRESH_TOKEN_S = 30 * 24 * 60 * 60
/** Several tabs refresh with the same token at the same time. */
const REUSE_S = 10
const SESSIONS_AT_MOST = 100

/** A log-in as its owner sees it. */
export interface Device {
  id: string
  createdAt: Date
  lastUsedAt: Date
  userAgent: string
}

export interface LoggedIn {
  account: Account
  tokens: SessionTokens
  expiresAt: Date
}

export interface Sessions {
  /** Throws invalid_credentials for an unknown name and a wrong password alike, in the same time. */
  logIn(credentials: { username: string; password: string; userAgent: string }): Promise<LoggedIn>
  /** New tokens for a refresh token. Throws unauthenticated; one that was used longer ago ends its whole family. */
  refresh(refreshToken: string): Promise<LoggedIn>
  /** Newest first, older than the session `before`. */
  list(userId: string, before: string | undefined, limit: number): Promise<Device[]>
  /** Ends one session of a user; false when there is none of that id. */
  end(userId: string, sessionId: string): Promise<boolean>
  /** Ends all sessions of a user but one; returns the ids of those that ended. */
  endAll(userId: string, exceptId?: string): Promise<string[]>
  /** The session that a refresh token belongs to. */
  ownerOf(refreshToken: string): Promise<{ userId: string; sessionId: string } | undefined>
  /** Forgets tokens that have ended, and sessions without any. */
  purge(): Promise<void>
}

export function createSessions({
  db,
  passwords,
  signingKey,
}: {
  db: Database
  passwords: Passwords
  signingKey: SigningKey
}): Sessions {
  async function tokensFor(account: Account, sessionId: string, refreshToken: string): Promise<LoggedIn> {
    const { token, expiresAt } = await signingKey.sign({ userId: account.id, role: account.role, sessionId })
    const accessMaxAge = Math.floor((expiresAt.getTime() - Date.now()) / 1000)
    return {
      account,
      expiresAt,
      tokens: { accessToken: token, accessMaxAge, refreshToken, refreshMaxAge: REFRESH_TOKEN_S },
    }
  }

  return {
    async logIn({ username, password, userAgent }) {
      const account = await findForLogIn(db, username)
      const right = await passwords.verify(account?.passwordHash, password)
      if (!account || !right) throw new Problem('invalid_credentials')
      const sessionId = randomUUIDv7()
      const refreshToken = await transaction(db, async (tx) => {
        // The account may have gone, or be going, since it was read: its row says so, and stays while the session is made.
        const [active] = await tx.query(
          `select 1 as ok from users.account where id = $1 and status = 'active' for share`,
          [account.id],
        )
        if (!active) throw new Problem('invalid_credentials')
        tx.send('insert into users.session (id, user_id, user_agent) values ($1, $2, $3)', [
          sessionId,
          account.id,
          userAgent,
        ])
        tx.send(
          `delete from users.session where id in (select id from users.session where user_id = $1 order by created_at desc offset ${SESSIONS_AT_MOST})`,
          [account.id],
        )
        return issue(tx, sessionId)
      })
      return tokensFor(account, sessionId, refreshToken)
    },

    async refresh(presented) {
      const used = await transaction(db, (tx) => useToken(tx, presented))
      const account = used && (await findAccount(db, used.userId))
      if (!account) throw new Problem('unauthenticated')
      return tokensFor(account, used.sessionId, used.refreshToken)
    },

    list: (userId, before, limit) =>
      db.query<Device>(
        `select id, created_at as "createdAt", last_used_at as "lastUsedAt", user_agent as "userAgent"
         from users.session where user_id = $1 and ($2::uuid is null or id < $2) order by id desc limit $3`,
        [userId, before ?? null, limit],
      ),

    async end(userId, sessionId) {
      return (await transaction(db, (tx) => remove(tx, userId, 'id = $2', sessionId))).length > 0
    },

    async endAll(userId, exceptId) {
      return transaction(db, (tx) => remove(tx, userId, 'id is distinct from $2', exceptId ?? null))
    },

    async ownerOf(presented) {
      const [session] = await db.query<{ userId: string; sessionId: string }>(
        `select s.user_id as "userId", s.id as "sessionId" from users.refresh_token t join users.session s on s.id = t.session_id
         where t.hash = $1 and t.expires_at > now()`,
        [hashOf(presented)],
      )
      return session
    },

    async purge() {
      await db.query('delete from users.refresh_token where expires_at < now()')
      await db.query(
        'delete from users.session s where not exists (select from users.refresh_token t where t.session_id = s.id)',
      )
    },
  }
}

/** Ends those of a user's sessions for which `condition` holds, and says so. Returns their ids. */
async function remove(tx: Tx, userId: string, condition: string, id: string | null): Promise<string[]> {
  const ended = await tx.query<{ id: string }>(
    `delete from users.session where user_id = $1 and ${condition}::uuid returning id`,
    [userId, id],
  )
  const sessionIds = ended.map((session) => session.id)
  if (sessionIds.length > 0) append(tx, userSessionsEnded({ userId, sessionIds }))
  return sessionIds
}

/** Uses a refresh token once: a new one of the same family. Undefined for one that is not good; then nothing of its family is, if it was used before. */
async function useToken(
  tx: Tx,
  presented: string,
): Promise<{ userId: string; sessionId: string; refreshToken: string } | undefined> {
  const [token] = await tx.query<{ sessionId: string; userId: string; reused: boolean }>(
    `select t.session_id as "sessionId", s.user_id as "userId",
            coalesce(t.used_at < clock_timestamp() - interval '${REUSE_S} seconds', false) as reused
     from users.refresh_token t join users.session s on s.id = t.session_id
     where t.hash = $1 and t.expires_at > now() for update of t, s`,
    [hashOf(presented)],
  )
  if (!token) return undefined
  if (token.reused) {
    // Two hold the same token and one of them stole it; nobody can tell which.
    await remove(tx, token.userId, 'id = $2', token.sessionId)
    return undefined
  }
  const [active] = await tx.query(`select 1 as ok from users.account where id = $1 and status = 'active'`, [
    token.userId,
  ])
  if (!active) return undefined
  tx.send('update users.refresh_token set used_at = coalesce(used_at, clock_timestamp()) where hash = $1', [
    hashOf(presented),
  ])
  tx.send('update users.session set last_used_at = now() where id = $1', [token.sessionId])
  return { ...token, refreshToken: issue(tx, token.sessionId) }
}

function issue(tx: Tx, sessionId: string): string {
  const token = randomBytes(32).toString('base64url')
  tx.send(
    `insert into users.refresh_token (hash, session_id, expires_at) values ($1, $2, now() + interval '${REFRESH_TOKEN_S} seconds')`,
    [hashOf(token), sessionId],
  )
  return token
}

// Of 256 random bits a plain hash cannot be turned back.
const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest()
