// What fills a Pando to try it with, as a process of its own: what it makes, and that it makes nothing twice.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { NotificationView, RoomView } from '@pando/events/views'
import { Client } from '../support/client.ts'
import { logIn } from '../support/people.ts'
import { allOf, type Post } from '../support/posts.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'

const system = await startSystem({ after })

const USERS = 6
const POSTS = 12
const small = ['--users', String(USERS), '--posts', String(POSTS)]

function demo(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const file = join(import.meta.dirname, '../../tools/demo.ts')
  const options = { env: { PATH: process.env.PATH, PANDO_URL: system.url } }
  return new Promise((resolve) => {
    execFile(process.execPath, [file, ...args], options, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    )
  })
}

const TABLES = {
  user: ['users.account'],
  chat: ['chat.member', 'chat.friend', 'chat.room', 'chat.room_member', 'chat.message'],
  market: ['market.post', 'market.image', 'market.wish', 'market.post_view', 'market.keyword'],
} as const

/** How many rows there are of everything that the demo makes. */
async function counts(): Promise<Record<string, number>> {
  const found: Record<string, number> = {}
  for (const [name, tables] of Object.entries(TABLES))
    for (const table of tables) {
      const [row] = await system.databases[name as keyof typeof TABLES].query<{ n: number }>(
        `select count(*) as n from ${table}`,
      )
      found[table] = row!.n
    }
  return found
}

const linesOf = (stdout: string): string[] => stdout.split('\n').filter((line) => line.includes(' there already'))

test('the first run makes people, posts and talks; the second finds all of it and adds nothing', async () => {
  const first = await demo(...small)
  assert.deepEqual([first.code, first.stderr], [0, ''], first.stdout)
  for (const line of linesOf(first.stdout)) assert.match(line, /^[a-z ]+: [1-9]\d* new, 0 there already$/)
  assert.match(first.stdout, /^people: 6 new/m)
  assert.match(first.stdout, /^posts: 12 new/m)

  const [, password] = /with the password (\S+) as\n/.exec(first.stdout) ?? []
  const names = [...first.stdout.matchAll(/^ {2}(\S+) \(.+\)$/gm)].map(([, name]) => name!)
  assert.equal(names.length, 3)
  const clients = await Promise.all(
    names.map(
      async (username) => new Client(system.url, { token: await logIn(system.url, { username, password: password! }) }),
    ),
  )
  const posts = await allOf<Post>(clients[0]!, '/api/posts')
  assert.equal(posts.length, POSTS)
  assert.ok(posts.every(({ images }) => images.length > 0))
  assert.ok(posts.some(({ price }) => price === 0))
  for (const status of ['open', 'reserved', 'sold'])
    assert.ok(
      posts.some((post) => post.status === status),
      status,
    )
  assert.ok(posts.some(({ wishes, views }) => wishes > 0 && views > 0))
  const rooms = (await Promise.all(clients.map((client) => allOf<RoomView>(client, '/api/rooms')))).flat()
  for (const type of ['direct', 'group', 'trade'])
    assert.ok(
      rooms.some((room) => room.type === type),
      type,
    )
  assert.ok(rooms.some(({ unread }) => unread > 0) && rooms.some(({ unread, lastSeq }) => lastSeq > 0 && unread === 0))
  const told = await Promise.all(clients.map((client) => allOf<NotificationView>(client, '/api/notifications')))
  assert.ok(told.flat().some(({ type }) => type === 'room_opened'))

  await until('the rooms say what has become of their posts', async () => {
    const closed = posts.filter(({ status }) => status !== 'open').map(({ id }) => id)
    const [row] = await system.databases.chat.query<{ said: number; rooms: number }>(
      `select (select count(*) from chat.message m join chat.room r on r.id = m.room_id
               where r.post_id = any($1::uuid[]) and m.kind = 'system') as said,
              (select count(*) from chat.room where post_id = any($1::uuid[])) as rooms`,
      [closed],
    )
    return row!.rooms > 0 && row!.said === row!.rooms
  })
  const settled = await counts()
  assert.equal(settled['users.account'], USERS)
  const second = await demo(...small)
  assert.deepEqual([second.code, second.stderr], [0, ''], second.stdout)
  assert.equal(linesOf(second.stdout).length, linesOf(first.stdout).length)
  for (const line of linesOf(second.stdout)) assert.match(line, /: 0 new, [1-9]\d* there already$/)
  assert.deepEqual(await counts(), settled)
})

test('who calls it wrongly is told how, with exit code 2; what fails is named, with exit code 1', async () => {
  const misused = await demo('--users', '2')
  assert.deepEqual([misused.code, misused.stdout], [2, ''])
  assert.equal(misused.stderr, '--users must be a whole number from 3 to 30, not "2". See npm run demo -- --help\n')
  assert.equal((await demo('--odd')).code, 2)
  const help = await demo('--help')
  assert.deepEqual([help.code, help.stderr], [0, ''])
  assert.match(help.stdout, /^Usage: npm run demo -- \[options\]\n/)

  const away = await demo('--url', 'http://127.0.0.1:1')
  assert.deepEqual([away.code, away.stderr], [1, 'POST /api/users: Pando does not answer at http://127.0.0.1:1.\n'])
  const other = await demo('--url', system.metricsUrl!)
  assert.deepEqual([other.code, other.stdout], [1, ''])
  assert.match(other.stderr, /^POST \/api\/users: what answers at http:\S+ is no Pando \(\d+\)\.\n$/)
})
