// Friends and blocks, as clients see them.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import type { UserView } from '@pando/events/views'
import { assertProblem, Client } from '../support/client.ts'
import { person, type Person } from '../support/people.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'

const system = await startSystem({ after })
const { databases } = system
const [me, ada, ben, eve] = (await Promise.all(Array.from({ length: 4 }, () => person(system.url)))) as [
  Person,
  Person,
  Person,
  Person,
]

interface Page {
  items: { user: UserView; since: string }[]
  next: string | null
}
const list = async (who: Person, path: string): Promise<Page> => {
  const { status, body, text } = await who.client.get<Page>(path)
  assert.equal(status, 200, text)
  return body
}
const idsOf = async (who: Person, path: string): Promise<string[]> =>
  (await list(who, path)).items.map(({ user }) => user.id)
/** What the chat has said of these two, from the oldest. */
const toldOf = async (...two: Person[]) =>
  (
    await databases.log.query<{ type: string; data: Record<string, string> }>(
      `select type, body::json -> 'data' as data from log.record where type like 'chat.friend-%' order by "offset"`,
    )
  ).filter(({ data }) => two.every(({ id }) => [data.userId, data.friendId].includes(id)))

test('friends are so for both, however often they are made; the other one is told once', async () => {
  const before = Date.now()
  for (const [who, other] of [
    [me, ada],
    [me, ada],
    [ada, me],
  ] as const) {
    const { status, text } = await who.client.put(`/api/friends/${other.id}`)
    assert.deepEqual([status, text], [204, ''])
  }
  const { items, next } = await list(me, '/api/friends')
  assert.equal(next, null)
  assert.deepEqual(
    items.map(({ user }) => user),
    [{ id: ada.id, username: ada.username, displayName: ada.displayName, statusMessage: '' }],
  )
  assert.match(items[0]!.since, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  assert.ok(Date.parse(items[0]!.since) >= before - 1_000)
  assert.deepEqual(await idsOf(ada, '/api/friends'), [me.id])
  await until('the event', async () => (await toldOf(me, ada)).length > 0)

  assert.equal((await ada.client.delete(`/api/friends/${me.id}`)).status, 204)
  assert.equal((await ada.client.delete(`/api/friends/${me.id}`)).status, 204)
  assert.deepEqual([await idsOf(me, '/api/friends'), await idsOf(ada, '/api/friends')], [[], []])
  assert.deepEqual(
    await until('both events', async () => {
      const told = await toldOf(me, ada)
      return told.length > 1 && told
    }),
    [
      { type: 'chat.friend-added', data: { userId: me.id, friendId: ada.id, displayName: me.displayName } },
      { type: 'chat.friend-removed', data: { userId: ada.id, friendId: me.id } },
    ],
  )
  await until('the notification', async () => {
    const told = await databases.notification.query<{ id: string; data: string }>(
      `select user_id as id, data from notification.notification where type = 'friend_added' and user_id = any($1::uuid[])`,
      [[me.id, ada.id]],
    )
    return (
      told.length > 0 &&
      (assert.deepEqual(
        told.map(({ id }) => id),
        [ada.id],
      ),
      true)
    )
  })
})

test('made and ended by both at once, what was told last is what is true', async () => {
  for (let round = 0; round < 5; round++) {
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => {
        const [who, other] = i % 2 ? [me, ben] : [ben, me]
        return i % 4 < 2 ? who.client.put(`/api/friends/${other.id}`) : who.client.delete(`/api/friends/${other.id}`)
      }),
    )
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([204]))
    await until('an empty outbox', async () => (await databases.chat.query('select from saga.outbox')).length === 0)
    const isFriend = (await idsOf(me, '/api/friends')).includes(ben.id)
    assert.equal((await idsOf(ben, '/api/friends')).includes(me.id), isFriend)
    const told = await toldOf(me, ben)
    assert.equal((told.at(-1)?.type ?? 'chat.friend-removed') === 'chat.friend-added', isFriend)
    for (const [i, { type }] of told.entries()) assert.equal(type, i % 2 ? 'chat.friend-removed' : 'chat.friend-added')
  }
})

