// Who may do what: every operation of the contract, tried by everybody. A new operation without a row here fails.
import assert from 'node:assert/strict'
import { randomUUID, randomUUIDv7 } from 'node:crypto'
import { after, test } from 'node:test'
import { transaction } from '@pando/saga'
import { post, walletAccount } from '../../services/customer/src/ledger.ts'
import { Client, EventStream } from '../support/client.ts'
import { logIn, newcomer, person, type Person, sagaEnded } from '../support/people.ts'
import { offer } from '../support/posts.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'

const system = await startSystem({ after })
const { databases } = system
const anybody = new Client(system.url)

/** Everybody who may come: without a token, somebody else, whose things they are, an admin, and who has deleted their account. */
interface Cast {
  stranger: Person
  owner: Person
  admin: Person
  deleted: Person
  /** Of the owner: a deletion that was refused, a session that is not the one of the token, a notification, a friend, the group of these two. */
  refusedDeletion: string
  otherSession: string
  notification: string
  friend: Person
  room: string
  /** Of the one who is gone. */
  completedDeletion: string
  /** The owner's, and the deletion of another one. */
  postId: string
  postDeletion: string
}
const ROLES = ['nobody', 'stranger', 'admin', 'deleted', 'owner'] as const
type Role = (typeof ROLES)[number]

interface Case {
  what?: string
  /** With the path's parameters and query; the path itself when there are none. */
  path?: (cast: Cast) => string
  body?: (who: Person | undefined, cast: Cast) => object
  expect: Record<Role, number>
  /** It changes those who do it: done by people of its own. */
  changes?: true
  /** It does not end by itself: only the head of the answer is looked at. */
  endless?: true
}

const all = (status: number): Case['expect'] => ({
  nobody: status,
  stranger: status,
  owner: status,
  admin: status,
  deleted: status,
})
const users = (status: number): Case['expect'] => ({ ...all(status), nobody: 401, deleted: 401 })
const admins = (status: number): Case['expect'] => ({
  nobody: 401,
  stranger: 403,
  owner: 403,
  admin: status,
  deleted: 401,
})
const own = (status: number): Case['expect'] => ({ ...users(404), owner: status })
/** Posts can be seen by all, so that somebody else's is forbidden. */
const sellers = (status: number): Case['expect'] => ({ ...users(403), owner: status })

const sagas = (tail: string): Case[] => [
  { what: 'a sign-up, by its id', path: ({ owner }) => `/api/sagas/sign-up/${owner.sagaId}${tail}`, expect: all(200) },
  {
    what: "the owner's deletion",
    path: ({ refusedDeletion }) => `${refusedDeletion}${tail}`,
    expect: { nobody: 401, stranger: 404, owner: 200, admin: 200, deleted: 404 },
  },
  {
    what: 'the deletion of who is gone',
    path: ({ completedDeletion }) => `${completedDeletion}${tail}`,
    expect: { nobody: 401, stranger: 404, owner: 404, admin: 200, deleted: 200 },
  },
  {
    what: 'a saga that is not there',
    path: () => `/api/sagas/account-deletion/${randomUUID()}${tail}`,
    expect: all(404),
  },
]

const postDeletions = (tail: string): Case[] => [
  {
    what: "of the owner's post",
    path: ({ postDeletion }) => `${postDeletion}${tail}`,
    expect: { nobody: 401, stranger: 404, owner: 200, admin: 200, deleted: 404 },
  },
  { what: 'one that is not there', path: () => `/api/sagas/post-deletion/${randomUUID()}${tail}`, expect: all(404) },
]

