import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { migrate } from '@pando/saga'
import type { Database, Tx } from '@pando/saga'
import { Problem } from './problem.ts'

/** What was answered, to be answered again. */
export interface Answer {
  status: number
  headers: Record<string, string | string[]>
  body: string | null
}

/** A request that is to have one effect: whose it is, the key they gave it, and what tells it from another one. */
export interface Keyed {
  /** A user's id, '' for anonymous callers. */
  owner: string
  key: string
  fingerprint: Buffer
}

/** The right to be the attempt that counts. `settled` once an answer is stored, the right was given back, or it is left to end by itself. */
export interface Claim extends Keyed {
  readonly id: string
  settled: boolean
}

type Held = Pick<Claim, 'owner' | 'key' | 'id'>

export interface Settlement {
  claim: Claim
  answer: Answer
}

export interface IdempotencyStore {
  /** What tells a request from another one; cannot be turned back, or tried out without the secret. */
  fingerprint(parts: readonly string[]): Buffer
  /**
   * The right to run, or the answer that the request had already. While another attempt runs, waits up to 5 s for its answer.
   * No connection is held while waiting. One that is silent for 60 s is taken for dead and replaced.
   * @throws {Problem} idempotency_mismatch when the key was used for another request; conflict when the other attempt still runs
   */
  claim(request: Keyed): Promise<Claim | Answer>
  /**
   * Stores answers, within the transaction of their effects: both happen or neither. Returns the ids of the claims that still held.
   * A claim that is not among them was replaced by another attempt, so its effect must not be committed: store first, then act.
   */
  storeAnswers(tx: Tx, settlements: readonly Settlement[]): Promise<Set<string>>
  /** Stores one answer after its effect. Does nothing when the claim was replaced. */
  store(settlement: Settlement): Promise<void>
  /**
   * Gives the right back: nothing final was answered, the next attempt may run at once. Never rejects: while the database is away it is
   * tried again, until the claim would end by itself.
   */
  release(claim: Claim): Promise<void>
  /** Deletes what is older than 24 h; returns how many. */
  purge(): Promise<number>
}

const CLAIM_MS = 60_000
const AGAIN_MS = 500
/** Claims to give back later: the first ones of an outage were under way when it began, and are there; those after them never came so far. */
const MOST_OWED = 1_000

/** Makes the tables of this package in a service's database. */
export function migrateService(db: Database): Promise<void> {
  return migrate(db, { schema: 'service', directory: new URL('../sql/service/', import.meta.url) })
}

/** What a service keeps in the tables of this package. */
export interface ServiceTables {
  readonly store: IdempotencyStore
  /** A secret of this database's own, 244 random bits. Empty before `migrate`. */
  secret(): string
  /** Makes the tables, and reads the secret. */
  migrate(): Promise<void>
}

/** For a service whose answers say nothing that its database does not: first answers are kept under that database's own secret. */
export function createServiceTables(db: Database): ServiceTables {
  let value = ''
  const secret = (): string => value
  return {
    store: createIdempotencyStore({ db, secret }),
    secret,
    async migrate() {
      await migrateService(db)
      const [row] = await db.query<{ value: string }>('select value from service.secret')
      value = row!.value
    },
  }
}

/**
 * Keeps first answers in `db`, encrypted under a key derived from `secret` (16 characters or more): where they may hold tokens the
 * installation's. One that is only known later is a function.
 */
