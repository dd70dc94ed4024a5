import { randomBytes, randomUUIDv7 } from 'node:crypto'
import {
  chatMemberAdded,
  chatMemberRefused,
  chatMemberRemoved,
  customerWalletClosed,
  customerWalletOpened,
  customerWalletRefused,
  userRegistered,
  userSignUpFailed,
  userSignUpStarted,
} from '@pando/events'
import {
  type Database,
  defineSaga,
  retryOnConflict,
  type SagaHooks,
  type Sagas,
  type SagaView,
  transaction,
  type Tx,
} from '@pando/saga'
import { type Claim, createBatcher, type IdempotencyStore, Problem } from '@pando/service'
import { type Taken, takenOf } from './accounts.ts'
import type { Passwords } from './passwords.ts'

/** Somebody joins: the account is there at once but asleep; the chat and the wallet each do their part; then it wakes. */
export const signUp = defineSaga({
  type: 'sign-up',
  starts: userSignUpStarted,
  deadlineMs: 30_000,
  own: 'user',
  steps: {
    chat: { done: chatMemberAdded, failed: chatMemberRefused, undone: chatMemberRemoved },
    customer: { done: customerWalletOpened, failed: customerWalletRefused, undone: customerWalletClosed },
  },
  completes: userRegistered,
  fails: userSignUpFailed,
})

/** What the user service does itself when a sign-up ends: in the same transaction, so that who reads "completed" can log in. */
export const signUpHooks: SagaHooks = {
  async completed(sagas, tx) {
    tx.send(`update users.account set status = 'active' where id = any($1::uuid[]) and status = 'pending'`, [
      sagas.map(({ ownerId }) => ownerId),
    ])
  },
  async failed(sagas, tx) {
    tx.send(`delete from users.account where id = any($1::uuid[]) and status = 'pending'`, [
      sagas.map(({ ownerId }) => ownerId),
    ])
  },
}

export interface Newcomer {
  username: string
  password: string
  displayName: string
  email: string
}

export interface SignUpRequest extends Newcomer {
  role?: 'user' | 'admin'
  /** The right to be the one that counts, when the request had an Idempotency-Key, and how its answer looks. */
  claim?: Claim | undefined
  answerOf?: (signedUp: SignedUp) => { status: number; headers: Record<string, string>; body: string }
  traceparent?: string | undefined
}

/** The view of the saga that has just started, with the id of the user to be. */
export type SignedUp = SagaView & { userId: string }

/**
 * While more wait to be hashed than were, those who were are stored together: what they wait here they would otherwise wait for the cores,
 * which one transaction for each keeps busy, and so does all that follows from it in every service.
 */
const GATHER_MS = 400
/** And those who have just come are looked at together, while so many are before them that no core is kept waiting. */
const LOOK_MS = 50
const MANY = 32

type Hashed = Omit<SignUpRequest, 'password'> & { passwordHash: string; userId: string; sagaId: string }

export interface SignUps {
  /** Throws username_taken or email_taken before anything is created, unavailable when too many wait to be hashed. */
  start(request: SignUpRequest): Promise<SignedUp>
}

/** The sign-up command. Concurrent ones share a transaction; hashing happens before it, never inside. */
export function createSignUps(options: {
  db: Database
  sagas: Sagas
  passwords: Passwords
  idempotency: IdempotencyStore
  deadlineMs: number
}): SignUps {
  const { db, sagas, passwords, idempotency, deadlineMs } = options

  const look = async (newcomers: Newcomer[]): Promise<(undefined | Problem)[]> =>
    (await takenOf(db, newcomers)).map(refusal)
  const assertFree = createBatcher<Newcomer, void>(look, {
    gather: { ms: LOOK_MS, while: () => passwords.waiting() > MANY },
  })
  // By whoever is next: a core waits for the answer.
  const assertStillFree = createBatcher<Newcomer, void>(look)

  const store = createBatcher<Hashed, SignedUp>(
    (requests) => retryOnConflict(() => transaction(db, (tx) => storeAll(tx, requests))),
    { gather: { ms: GATHER_MS, while: (hashed) => passwords.waiting() > hashed } },
  )

  async function storeAll(tx: Tx, requests: Hashed[]): Promise<(SignedUp | Problem)[]> {
    const created = await insertAccounts(tx, requests)
    const refused = requests.filter(({ userId }) => !created.has(userId))
    // Asked inside this transaction, so that whoever took the name within this very batch is seen.
    const taken = refused.length > 0 ? await takenOf(tx, refused) : []
    const why = new Map(refused.map(({ userId }, i) => [userId, refusal(taken[i]!)]))
    const accepted = requests.filter(({ userId }) => created.has(userId))
    const views = sagas.start(
      tx,
      signUp,
      accepted.map(({ sagaId, userId, username, displayName, traceparent }) => ({
        id: sagaId,
        ownerId: userId,
        data: { userId, username, displayName },
        deadlineMs,
        traceparent,
      })),
    )
    const started = new Map(accepted.map(({ userId }, i): [string, SignedUp] => [userId, { ...views[i]!, userId }]))
    await keepAnswers(tx, accepted, started)
    // Neither is taken any more: who had it gave it up a moment ago.
    return requests.map(
      ({ userId }) => started.get(userId) ?? why.get(userId) ?? new Problem('unavailable', { detail: 'Try again.' }),
    )
  }

  async function keepAnswers(tx: Tx, accepted: Hashed[], started: ReadonlyMap<string, SignedUp>): Promise<void> {
    const settlements = accepted.flatMap(({ claim, answerOf, userId }) =>
      claim && answerOf ? [{ claim, answer: answerOf(started.get(userId)!) }] : [],
    )
    const held = await idempotency.storeAnswers(tx, settlements)
    // Another attempt took over after a minute of silence: this one must not happen as well.
    if (held.size < settlements.length) throw new Problem('unavailable', { detail: 'This took too long; try again.' })
  }

  return {
    async start({ password, ...request }) {
      await assertFree({ ...request, password })
      const passwordHash = await passwords.hash(password, () => assertStillFree({ ...request, password }))
      return store({ ...request, passwordHash, userId: randomUUIDv7(), sagaId: secretId() })
    },
  }
}

/**
 * The id of a sign-up saga is a capability: whoever has it may watch. So it is 122 random bits, no time in it; the version digit is 7
 * like that of all our ids.
 */
function secretId(): string {
  const bits = randomBytes(16)
  bits[6] = (bits[6]! & 0x0f) | 0x70
  bits[8] = (bits[8]! & 0x3f) | 0x80
  return bits.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

function refusal({ username, email }: Taken): Problem | undefined {
  if (username) return new Problem('username_taken', { errors: [{ path: '/username', message: 'is taken' }] })
  if (email) return new Problem('email_taken', { errors: [{ path: '/email', message: 'is taken' }] })
  return undefined
}

async function insertAccounts(tx: Tx, requests: readonly Hashed[]): Promise<Set<string>> {
  const rows = await tx.query<{ id: string }>(
    `insert into users.account (id, username, email, display_name, role, password_hash, sign_up_saga_id)
     select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::uuid[])
     on conflict do nothing returning id`,
    [
      requests.map(({ userId }) => userId),
      requests.map(({ username }) => username),
      requests.map(({ email }) => email),
      requests.map(({ displayName }) => displayName),
      requests.map(({ role }) => role ?? 'user'),
      requests.map(({ passwordHash }) => passwordHash),
      requests.map(({ sagaId }) => sagaId),
    ],
  )
  return new Set(rows.map(({ id }) => id))
}