const OPERATIONS: Record<string, Case[]> = {
  'POST /api/users': [{ body: () => newcomer(), expect: all(202) }],
  'GET /api/users': [{ path: () => '/api/users?query=u', expect: users(200) }],
  'GET /api/users/{id}': [{ path: ({ owner }) => `/api/users/${owner.id}`, expect: users(200) }],
  'GET /api/usernames/{username}': [{ path: ({ owner }) => `/api/usernames/${owner.username}`, expect: all(200) }],

  'POST /api/sessions': [
    { body: (_, { owner }) => ({ username: owner.username, password: owner.password }), expect: all(201) },
  ],
  'POST /api/sessions/refresh': [{ what: 'with an access token only', expect: all(401) }],
  'GET /api/sessions': [
    { expect: users(200) },
    { what: 'a query that is not valid', path: () => '/api/sessions?limit=0', expect: users(400) },
  ],
  'DELETE /api/sessions': [{ expect: users(204), changes: true }],
  'DELETE /api/sessions/all': [{ expect: users(204), changes: true }],
  'DELETE /api/sessions/{id}': [
    { path: ({ otherSession }) => `/api/sessions/${otherSession}`, expect: own(204), changes: true },
  ],

  'GET /api/me': [{ expect: users(200) }],
  'PATCH /api/me': [{ body: () => ({ locale: 'en' }), expect: users(200) }],
  'PUT /api/me/password': [
    {
      body: (who) => ({ currentPassword: who?.password ?? 'x', newPassword: 'a new long password' }),
      expect: users(204),
      changes: true,
    },
  ],
  'DELETE /api/me': [{ body: (who) => ({ password: who?.password ?? 'x' }), expect: users(202), changes: true }],
  'GET /api/me/wallet': [{ expect: users(200) }],
  'GET /api/.well-known/jwks.json': [{ expect: all(200) }],

  'GET /api/friends': [{ expect: users(200) }],
  'PUT /api/friends/{userId}': [
    { path: ({ friend }) => `/api/friends/${friend.id}`, expect: users(204) },
    { what: 'nobody', path: () => `/api/friends/${randomUUID()}`, expect: users(404) },
  ],
  'DELETE /api/friends/{userId}': [
    { path: ({ friend }) => `/api/friends/${friend.id}`, expect: users(204), changes: true },
  ],
  'GET /api/blocks': [{ expect: users(200) }],
  'PUT /api/blocks/{userId}': [{ path: ({ friend }) => `/api/blocks/${friend.id}`, expect: users(204), changes: true }],
  'DELETE /api/blocks/{userId}': [{ path: ({ friend }) => `/api/blocks/${friend.id}`, expect: users(204) }],
  'GET /api/rooms': [{ expect: users(200) }],
  'POST /api/rooms': [{ body: (_, { friend }) => ({ type: 'direct', userId: friend.id }), expect: users(201) }],
  'GET /api/rooms/{id}': [{ path: ({ room }) => `/api/rooms/${room}`, expect: own(200) }],
  'PATCH /api/rooms/{id}/me': [
    { path: ({ room }) => `/api/rooms/${room}/me`, body: () => ({ muted: true }), expect: own(200) },
  ],
  'POST /api/rooms/{id}/members': [
    {
      path: ({ room }) => `/api/rooms/${room}/members`,
      body: (_, { friend }) => ({ userIds: [friend.id] }),
      expect: own(200),
    },
  ],
  'DELETE /api/rooms/{id}/members/me': [
    { path: ({ room }) => `/api/rooms/${room}/members/me`, expect: own(204), changes: true },
  ],
  'GET /api/rooms/{id}/messages': [{ path: ({ room }) => `/api/rooms/${room}/messages`, expect: own(200) }],
  'POST /api/rooms/{id}/messages': [
    {
      path: ({ room }) => `/api/rooms/${room}/messages`,
      body: () => ({ clientMessageId: randomUUID(), text: 'x' }),
      expect: own(201),
    },
  ],
  'DELETE /api/rooms/{id}/messages/{seq}': [{ path: ({ room }) => `/api/rooms/${room}/messages/1`, expect: own(204) }],
  'PUT /api/rooms/{id}/read': [
    { path: ({ room }) => `/api/rooms/${room}/read`, body: () => ({ seq: 1 }), expect: own(204) },
  ],
  'POST /api/rooms/{id}/typing': [{ path: ({ room }) => `/api/rooms/${room}/typing`, expect: own(202) }],

  'GET /api/sagas/{type}/{id}': [...sagas(''), ...postDeletions('')],
  'GET /api/sagas/{type}/{id}/events': [...sagas('/events'), ...postDeletions('/events')],

  'GET /api/notifications': [
    { expect: users(200) },
    { what: 'a query that is not valid', path: () => '/api/notifications?limit=0', expect: users(400) },
  ],
  'GET /api/notifications/summary': [{ expect: users(200) }],
  'PUT /api/notifications/{id}/read': [
    { path: ({ notification }) => `/api/notifications/${notification}/read`, expect: own(204) },
  ],
  'PUT /api/notifications/read': [{ body: (_, { notification }) => ({ upTo: notification }), expect: own(204) }],
  'DELETE /api/notifications/{id}': [
    { path: ({ notification }) => `/api/notifications/${notification}`, expect: own(204), changes: true },
  ],
  'GET /api/presence': [
    { path: ({ owner }) => `/api/presence?userIds=${owner.id}`, expect: users(200) },
    { what: 'a query that is not valid', path: () => '/api/presence?userIds=x', expect: users(400) },
  ],
  'GET /api/stream': [
    { expect: users(200), endless: true },
    { what: 'an id that is not valid', path: () => '/api/stream?lastEventId=x', expect: users(400) },
  ],
  // Before what is no image is looked at.
  'POST /api/images': [{ expect: users(415) }],
  'GET /api/images/{id}': [{ path: () => `/api/images/${randomUUID()}`, expect: all(404) }],
  'POST /api/posts': [{ body: () => ({ title: 'Monstera', content: 'A plant.', price: 0 }), expect: users(201) }],
  'GET /api/posts': [
    { expect: all(200) },
    { what: 'a query that is not valid', path: () => '/api/posts?sort=x', expect: all(400) },
  ],
  'GET /api/posts/{id}': [
    { path: ({ postId }) => `/api/posts/${postId}`, expect: all(200) },
    { what: 'one that is not there', path: () => `/api/posts/${randomUUID()}`, expect: all(404) },
  ],
  'PATCH /api/posts/{id}': [
    { path: ({ postId }) => `/api/posts/${postId}`, body: () => ({ price: 1 }), expect: sellers(200) },
    { what: 'one that is not there', path: () => `/api/posts/${randomUUID()}`, body: () => ({}), expect: users(404) },
  ],
  'PUT /api/posts/{id}/status': [
    { path: ({ postId }) => `/api/posts/${postId}/status`, body: () => ({ status: 'open' }), expect: sellers(200) },
    {
      what: 'one that is not there',
      path: () => `/api/posts/${randomUUID()}/status`,
      body: () => ({ status: 'sold' }),
      expect: users(404),
    },
  ],
  'DELETE /api/posts/{id}': [
    {
      what: 'an admin may, too, and then it is gone',
      path: ({ postId }) => `/api/posts/${postId}`,
      expect: { nobody: 401, stranger: 403, admin: 202, deleted: 401, owner: 404 },
      changes: true,
    },
  ],
  'PUT /api/posts/{id}/wish': [{ path: ({ postId }) => `/api/posts/${postId}/wish`, expect: users(204) }],
  'DELETE /api/posts/{id}/wish': [{ path: ({ postId }) => `/api/posts/${postId}/wish`, expect: users(204) }],
  'GET /api/me/wishes': [{ expect: users(200) }],
  'GET /api/me/keywords': [{ expect: users(200) }],
  'PUT /api/me/keywords/{keyword}': [{ path: () => '/api/me/keywords/monstera', expect: users(204) }],
  'DELETE /api/me/keywords/{keyword}': [{ path: () => '/api/me/keywords/monstera', expect: users(204) }],

  'GET /api/admin/sagas': [
    { expect: admins(200) },
    { what: 'a query that is not valid', path: () => '/api/admin/sagas?limit=0', expect: admins(400) },
  ],
  'GET /api/admin/sagas/{type}/{id}': [
    { path: ({ owner }) => `/api/admin/sagas/sign-up/${owner.sagaId}`, expect: admins(200) },
    { what: 'one that is not there', path: () => `/api/admin/sagas/sign-up/${randomUUID()}`, expect: admins(404) },
  ],
  'GET /api/admin/parked': [
    { expect: admins(200) },
    { what: 'a query that is not valid', path: () => '/api/admin/parked?limit=101', expect: admins(400) },
  ],
  'POST /api/admin/parked/{service}/{key}/redrive': [
    { path: () => '/api/admin/parked/chat/x/redrive', expect: admins(404) },
  ],
  'POST /api/admin/parked/{service}/{key}/discard': [
    { path: () => '/api/admin/parked/chat/x/discard', body: () => ({ reason: 'x' }), expect: admins(404) },
    { what: 'without a reason', path: () => '/api/admin/parked/chat/x/discard', body: () => ({}), expect: admins(400) },
  ],
  'GET /api/admin/lag': [
    { expect: admins(200) },
    { what: 'a query that is not valid', path: () => '/api/admin/lag?cursor=x', expect: admins(400) },
  ],

  'GET /api/health/live': [{ expect: all(200) }],
  'GET /api/health/ready': [{ expect: all(200) }],
  'GET /api/openapi.json': [{ expect: all(200) }],
  'GET /api/docs': [{ expect: all(200) }],
}

