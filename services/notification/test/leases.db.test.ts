import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { appendToStreams, type Database, transaction } from '@pando/saga'
import { serviceDatabase } from '../../../test/support/service-database.ts'
import { declareDead, endLease, sweepSome, writeLease } from '../src/leases.ts'

const DEAD_MS = 30_000
const sweep = async (db: Database): Promise<string[]> => (await transaction(db, sweepSome)).gone
/** Lets time go by for whatever is closed, or for a lease. */
const age = (db: Database, table: 'presence' | 'instance', seconds: number): Promise<unknown> =>
  db.query(
    table === 'presence'
      ? 'update notification.presence set closed_at = closed_at - make_interval(secs => $1)'
      : 'update notification.instance set seen_at = seen_at - make_interval(secs => $1)',
    [seconds],
  )
const onlineOf = async (db: Database, userId: string): Promise<boolean | undefined> =>
  (await db.query<{ online: boolean }>('select online from notification.online where user_id = $1', [userId]))[0]
    ?.online

/** A process: `users` are those with an open stream in it. */
function process(db: Database, ...users: string[]) {
  const id = randomUUID()
  const here = new Set(users)
  return {
    id,
    here,
    write: (changed: readonly string[] = [...here]) => writeLease(db, id, { users: changed, here }),
    close: (userId: string) => {
      here.delete(userId)
      return writeLease(db, id, { users: [userId], here })
    },
  }
}

test('whoever comes is told of once, wherever the next stream is opened', async (t) => {
  const db = await serviceDatabase(t, 'notification')
  const user = randomUUID()
  const [one, other] = [process(db, user), process(db, user)]
  assert.deepEqual(await one.write(), [user])
  assert.deepEqual(await one.write(), [])
  assert.deepEqual(await other.write(), [])
  await one.close(user)
  await age(db, 'presence', 60)
  assert.deepEqual(await sweep(db), [], 'there is the other one')
  await other.close(user)
  assert.deepEqual(await sweep(db), [], 'a moment ago')
  await age(db, 'presence', 11)
  assert.deepEqual(await sweep(db), [user])
  assert.deepEqual(await sweep(db), [])
  assert.equal(await onlineOf(db, user), false)
  assert.deepEqual(await db.query('select from notification.presence'), [])
  one.here.add(user)
  assert.deepEqual(await one.write(), [user])
})

test('whoever is back within the grace, here or elsewhere, was never away', async (t) => {
  const db = await serviceDatabase(t, 'notification')
  const [a, b] = [randomUUID(), randomUUID()]
  const [one, other] = [process(db, a, b), process(db)]
  await one.write()
  await one.close(a)
  await one.close(b)
  await age(db, 'presence', 9)
  one.here.add(a)
  other.here.add(b)
  assert.deepEqual([await one.write(), await other.write()], [[], []])
  await age(db, 'presence', 60)
  assert.deepEqual(await sweep(db), [])
  assert.deepEqual([await onlineOf(db, a), await onlineOf(db, b)], [true, true])
})

test('of a process that is not seen any more the users go, last seen when it was; one that comes back tells of them anew', async (t) => {
  const db = await serviceDatabase(t, 'notification')
  const [user, moved] = [randomUUID(), randomUUID()]
  const [dead, alive] = [process(db, user, moved), process(db, moved)]
  await dead.write()
  await alive.write()
  await declareDead(db, DEAD_MS)
  assert.deepEqual(await sweep(db), [])
  await db.query(`update notification.instance set seen_at = now() - interval '31 seconds' where id = $1`, [dead.id])
  await declareDead(db, DEAD_MS)
  assert.deepEqual(await sweep(db), [user])
  const [row] = await db.query<{ age: number }>(
    'select extract(epoch from now() - seen_at)::float8 as age from notification.online where user_id = $1',
    [user],
  )
  assert.ok(row!.age >= 31 && row!.age < 60, String(row!.age))
  assert.equal(await onlineOf(db, moved), true)
  // It was only slow: with its next sign of life all who are there come back, though nothing has changed in it.
  assert.deepEqual(await dead.write([]), [user])
  assert.equal(await onlineOf(db, user), true)
})

test('a process that renews its lease while it is taken for dead is one or the other', async (t) => {
  const db = await serviceDatabase(t, 'notification')
  for (let round = 0; round < 30; round++) {
    const users = Array.from({ length: 20 }, () => randomUUID())
    const late = process(db, ...users)
    await late.write()
    await age(db, 'instance', 31)
    const judge = async (): Promise<string[]> => {
      await declareDead(db, DEAD_MS)
      return sweep(db)
    }
    await Promise.all([judge(), late.write([]), judge()])
    await sweep(db)
    const stillOnline = await Promise.all(users.map((user) => onlineOf(db, user)))
    assert.deepEqual(new Set(stillOnline), new Set([true]), `round ${round}`)
    await endLease(db, late.id)
    await age(db, 'presence', 60)
    await sweep(db)
  }
})

test('who comes in one process while they go in another ends online, and each is told last of all', async (t) => {
  const db = await serviceDatabase(t, 'notification')
  for (let round = 0; round < 30; round++) {
    const users = Array.from({ length: 30 }, () => randomUUID())
    const [old, fresh] = [process(db, ...users), process(db, ...users)]
    await old.write()
    await endLease(db, old.id)
    await age(db, 'presence', 60)
    const [gone, more, come] = await Promise.all([sweep(db), sweep(db), fresh.write()])
    const left = [...gone, ...more]
    assert.equal(new Set(left).size, left.length, 'nobody goes twice')
    // Nobody who went before they came is not told of as coming.
    assert.deepEqual(left.toSorted(), come.toSorted())
    for (const user of users) assert.equal(await onlineOf(db, user), true)
    await endLease(db, fresh.id)
    await age(db, 'presence', 60)
    await sweep(db)
  }
})

test('a lease that ends in good order leaves its users the grace', async (t) => {
  const db = await serviceDatabase(t, 'notification')
  const [user, other] = [randomUUID(), randomUUID()]
  const [old, next] = [process(db, user, other), process(db, user)]
  await old.write()
  await endLease(db, old.id)
  assert.deepEqual(await sweep(db), [])
  assert.deepEqual(await next.write(), [])
  await age(db, 'presence', 11)
  assert.deepEqual(await sweep(db), [other])
  assert.deepEqual((await db.query('select id from notification.instance')).length, 1)
})

test('a crowd of 10,000 is one transaction, and goes in a few', async (t) => {
  const db = await serviceDatabase(t, 'notification')
  const crowd = process(db, ...Array.from({ length: 10_000 }, () => randomUUID()))
  const before = db.stats().leases
  assert.equal((await crowd.write()).length, 10_000)
  assert.equal(db.stats().leases - before, 1)
  await endLease(db, crowd.id)
  await age(db, 'presence', 11)
  const gone = new Set<string>()
  for (let more = true; more;) {
    const swept = await transaction(db, sweepSome)
    for (const userId of swept.gone) gone.add(userId)
    more = swept.more
  }
  assert.equal(gone.size, 10_000)
})

test('an account that goes while its stream is opened leaves nothing', async (t) => {
  const db = await serviceDatabase(t, 'notification')
  const [user, other] = [randomUUID(), randomUUID()]
  await transaction(db, (tx) => appendToStreams(tx, [], [user]))
  const one = process(db, user, other)
  assert.deepEqual(await one.write(), [other])
  for (const table of ['online', 'presence'])
    assert.deepEqual(await db.query(`select user_id as id from notification.${table}`), [{ id: other }])
})
