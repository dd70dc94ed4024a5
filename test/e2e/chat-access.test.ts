// Who may do what in the chat: every operation of it, by somebody without a token, a stranger, an admin, whom the owner has blocked, a
// former member, a member and the owner. The list of operations is the OpenAPI document's: one without a row here fails.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import type { MessageView, RoomView } from '@pando/events/views'
import { type Answer, Client } from '../support/client.ts'
import { logIn, type Person, person } from '../support/people.ts'
import { startSystem } from '../support/system.ts'

const system = await startSystem({ after })

const ROLES = ['nobody', 'stranger', 'admin', 'blocked', 'former', 'member', 'owner'] as const
type Role = (typeof ROLES)[number]
type Expected = Record<Role, number>

interface Cast {
  people: Record<Exclude<Role, 'nobody'>, Person>
  /** Of the owner, the member, and formerly the former member. */
  group: string
  /** Of the owner and the one who is blocked; of the owner and the member. */
  blockedRoom: string
  memberRoom: string
}

interface Case {
  what?: string
  path?: (cast: Cast) => string
  body?: (cast: Cast, me: string) => object
  expect: Expected
}

const users = (status: number, but: Partial<Expected> = {}): Expected => ({
  ...(Object.fromEntries(ROLES.map((role) => [role, status])) as Expected),
  nobody: 401,
  ...but,
})
/** Of the group: for anybody else there is no such room. */
const members = (status: number, but: Partial<Expected> = {}): Expected =>
  users(404, { member: status, owner: status, ...but })
const inGroup =
  (tail: string) =>
  ({ group }: Cast): string =>
    `/api/rooms/${group}${tail}`
const text = () => ({ clientMessageId: randomUUID(), text: 'x' })

const OPERATIONS: Record<string, Case[]> = {
  'GET /api/friends': [{ expect: users(200) }],
  'PUT /api/friends/{userId}': [
    { path: ({ people }) => `/api/friends/${people.owner.id}`, expect: users(204, { blocked: 403, owner: 400 }) },
    { what: 'somebody unknown', path: () => `/api/friends/${randomUUID()}`, expect: users(404) },
  ],
  'DELETE /api/friends/{userId}': [
    { path: ({ people }) => `/api/friends/${people.stranger.id}`, expect: users(204, { stranger: 400 }) },
  ],
  'GET /api/blocks': [{ expect: users(200) }],
  'PUT /api/blocks/{userId}': [{ path: () => `/api/blocks/${randomUUID()}`, expect: users(404) }],
  'DELETE /api/blocks/{userId}': [
    { path: ({ people }) => `/api/blocks/${people.stranger.id}`, expect: users(204, { stranger: 400 }) },
    { what: 'somebody unknown', path: () => `/api/blocks/${randomUUID()}`, expect: users(404) },
  ],
  'GET /api/rooms': [{ expect: users(200) }],
  'POST /api/rooms': [
    {
      what: 'with the owner alone',
      body: ({ people }) => ({ type: 'direct', userId: people.owner.id }),
      expect: users(201, { blocked: 403, member: 200, owner: 400 }),
    },
    {
      what: 'a group with somebody who is no friend',
      body: ({ people }, me) => ({
        type: 'group',
        name: 'x',
        userIds: [me === people.blocked.id ? people.member.id : people.blocked.id],
      }),
      expect: users(403, { owner: 201 }),
    },
  ],
  'GET /api/rooms/{id}': [
    { path: inGroup(''), expect: members(200) },
    {
      what: 'of the blocked one',
      path: ({ blockedRoom }) => `/api/rooms/${blockedRoom}`,
      expect: users(404, { blocked: 200, owner: 200 }),
    },
  ],
  'PATCH /api/rooms/{id}/me': [{ path: inGroup('/me'), body: () => ({ muted: true }), expect: members(200) }],
  'POST /api/rooms/{id}/members': [
    {
      what: 'who is in',
      path: inGroup('/members'),
      body: ({ people }) => ({ userIds: [people.member.id] }),
      expect: members(200),
    },
    {
      what: 'whom somebody has blocked',
      path: inGroup('/members'),
      body: ({ people }) => ({ userIds: [people.blocked.id] }),
      expect: members(403, { owner: 200 }),
    },
    {
      what: 'of a direct room',
      path: ({ memberRoom }) => `/api/rooms/${memberRoom}/members`,
      body: ({ people }) => ({ userIds: [people.stranger.id] }),
      expect: members(409),
    },
  ],
  'DELETE /api/rooms/{id}/members/me': [
    { what: 'of a direct room', path: ({ memberRoom }) => `/api/rooms/${memberRoom}/members/me`, expect: members(409) },
    { path: inGroup('/members/me'), expect: members(204) },
  ],
  'GET /api/rooms/{id}/messages': [
    { path: inGroup('/messages'), expect: members(200) },
    {
      what: 'where one is blocked',
      path: ({ blockedRoom }) => `/api/rooms/${blockedRoom}/messages`,
      expect: users(404, { blocked: 200, owner: 200 }),
    },
  ],
  'POST /api/rooms/{id}/messages': [
    { path: inGroup('/messages'), body: text, expect: members(201) },
    {
      what: 'an image that is none of theirs',
      path: inGroup('/messages'),
      body: () => ({ clientMessageId: randomUUID(), imageId: randomUUID() }),
      expect: members(400),
    },
    {
      what: 'where one is blocked',
      path: ({ blockedRoom }) => `/api/rooms/${blockedRoom}/messages`,
      body: text,
      expect: users(404, { blocked: 403, owner: 201 }),
    },
  ],
  'DELETE /api/rooms/{id}/messages/{seq}': [
    // The first message is the owner's; the member asks first.
    { path: inGroup('/messages/1'), expect: members(403, { owner: 204 }) },
    { what: 'that is not there', path: inGroup('/messages/999'), expect: users(404) },
  ],
  'PUT /api/rooms/{id}/read': [{ path: inGroup('/read'), body: () => ({ seq: 1 }), expect: members(204) }],
  'POST /api/rooms/{id}/typing': [
    { path: inGroup('/typing'), expect: members(202) },
    {
      what: 'where one is blocked',
      path: ({ blockedRoom }) => `/api/rooms/${blockedRoom}/typing`,
      expect: users(404, { blocked: 403, owner: 202 }),
    },
  ],
}