async function assemble(): Promise<Cast> {
  const [stranger, owner, boss, deleted, friend] = await Promise.all([
    person(system.url),
    person(system.url),
    person(system.url),
    person(system.url),
    person(system.url),
  ])
  await databases.user.query(`update users.account set role = 'admin' where id = $1`, [boss.id])
  const token = await logIn(system.url, boss)
  const { body } = await owner.client.get<{ items: { id: string }[] }>('/api/sessions')
  const otherSession = body.items[0]!.id
  const ownerToken = await logIn(system.url, owner)
  await owner.client.put(`/api/friends/${friend.id}`)
  const opened = await owner.client.post<{ id: string }>('/api/rooms', {
    type: 'group',
    name: 'x',
    userIds: [friend.id],
  })
  const postings = [
    { account: walletAccount(owner.id), amount: 1 },
    { account: 'house:cash', amount: -1 },
  ]
  await transaction(databases.customer, (tx) => post(tx, 'test', postings))
  const notification = randomUUIDv7()
  await databases.notification.query(
    `insert into notification.notification (user_id, id, type, data, url, created_at) values ($1, $2, 'friend_added', '{}', '/friends', now())`,
    [owner.id, notification],
  )
  const [refusedDeletion, completedDeletion] = await Promise.all(
    [owner, deleted].map(async ({ client, password }) => {
      const { headers } = await client.delete('/api/me', { password })
      await sagaEnded(client, headers.location!)
      return headers.location!
    }),
  )
  // The market hears of it a moment later.
  await until('a market without the one who is gone', async () => {
    const { status } = await deleted.client.get('/api/me/wishes')
    return status === 401
  })
  const [offered, unwanted] = await Promise.all([offer(owner), offer(owner)])
  const { headers: ofPost } = await owner.client.delete(`/api/posts/${unwanted.id}`)
  return {
    stranger,
    owner: { ...owner, token: ownerToken },
    admin: { ...boss, token },
    deleted,
    refusedDeletion: refusedDeletion!,
    completedDeletion: completedDeletion!,
    postId: offered.id,
    postDeletion: ofPost.location!,
    otherSession,
    notification,
    friend,
    room: opened.body.id,
  }
}