export function createIdempotencyStore({
  db,
  secret,
  waitMs = 5000,
}: {
  db: Database
  secret: string | (() => string)
  waitMs?: number
}): IdempotencyStore {
  let made: { fingerprintKey: Buffer; answers: ReturnType<typeof sealer> } | undefined
  const keys = () => (made ??= keysOf(typeof secret === 'string' ? secret : secret()))
  // Whoever gives a secret that is too short hears of it at once.
  if (typeof secret === 'string') keys()
  // Claims that could not be given back, and when they end by themselves.
  const owed = new Map<Held, number>()
  let again: NodeJS.Timeout | undefined

  async function giveBack(claims: readonly Held[]): Promise<void> {
    await db.query(
      `delete from service.idempotency held using unnest($1::text[], $2::text[], $3::uuid[]) as given (owner, key, claim)
       where held.owner = given.owner and held.key = given.key and held.claim = given.claim and held.answer is null`,
      [claims.map(({ owner }) => owner), claims.map(({ key }) => key), claims.map(({ id }) => id)],
    )
  }

  function owe(claim: Held): void {
    if (owed.size < MOST_OWED) owed.set(claim, performance.now() + CLAIM_MS)
    again ??= setTimeout(() => void payBack(), AGAIN_MS).unref()
  }

  async function payBack(): Promise<void> {
    for (const [claim, endsAt] of owed) if (endsAt <= performance.now()) owed.delete(claim)
    const claims = [...owed.keys()]
    await giveBack(claims).then(
      () => claims.forEach((claim) => owed.delete(claim)),
      () => {},
    )
    again = owed.size > 0 ? setTimeout(() => void payBack(), AGAIN_MS).unref() : undefined
  }

  async function tryClaim(request: Keyed, id: string): Promise<Claim | Answer | undefined> {
    const { owner, key, fingerprint } = request
    const claimed = await db.query(
      `insert into service.idempotency as held (owner, key, fingerprint, claim, claimed_at) values ($1, $2, $3, $4, now())
       on conflict (owner, key) do update
         set fingerprint = excluded.fingerprint, claim = excluded.claim, claimed_at = excluded.claimed_at, answer = null
         where held.claimed_at < now() - interval '24 hours'
            or held.answer is null and held.fingerprint = excluded.fingerprint and held.claimed_at < now() - interval '${CLAIM_MS} milliseconds'
       returning 1`,
      [owner, key, fingerprint, id],
    )
    if (claimed.length > 0) return { ...request, id, settled: false }
    const [held] = await db.query<{ fingerprint: Buffer; answer: Buffer | null }>(
      `select fingerprint, answer from service.idempotency where owner = $1 and key = $2`,
      [owner, key],
    )
    if (held && !held.fingerprint.equals(fingerprint)) throw new Problem('idempotency_mismatch')
    return held?.answer ? keys().answers.open(held.answer, request) : undefined
  }

  async function storeAnswers(db: Pick<Tx, 'query'>, settlements: readonly Settlement[]): Promise<Set<string>> {
    const column = <T>(read: (settlement: Settlement) => T) => settlements.map(read)
    const held = await db.query<{ claim: string }>(
      `update service.idempotency held set answer = given.answer
       from unnest($1::text[], $2::text[], $3::uuid[], $4::bytea[]) as given (owner, key, claim, answer)
       where held.owner = given.owner and held.key = given.key and held.claim = given.claim and held.answer is null
       returning held.claim`,
      [
        column(({ claim }) => claim.owner),
        column(({ claim }) => claim.key),
        column(({ claim }) => claim.id),
        column(({ claim, answer }) => keys().answers.seal(answer, claim)),
      ],
    )
    return new Set(held.map(({ claim }) => claim))
  }

  return {
    fingerprint: (parts) => createHmac('sha256', keys().fingerprintKey).update(JSON.stringify(parts)).digest(),

    async claim(request) {
      const id = randomUUID()
      const giveUpAt = performance.now() + waitMs
      for (let pauseMs = 20; ; pauseMs = Math.min(2 * pauseMs, 250)) {
        const claimed = await tryClaim(request, id).catch((thrown: unknown) => {
          // It may be there although the database could not say so any more.
          if (!(thrown instanceof Problem)) owe({ ...request, id })
          throw thrown
        })
        if (claimed) return claimed
        if (performance.now() >= giveUpAt)
          throw new Problem('conflict', {
            detail: 'The first request with this Idempotency-Key still runs.',
            headers: { 'retry-after': '1' },
          })
        await sleep(pauseMs)
      }
    },

    async storeAnswers(tx, settlements) {
      if (settlements.length === 0) return new Set()
      const held = await storeAnswers(tx, settlements)
      tx.afterCommit(() => {
        for (const { claim } of settlements) claim.settled = true
      })
      return held
    },

    async store(settlement) {
      await storeAnswers(db, [settlement])
      settlement.claim.settled = true
    },

    async release(claim) {
      claim.settled = true
      await giveBack([claim]).catch(() => owe(claim))
    },

    async purge() {
      const gone = await db.query(
        `delete from service.idempotency where claimed_at < now() - interval '24 hours' returning 1`,
      )
      return gone.length
    },
  }
}

const keysOf = (secret: string) => ({
  fingerprintKey: derive(secret, 'idempotency fingerprint'),
  answers: sealer(derive(secret, 'idempotency answer')),
})

function derive(secret: string, purpose: string): Buffer {
  if (secret.length < 16) throw new TypeError('the secret of the idempotency store must have 16 characters or more')
  return Buffer.from(hkdfSync('sha256', secret, '', `pando ${purpose}`, 32))
}

// AES-256-GCM, bound to the row: an answer copied to another key does not open. nonce (12) | tag (16) | text
function sealer(key: Buffer) {
  const row = ({ owner, key: name, fingerprint }: Keyed) =>
    Buffer.from(JSON.stringify([owner, name, fingerprint.toString('hex')]))
  return {
    seal(answer: Answer, request: Keyed): Buffer {
      const nonce = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(row(request))
      const text = Buffer.concat([cipher.update(JSON.stringify(answer), 'utf8'), cipher.final()])
      return Buffer.concat([nonce, cipher.getAuthTag(), text])
    },
    open(sealed: Buffer, request: Keyed): Answer {
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12), { authTagLength: 16 })
      decipher.setAAD(row(request)).setAuthTag(sealed.subarray(12, 28))
      return JSON.parse(
        Buffer.concat([decipher.update(sealed.subarray(28)), decipher.final()]).toString('utf8'),
      ) as Answer
    },
  }
}
