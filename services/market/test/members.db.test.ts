import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { type Database, type Received, transaction } from '@pando/saga'
import { awaitMember, hasLeft, purgeDeparted } from '../src/members.ts'
import { findPost } from '../src/post.ts'
import { members, profiles } from '../src/reactions.ts'
import { offer, openMarket } from './market.ts'

const event = (type: string, userId: string, sagaId: string, data: object = {}): Received =>
  ({ id: randomUUID(), type, key: userId, sagaId, data: { userId, ...data } }) as Received
const react = (db: Database, ...events: Received[]): Promise<void> =>
  transaction(db, (tx) => members(() => []).react(events, tx))
const join = (db: Database, id: string, displayName: string, sagaId: string = randomUUID()): Promise<void> =>
  react(db, event('user.sign-up-started', id, sagaId, names(displayName)))
const leave = async (db: Database, id: string): Promise<void> => {
  const sagaId = randomUUID()
  await react(db, event('user.deletion-started', id, sagaId), event('user.deleted', id, sagaId))
}
const profileOf = async (db: Database, userId: string): Promise<unknown> =>
  (
    await db.query(
      'select username, display_name as "displayName", status_message as "statusMessage" from market.member where user_id = $1',
      [userId],
    )
  )[0]
const names = (displayName: string) => ({ username: 'nayun', displayName })

test('a user is known from the beginning of the sign-up, by the latest names, until the account is gone', async (t) => {
  const db = await openMarket(t)
  const id = randomUUID()
  await join(db, id, 'Nayun')
  assert.deepEqual(await profileOf(db, id), { ...names('Nayun'), statusMessage: '' })
  const changes = [
    { ...names('One'), statusMessage: 'x' },
    { ...names('Two'), statusMessage: 'y' },
  ]
  await transaction(db, (tx) =>
    profiles.react(
      changes.map((change) => event('user.profile-changed', id, '', change)),
      tx,
    ),
  )
  assert.deepEqual(await profileOf(db, id), changes[1])
  await db.query(`insert into market.keyword (user_id, match, keyword) values ($1, 'plant', 'plant')`, [id])
  assert.equal(await hasLeft(db, id), false)
  await leave(db, id)
  assert.equal(await profileOf(db, id), undefined)
  assert.deepEqual(await db.query('select from market.keyword'), [])
  assert.equal(await hasLeft(db, id), true)
})

test('who is leaving shows no posts and offers none, until the deletion is refused', async (t) => {
  const db = await openMarket(t)
  const [id, sagaId] = [randomUUID(), randomUUID()]
  await join(db, id, 'Nayun')
  const post = await offer(db, id)
  await react(db, event('user.deletion-started', id, sagaId))
  assert.equal(await findPost(db, post.id, undefined), undefined)
  await assert.rejects(offer(db, id), { code: 'forbidden' })
  await react(db, event('user.deletion-refused', id, sagaId, { reason: 'wallet_not_empty' }))
  assert.deepEqual(await findPost(db, post.id, id), post)
  assert.deepEqual(
    (
      await db.query<{ type: string }>(`select type from saga.outbox where type like 'market.seller%' order by seq`)
    ).map(({ type }) => type),
    ['market.seller-withdrawn', 'market.seller-restored'],
  )
})

test('all of a sign-up in one batch, beside another one', async (t) => {
  const db = await openMarket(t)
  const [failed, stays] = [randomUUID(), randomUUID()]
  const [one, other] = [randomUUID(), randomUUID()]
  await react(
    db,
    event('user.sign-up-started', failed, one, names('Failed')),
    event('user.sign-up-started', stays, other, names('Stays')),
    event('user.sign-up-failed', failed, one, { reason: 'deadline' }),
  )
  assert.equal(await profileOf(db, failed), undefined)
  assert.deepEqual(await profileOf(db, stays), { ...names('Stays'), statusMessage: '' })
})

test('who is not heard of yet is waited for, for a moment', async (t) => {
  const db = await openMarket(t)
  const id = randomUUID()
  const waiting = awaitMember(db, id)
  await join(db, id, 'Late')
  await waiting
  await assert.rejects(awaitMember(db, randomUUID(), 0), { code: 'unavailable', headers: { 'retry-after': '1' } })
})

test('who has left is forgotten after a day', async (t) => {
  const db = await openMarket(t)
  const [long, now] = [randomUUID(), randomUUID()]
  for (const id of [long, now]) {
    await join(db, id, 'Gone')
    await leave(db, id)
  }
  await db.query(`update market.departed set departed_at = now() - interval '25 hours' where user_id = $1`, [long])
  await purgeDeparted(db)
  assert.deepEqual([await hasLeft(db, long), await hasLeft(db, now)], [false, true])
})
