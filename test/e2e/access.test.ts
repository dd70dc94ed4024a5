// Who may do what: every operation of the contract, tried by everybody. A new operation without a row here fails.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import { transaction } from '@pando/saga'
import { post, walletAccount } from '../../services/customer/src/ledger.ts'
import { Client } from '../support/client.ts'
import { logIn, newcomer, person, type Person, sagaEnded } from '../support/people.ts'
import { startSystem } from '../support/system.ts'

const system = await startSystem({ after })
const { databases } = system
const anybody = new Client(system.url)

/** Everybody who may come: without a token, somebody else, whose things they are, an admin, and who has deleted their account. */
interface Cast {
  stranger: Person
  owner: Person
  admin: Person
  deleted: Person
  /** Of the owner: a deletion that was refused, and a session that is not the one of the token. */
  refusedDeletion: string
  otherSession: string
  /** Of the one who is gone. */
  completedDeletion: string
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

  'GET /api/sagas/{type}/{id}': sagas(''),
  'GET /api/sagas/{type}/{id}/events': sagas('/events'),

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
  const [stranger, owner, boss, deleted] = await Promise.all([
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
  const postings = [
    { account: walletAccount(owner.id), amount: 1 },
    { account: 'house:cash', amount: -1 },
  ]
  await transaction(databases.customer, (tx) => post(tx, 'test', postings))
  const [refusedDeletion, completedDeletion] = await Promise.all(
    [owner, deleted].map(async ({ client, password }) => {
      const { headers } = await client.delete('/api/me', { password })
      await sagaEnded(client, headers.location!)
      return headers.location!
    }),
  )
  return {
    stranger,
    owner: { ...owner, token: ownerToken },
    admin: { ...boss, token },
    deleted,
    refusedDeletion: refusedDeletion!,
    completedDeletion: completedDeletion!,
    otherSession,
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
  for (const { what, path, body, expect, changes } of cases)
    test(`${operation}${what === undefined ? '' : `: ${what}`}`, async () => {
      const people = changes ? await assemble() : cast
      const ask = async (who: Person | undefined, token = who?.token): Promise<string> => {
        const client = new Client(system.url, { token })
        const answer = await client.request(method, path?.(people) ?? template, { body: body?.(who, people) })
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