async function must<Body>(asked: Promise<Answer<Body>>): Promise<Body> {
  const answer = await asked
  assert.ok(answer.status < 300, answer.text)
  return answer.body
}

async function assemble(): Promise<Cast> {
  const roles = ROLES.filter((role) => role !== 'nobody')
  const made = await Promise.all(roles.map(() => person(system.url)))
  const people = Object.fromEntries(roles.map((role, i) => [role, made[i]!])) as Cast['people']
  const { admin, blocked, former, member, owner } = people
  await system.databases.user.query(`update users.account set role = 'admin' where id = $1`, [admin.id])
  admin.token = await logIn(system.url, admin)
  for (const { id } of [blocked, former, member]) await must(owner.client.put(`/api/friends/${id}`))
  const direct = (id: string) => must(owner.client.post<RoomView>('/api/rooms', { type: 'direct', userId: id }))
  const group = await must(
    owner.client.post<RoomView>('/api/rooms', { type: 'group', name: 'x', userIds: [former.id, member.id] }),
  )
  await must(owner.client.post<MessageView>(`/api/rooms/${group.id}/messages`, text()))
  await must(former.client.delete(`/api/rooms/${group.id}/members/me`))
  const rooms = { blockedRoom: (await direct(blocked.id)).id, memberRoom: (await direct(member.id)).id }
  await must(owner.client.put(`/api/blocks/${blocked.id}`))
  return { people, group: group.id, ...rooms }
}

test('every operation of the chat has a row, and every row an operation', async () => {
  const { body } = await new Client(system.url).get<{ paths: Record<string, object> }>('/api/openapi.json')
  const operations = Object.entries(body.paths)
    .filter(([path]) => /^\/api\/(friends|blocks|rooms)/.test(path))
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`))
  assert.deepEqual(Object.keys(OPERATIONS).toSorted(), operations.toSorted())
})

for (const [operation, cases] of Object.entries(OPERATIONS)) {
  const [method = '', template = ''] = operation.split(' ')
  for (const { what, path, body, expect } of cases)
    test(`${operation}${what === undefined ? '' : `: ${what}`}`, async () => {
      const cast = await assemble()
      const got: Record<string, number> = {}
      // The owner comes last: what others may do must not depend on it.
      for (const role of ROLES) {
        const me = role === 'nobody' ? undefined : cast.people[role]
        const client = new Client(system.url, { token: me?.token })
        const answer = await client.request(method, path?.(cast) ?? template, { body: body?.(cast, me?.id ?? '') })
        if (answer.status >= 400) assert.match(answer.headers['content-type']!, /^application\/problem\+json/)
        got[role] = answer.status
      }
      assert.deepEqual(got, expect)
    })
}
