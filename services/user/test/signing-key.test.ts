import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createVerifier } from '@pando/service'
import { loadSigningKey } from '../src/signing-key.ts'

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'pando-test-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return join(path, 'data')
}
const identity = { userId: 'u1', role: 'user', sessionId: 's1' } as const
const FILE = 'signing-key.pem'

test('the first start makes the key, readable by nobody else; later ones find it', async (t) => {
  const dataDir = await folder(t)
  const first = await loadSigningKey({ dataDir })
  assert.deepEqual(await readdir(dataDir), [FILE])
  assert.equal((await stat(join(dataDir, FILE))).mode & 0o777, 0o600)
  const again = await loadSigningKey({ dataDir })
  assert.deepEqual([again.jwks, again.secret], [first.jwks, first.secret])
  const [key] = first.jwks.keys
  assert.deepEqual(
    [first.jwks.keys.length, key!.kty, key!.crv, key!.alg, key!.use],
    [1, 'OKP', 'Ed25519', 'EdDSA', 'sig'],
  )
  assert.ok(!('d' in key!), 'only the public half is shown')
  assert.match(first.secret, /^[0-9a-f]{64}$/)
})

test('a token is for 15 minutes, and says who and in which role', async (t) => {
  const key = await loadSigningKey({ dataDir: await folder(t) })
  const from = Date.now()
  const { token, expiresAt } = await key.sign({ ...identity, role: 'admin' })
  assert.deepEqual(await createVerifier({ keys: key.jwks }).verify(token), {
    userId: 'u1',
    role: 'admin',
    sessionId: 's1',
    expiresAt,
  })
  assert.ok(expiresAt.getTime() > from + 898_000 && expiresAt.getTime() <= Date.now() + 900_000)
  const later = (ms: number) => createVerifier({ keys: key.jwks, now: () => Date.now() + ms })
  assert.ok(await later(14 * 60_000).verify(token))
  assert.equal(await later(16 * 60_000).verify(token), undefined)
})

test('many that start at once in one process end with one key and leave no draft', async (t) => {
  const dataDir = await folder(t)
  const keys = await Promise.all(Array.from({ length: 8 }, () => loadSigningKey({ dataDir })))
  assert.equal(new Set(keys.map(({ secret }) => secret)).size, 1)
  assert.deepEqual(await readdir(dataDir), [FILE])
})

test('so do several processes', async (t) => {
  const dataDir = await folder(t)
  const script = `import { loadSigningKey } from ${JSON.stringify(import.meta.resolve('../src/signing-key.ts'))}
    // All wait for the same moment.
    await new Promise((resolve) => process.stdin.once('data', resolve))
    const { jwks } = await loadSigningKey({ dataDir: process.argv[1] })
    console.log(jwks.keys[0].kid)
    process.exit()`
  const children = Array.from({ length: 3 }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', `console.log('up');${script}`, dataDir], {
      stdio: ['pipe', 'pipe', 'inherit'],
    }),
  )
  const said = children.map(() => '')
  children.forEach((child, i) => child.stdout.on('data', (text: Buffer) => (said[i] += text.toString())))
  await Promise.all(children.map((child) => once(child.stdout, 'data')))
  for (const child of children) child.stdin.write('go\n')
  const codes = await Promise.all(children.map(async (child) => (await once(child, 'close'))[0] as number))
  assert.deepEqual(codes, [0, 0, 0])
  assert.equal(new Set(said).size, 1)
  assert.match(said[0]!, /^up\n[\w-]{43}\n$/)
  assert.deepEqual(await readdir(dataDir), [FILE])
})

test('after a rotation new tokens are of the new key, and those of the previous one stay good', async (t) => {
  const dataDir = await folder(t)
  const before = await loadSigningKey({ dataDir })
  const old = await before.sign(identity)
  await rename(join(dataDir, FILE), join(dataDir, 'signing-key.previous.pem'))
  const after = await loadSigningKey({ dataDir })
  assert.deepEqual(after.jwks.keys.map(({ kid }) => kid).slice(1), [before.jwks.keys[0]!.kid])
  assert.notEqual(after.jwks.keys[0]!.kid, before.jwks.keys[0]!.kid)
  const verifier = createVerifier({ keys: after.jwks })
  const fresh = await after.sign(identity)
  assert.equal((await verifier.verify(old.token))?.userId, 'u1')
  assert.equal((await verifier.verify(fresh.token))?.userId, 'u1')
  assert.equal(await createVerifier({ keys: before.jwks }).verify(fresh.token), undefined)
  await rm(join(dataDir, 'signing-key.previous.pem'))
  assert.equal(await createVerifier({ keys: (await loadSigningKey({ dataDir })).jwks }).verify(old.token), undefined)
})

test('a key that is given is the only one, and nothing is written', async (t) => {
  const source = await folder(t)
  const { jwks } = await loadSigningKey({ dataDir: source })
  const pem = await readFile(join(source, FILE), 'utf8')
  const dataDir = await folder(t)
  assert.deepEqual((await loadSigningKey({ pem, dataDir })).jwks, jwks)
  await assert.rejects(readdir(dataDir), { code: 'ENOENT' })
})

test('a file that is no key is an error, not a new key', async (t) => {
  const dataDir = await folder(t)
  await loadSigningKey({ dataDir })
  await writeFile(join(dataDir, FILE), 'not a key')
  await assert.rejects(loadSigningKey({ dataDir }))
  assert.equal(await readFile(join(dataDir, FILE), 'utf8'), 'not a key')
})