const cast = await assemble()

test('every operation of the contract has a row, and every row an operation', async () => {
  const { body } = await anybody.get<{ paths: Record<string, object> }>('/api/openapi.json')
  const operations = Object.entries(body.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  assert.deepEqual(Object.keys(OPERATIONS).toSorted(), operations.toSorted())
})

for (const [operation, cases] of Object.entries(OPERATIONS)) {
  const [method = '', template = ''] = operation.split(' ')
  for (const { what, path, body, expect, changes, endless } of cases)
    test(`${operation}${what === undefined ? '' : `: ${what}`}`, async () => {
      const people = changes ? await assemble() : cast
      const ask = async (who: Person | undefined, token = who?.token): Promise<string> => {
        const client = new Client(system.url, { token })
        const asking = { body: body?.(who, people) }
        const to = path?.(people) ?? template
        const answer = await (endless ? client.stream(to, { method, ...asking }) : client.request(method, to, asking))
        if (answer instanceof EventStream) answer.close()
        if (answer.status >= 400) assert.match(answer.headers['content-type']!, /^application\/problem\+json/)
        return String(answer.status)
      }
      const got: Record<string, string> = {}
      // The owner comes last: what is theirs may be gone then.
      for (const role of ROLES) got[role] = await ask(role === 'nobody' ? undefined : people[role])
      assert.deepEqual(got, Object.fromEntries(ROLES.map((role) => [role, String(expect[role])])))
      if (expect.nobody !== 202)
        assert.equal(
          await ask(undefined, `${people.admin.token.slice(0, -8)}AAAAAAAA`),
          String(expect.nobody),
          'a token that is not ours is none',
        )
    })
}
