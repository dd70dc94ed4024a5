// Starts that cannot be: each ends with exit code 1 and one sentence that names the variable or the folder.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { postmasterOf } from '../support/embedded.ts'
import { CHEAP, launch, type Pando, scratch } from '../support/process.ts'

const home = scratch()
// A busy machine may take ten times as long as an idle one.
const timeout = 180_000

/** Waits for the end and returns the sentence, which must be all it said but for lines of the log. */
async function refusal(pando: Pando, ms = 60_000): Promise<string> {
  assert.deepEqual(await pando.ended(ms), { code: 1, signal: null }, pando.stderr)
  assert.equal(pando.stdout, '')
  const lines = pando.stderr.trimEnd().split('\n')
  const said = lines.filter((line) => !line.startsWith('{'))
  assert.equal(said.length, 1, `one line, not: ${pando.stderr}`)
  assert.equal(lines.at(-1), said[0], 'the last word')
  assert.match(said[0]!, /^Pando cannot start: \S.*\.$/)
  assert.equal(postmasterOf(pando.dataDir), undefined, 'no PostgreSQL is left')
  return said[0]!
}

// Of each kind one; that every variable is judged is shown by packages/service/test/config.test.ts.
const WRONG: [name: string, value: string, also?: Record<string, string>][] = [
  ['PORT', '70000'],
  ['HOST', 'http://127.0.0.1'],
  ['DATABASE_URL', 'mysql://127.0.0.1/pando'],
  ['KAFKA_BROKERS', 'broker'],
  ['CHAT_URL', 'chat'],
  ['SIGNING_KEY', 'not a key'],
  ['ADMIN_PASSWORD', 'short', { ADMIN_USERNAME: 'root.admin' }],
  ['ADMIN_PASSWORD', 'long-enough-password'],
  ['S3_BUCKET', 'pando-images'],
]

test('a variable that is not legal', { concurrency: 2, timeout }, async (t) => {
  const cases = WRONG.map(([name, value, also], i) =>
    t.test(`${name}=${value}`, async (t) => {
      const dataDir = join(home, `wrong-${i}`)
      const pando = launch(t, { dataDir, env: { ...also, [name]: value } })
      assert.match(await refusal(pando), new RegExp(`^Pando cannot start: ${name}\\b`))
      assert.equal(pando.stderr.includes('{'), false, 'nothing else is said')
      assert.equal(existsSync(dataDir), false, 'nothing is made')
    }),
  )
  await Promise.all(cases)
})

test('npm start passes the exit code on', { timeout }, async (t) => {
  assert.match(await refusal(launch(t, { dataDir: join(home, 'npm'), env: { PORT: 'abc' }, as: 'npm' })), /PORT="abc"/)
})

test('a DATA_DIR that is a file', { timeout }, async (t) => {
  const dataDir = join(home, 'file')
  writeFileSync(dataDir, '')
  assert.ok((await refusal(launch(t, { dataDir }))).includes(`DATA_DIR=${dataDir} cannot be made`))
})

test('a DATA_DIR behind a folder that is closed to others', { timeout }, async (t) => {
  const closed = join(home, 'closed')
  mkdirSync(closed)
  chmodSync(closed, 0o700)
  const pando = launch(t, { dataDir: join(closed, 'data') })
  if (process.getuid?.() === 0) assert.ok((await refusal(pando)).includes(`${closed} is closed to the user`))
  // Otherwise PostgreSQL runs as the same user, who may walk through.
  else await pando.ready()
})

test('a PORT that is taken; a METRICS_PORT that is taken is only a warning', { timeout }, async (t) => {
  const port = await takenPort(t)
  const dataDir = join(home, 'taken')
  const sentence = await refusal(launch(t, { dataDir, env: { ...CHEAP, PORT: port } }))
  assert.match(sentence, new RegExp(`: PORT=${port} is taken on 127\\.0\\.0\\.1: `))

  const pando = launch(t, { dataDir, env: { ...CHEAP, METRICS_PORT: port } })
  await pando.ready()
  assert.match(pando.stderr, new RegExp(`"msg":"METRICS_PORT=${port} cannot be listened on`))
})

test('a DATABASE_URL where nobody answers, or that is refused', { timeout }, async (t) => {
  const dataDir = join(home, 'elsewhere')
  const port = await takenPort(t)
  const [away, silent, refused] = await Promise.all(
    [`127.0.0.1:1`, `127.0.0.1:${port}`, new URL(process.env.TEST_DATABASE_URL!).host].map((host) =>
      refusal(launch(t, { dataDir, env: { DATABASE_URL: `postgres://nobody-has-this-name:secret@${host}/postgres` } })),
    ),
  )
  assert.match(away!, /: PostgreSQL at 127\.0\.0\.1:1 does not answer \(.+\): start it or correct DATABASE_URL\.$/)
  assert.match(silent!, new RegExp(`: PostgreSQL at 127\\.0\\.0\\.1:${port} does not answer .*DATABASE_URL\\.$`))
  assert.match(refused!, /: PostgreSQL at \S+ refuses the connection \(.+\): correct DATABASE_URL\.$/)
  assert.equal([away, silent, refused].join().includes('secret'), false)
})

/** Somebody listens there, and never says a word. */
async function takenPort(t: TestContext): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => void server.close())
  return String((server.address() as AddressInfo).port)
}
