// What people say of themselves, what others see of it, and how others find them.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import { assertProblem, Client } from '../support/client.ts'
import { newcomer, person } from '../support/people.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'

const system = await startSystem({ after })
const anybody = new Client(system.url)
const me = await person(system.url)

interface Page {
  items: { id: string; username: string; displayName: string; statusMessage: string }[]
  next: string | null
}
const search = (query: string, rest = '') => me.client.get<Page>(`/api/users?query=${encodeURIComponent(query)}${rest}`)
const namesOf = async (query: string): Promise<string[]> =>
  (await search(query)).body.items.map(({ username }) => username)

test("the profile has everything of one's own and nothing else", async () => {
  const { status, body } = await me.client.get('/api/me')
  assert.equal(status, 200)
  const { createdAt, ...rest } = body
  assert.deepEqual(rest, {
    id: me.id,
    username: me.username,
    displayName: me.displayName,
    email: me.email,
    statusMessage: '',
    locale: 'ko',
    role: 'user',
  })
  assert.match(String(createdAt), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
})

test('what is changed is changed, what is not given stays, and the chat learns the new names', async () => {
  const who = await person(system.url)
  const before = (await who.client.get('/api/me')).body
  assert.deepEqual((await who.client.patch('/api/me', {})).body, before)
  const first = await who.client.patch('/api/me', { displayName: '몬스테라 🌿', statusMessage: 'x'.repeat(100) })
  assert.deepEqual(first.body, { ...before, displayName: '몬스테라 🌿', statusMessage: 'x'.repeat(100) })
  const second = await who.client.patch('/api/me', { locale: 'en', statusMessage: '' })
  assert.deepEqual(second.body, { ...first.body, locale: 'en', statusMessage: '' })
  assert.deepEqual((await who.client.get('/api/me')).body, second.body)
  await until('the name in the chat', async () => {
    const [member] = await system.databases.chat.query(
      'select display_name as "displayName", status_message as "statusMessage" from chat.member where user_id = $1',
      [who.id],
    )
    return member?.displayName === '몬스테라 🌿' && member.statusMessage === ''
  })
})

test("with an Idempotency-Key a change happens once, and the key is the user's own", async () => {
  const [who, other] = await Promise.all([person(system.url), person(system.url)])
  const key = { 'idempotency-key': 'the-same-for-both' }
  const first = await who.client.patch('/api/me', { statusMessage: 'one' }, key)
  await who.client.patch('/api/me', { statusMessage: 'two' })
  const again = await who.client.patch('/api/me', { statusMessage: 'one' }, key)
  assert.deepEqual([again.status, again.text], [200, first.text])
  assert.equal((await who.client.get('/api/me')).body.statusMessage, 'two')
  assertProblem(await who.client.patch('/api/me', { statusMessage: 'three' }, key), 409, 'idempotency_mismatch')
  assert.equal((await other.client.patch('/api/me', { statusMessage: 'four' }, key)).body.id, other.id)
})

test('what is not valid changes nothing', async () => {
  const before = (await me.client.get('/api/me')).body
  for (const [body, path] of [
    [{ displayName: '' }, '/displayName'],
    [{ displayName: 'x'.repeat(41) }, '/displayName'],
    [{ displayName: null }, '/displayName'],
    [{ statusMessage: 'x'.repeat(101) }, '/statusMessage'],
    [{ locale: 'fr' }, '/locale'],
    [{ displayName: 'fine', locale: 1 }, '/locale'],
  ] as const) {
    const { errors } = assertProblem(await me.client.patch('/api/me', body), 400, 'validation_failed')
    assert.ok((errors as { path: string }[]).some((fault) => fault.path === path))
  }
  assertProblem(await me.client.patch('/api/me', { displayName: 'a\0b' }), 400, 'validation_failed')
  assert.deepEqual((await me.client.get('/api/me')).body, before)
})

test('others see four things of a user, and of nobody who is not there', async () => {
  const other = await person(system.url)
  await other.client.patch('/api/me', { statusMessage: 'watering' })
  const { status, body } = await me.client.get(`/api/users/${other.id}`)
  assert.deepEqual(
    [status, body],
    [200, { id: other.id, username: other.username, displayName: other.displayName, statusMessage: 'watering' }],
  )
  for (const id of [randomUUID(), 'x', '1', other.id.toUpperCase(), `${other.id}x`])
    assertProblem(await me.client.get(`/api/users/${id}`), 404, 'not_found')
})

test('a search finds by the beginning of the username or the display name, whatever the case, Korean too', async () => {
  await Promise.all([
    person(system.url, { username: 'fern.one', displayName: 'Anna' }),
    person(system.url, { username: 'anna.two', displayName: 'Fernanda' }),
    person(system.url, { username: 'k.three', displayName: '금전수 집사' }),
    person(system.url, { username: 'k.four', displayName: 'Ölbaum' }),
  ])
  assert.deepEqual(await namesOf('fern'), ['anna.two', 'fern.one'])
  assert.deepEqual(await namesOf('FERN'), ['anna.two', 'fern.one'])
  assert.deepEqual(await namesOf('Anna'), ['anna.two', 'fern.one'])
  assert.deepEqual(await namesOf('금전'), ['k.three'])
  assert.deepEqual(await namesOf('금전수 '), ['k.three'])
  assert.deepEqual(await namesOf('ern'), [], 'not in the middle')
  assert.deepEqual(await namesOf('Öl'), ['k.four'])
  assert.deepEqual(
    (await search('금전')).body.items.map((item) => Object.keys(item).toSorted()),
    [['displayName', 'id', 'statusMessage', 'username']],
  )
})

test('signs that mean something to a database mean themselves', async () => {
  await Promise.all([
    person(system.url, { username: 'wild_card', displayName: '100% green' }),
    person(system.url, { username: 'wildxcard', displayName: '100 green' }),
    person(system.url, { username: 'back.slash', displayName: 'a\\b' }),
  ])
  assert.deepEqual(await namesOf('wild_'), ['wild_card'])
  assert.deepEqual(await namesOf('100%'), ['wild_card'])
  assert.deepEqual(await namesOf('a\\'), ['back.slash'])
  for (const query of ['%', '_', '\\', '%%', "'", '--', '.*']) assert.deepEqual(await namesOf(query), [], query)
})

test('pages follow each other without a gap or a repeat, in the order of usernames', async () => {
  const all = Array.from({ length: 7 }, (_, i) => `page.${'ABCDEFG'[i]!.toLowerCase()}`)
  await Promise.all(all.map((username) => person(system.url, { username })))
  for (const limit of [1, 3, 7, 100]) {
    const seen: string[] = []
    let cursor = ''
    for (let pages = 0; pages < 10; pages++) {
      const { body } = await search('page.', `&limit=${limit}${cursor && `&cursor=${cursor}`}`)
      assert.ok(body.items.length <= limit)
      seen.push(...body.items.map(({ username }) => username))
      if (body.next === null) break
      cursor = encodeURIComponent(body.next)
    }
    assert.deepEqual(seen, all)
  }
})

test('a bad limit, cursor or query is not valid', async () => {
  for (const limit of ['0', '101', '-1', '1.5', 'x', '', '1e1'])
    assertProblem(await search('a', `&limit=${limit}`), 400, 'validation_failed')
  for (const cursor of ['x', 'bnVsbA', Buffer.from('{"a":1}').toString('base64url')])
    assertProblem(await search('a', `&cursor=${cursor}`), 400, 'validation_failed')
  for (const path of ['/api/users', '/api/users?query=', `/api/users?query=${'x'.repeat(41)}`, '/api/users?query=a%00'])
    assertProblem(await me.client.get(path), 400, 'validation_failed')
})

test('who has not finished signing up is not found', async () => {
  const { id } = await person(system.url, { username: 'pending.person' })
  assert.deepEqual(await namesOf('pending.'), ['pending.person'])
  await system.databases.user.query(`update users.account set status = 'pending' where id = $1`, [id])
  assert.deepEqual(await namesOf('pending.'), [])
  assertProblem(await me.client.get(`/api/users/${id}`), 404, 'not_found')
})

test('whether a username is free, without a token; what is no username is never free', async () => {
  const { username } = newcomer()
  for (const [name, available] of [
    [username, true],
    [me.username, false],
    [me.username.toUpperCase(), false],
    ['ab', false],
    ['a%20b', false],
    ['x'.repeat(31), false],
    ['%EA%B8%88', false],
  ] as const) {
    const { status, body } = await anybody.get(`/api/usernames/${name}`)
    assert.deepEqual([status, body], [200, { available }], name)
  }
})