test('who is blocked can make no friend of the blocker, nor open a room or be brought; a friendship stays', async () => {
  await me.client.put(`/api/friends/${eve.id}`)
  for (let i = 0; i < 2; i++) assert.equal((await me.client.put(`/api/blocks/${eve.id}`)).status, 204)
  assert.deepEqual(await idsOf(me, '/api/blocks'), [eve.id])
  assert.deepEqual(await idsOf(eve, '/api/blocks'), [], 'the blocked one is not told')
  assert.ok((await idsOf(eve, '/api/friends')).includes(me.id))
  assertProblem(await eve.client.post('/api/rooms', { type: 'direct', userId: me.id }), 403, 'forbidden')
  assertProblem(await eve.client.post('/api/rooms', { type: 'group', name: 'x', userIds: [me.id] }), 403, 'forbidden')
  await me.client.delete(`/api/friends/${eve.id}`)
  assertProblem(await eve.client.put(`/api/friends/${me.id}`), 403, 'forbidden')
  assert.equal(
    (await me.client.post('/api/rooms', { type: 'direct', userId: eve.id })).status,
    201,
    'but the blocker can',
  )
  for (let i = 0; i < 2; i++) assert.equal((await me.client.delete(`/api/blocks/${eve.id}`)).status, 204)
  assert.equal((await eve.client.post('/api/rooms', { type: 'direct', userId: me.id })).status, 200)
  assert.equal((await eve.client.put(`/api/friends/${me.id}`)).status, 204)
})

test('lists come in pages, newest first, without a gap or a repeat, also of the same moment', async () => {
  const others = await Promise.all(Array.from({ length: 7 }, () => person(system.url)))
  for (const path of ['friends', 'blocks']) {
    for (const { id } of others) assert.equal((await ada.client.put(`/api/${path}/${id}`)).status, 204)
    const table = path === 'friends' ? 'chat.friend' : 'chat.block'
    await databases.chat.query(`update ${table} set since = date_trunc('hour', now()) where user_id = $1`, [ada.id])
    const newest = others[3]!.id
    const column = path === 'friends' ? 'friend_id' : 'blocked_id'
    await databases.chat.query(`update ${table} set since = now() where user_id = $1 and ${column} = $2`, [
      ada.id,
      newest,
    ])
    const expected = [
      newest,
      ...others
        .map(({ id }) => id)
        .filter((id) => id !== newest)
        .toSorted()
        .toReversed(),
    ]
    for (const limit of [1, 2, 3, 7, 100]) {
      const seen: string[] = []
      for (let cursor = ''; ;) {
        const { items, next } = await list(ada, `/api/${path}?limit=${limit}${cursor}`)
        assert.ok(items.length <= limit)
        seen.push(...items.map(({ user }) => user.id))
        if (next === null) break
        cursor = `&cursor=${encodeURIComponent(next)}`
      }
      assert.deepEqual(seen, expected)
    }
  }
})

test('nobody, oneself, and what is no cursor', async () => {
  const cursors = [
    'x',
    ...[{ a: 1 }, [1], ['2026', me.id], [-1, me.id], [1e15, me.id], [1.5, me.id], [1, 'x'], [1, me.id, 1]].map(
      (value) => Buffer.from(JSON.stringify(value)).toString('base64url'),
    ),
  ]
  for (const path of ['/api/friends', '/api/blocks']) {
    for (const method of ['PUT', 'DELETE']) {
      for (const id of [randomUUID(), 'x', me.id.toUpperCase()])
        assertProblem(await me.client.request(method, `${path}/${id}`), 404, 'not_found')
      const { errors } = assertProblem(await me.client.request(method, `${path}/${me.id}`), 400, 'validation_failed')
      assert.deepEqual(errors, [{ path: '/userId', message: 'must be somebody else' }])
      assertProblem(await new Client(system.url).request(method, `${path}/${ada.id}`), 401, 'unauthenticated')
    }
    for (const cursor of cursors)
      assertProblem(await me.client.get(`${path}?cursor=${cursor}`), 400, 'validation_failed')
    for (const limit of ['0', '101', 'x'])
      assertProblem(await me.client.get(`${path}?limit=${limit}`), 400, 'validation_failed')
  }
})

test('who is about to be deleted makes no new friends, and can still end a friendship', async () => {
  const who = await person(system.url)
  await who.client.put(`/api/friends/${ada.id}`)
  await databases.chat.query('update chat.member set held_by = gen_random_uuid() where user_id = $1', [who.id])
  assertProblem(await who.client.put(`/api/friends/${ben.id}`), 403, 'forbidden')
  assertProblem(await who.client.post('/api/rooms', { type: 'direct', userId: ben.id }), 403, 'forbidden')
  assertProblem(await who.client.post('/api/rooms', { type: 'group', name: 'x', userIds: [ada.id] }), 403, 'forbidden')
  assert.equal((await who.client.delete(`/api/friends/${ada.id}`)).status, 204)
  assert.equal((await who.client.get('/api/rooms')).status, 200)
})
