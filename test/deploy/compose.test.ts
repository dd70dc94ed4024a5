// The container image and compose.yaml: no container engine runs here, so what they say is compared with what it speaks of.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import test from 'node:test'
import { parse } from 'yaml'
import { all, assertEnvironment, assertHealthPath, names, portOf, read } from './environment.ts'

interface Container {
  command?: string[]
  environment?: Record<string, string | number>
  deploy?: { replicas: number }
  depends_on?: Record<string, { condition: string }>
  healthcheck?: { test: string[] }
  stop_grace_period?: string
  secrets?: { source: string; target: string }[]
  ports?: string[]
}
const compose = parse(read('compose.yaml'), { merge: true }) as {
  services: Record<string, Container>
  secrets: Record<string, { file: string }>
}
const dockerfile = read('Dockerfile')
const nginx = read('deploy/nginx.conf')
const drainSeconds = Number(/DRAIN_MS = (\d+)/.exec(read('packages/service/src/lifecycle.ts'))?.[1]) / 1000

// A variable of whoever runs compose: with a default after `:-`, or one that must be there.
const FROM_OUTSIDE = /\$\{\w+(?::-([^}]*)|:\?[^}]*)\}/

for (const name of all)
  test(`${name} runs twice, and is told what it needs`, () => {
    const { command, environment = {}, deploy, stop_grace_period: grace = '' } = compose.services[name]!
    assert.deepEqual(command, [name])
    assert.equal(deploy?.replicas, 2)
    assert.ok(parseInt(grace, 10) > drainSeconds, 'time to drain')
    const open: Record<string, string> = {}
    const hidden: string[] = []
    for (const [variable, value] of Object.entries(environment)) {
      const [reference, byDefault] = FROM_OUTSIDE.exec(String(value)) ?? []
      if (reference === undefined) open[variable] = String(value)
      else if (byDefault) open[variable] = String(value).replace(reference, byDefault)
      else hidden.push(variable)
    }
    const { KAFKA_BROKERS: brokers, ...rest } = open
    assertEnvironment(name, rest, [...hidden, 'KAFKA_BROKERS'])
    if (name === 'gateway') return assert.equal(brokers, undefined)
    assert.ok(hidden.includes('DATABASE_URL'))
    assert.equal(`PLAINTEXT://${brokers}`, compose.services.kafka?.environment?.KAFKA_ADVERTISED_LISTENERS)
  })

test('what something waits for can become healthy', () => {
  for (const { depends_on: needs = {} } of Object.values(compose.services))
    for (const [name, { condition }] of Object.entries(needs)) {
      assert.equal(condition, 'service_healthy')
      const container = compose.services[name]
      assert.ok(container && (container.healthcheck || container.command?.[0] === name), name)
    }
  assert.deepEqual(Object.keys(compose.services.gateway?.depends_on ?? {}).toSorted(), names.toSorted())
})

test('the signing key comes from a file that is not in the repository', () => {
  const { secrets: [secret] = [], environment } = compose.services.user!
  assert.equal(`${environment?.DATA_DIR}/${secret?.target}`, '/run/secrets/signing-key.pem')
  const { file } = compose.secrets[secret!.source]!
  assert.ok(
    read('.gitignore')
      .split('\n')
      .includes(`${file.slice(0, file.lastIndexOf('/'))}/`),
  )
  assert.ok(read('.gitignore').split('\n').includes('.env'))
})

test('the paths that are asked for health exist', async () => {
  const paths = [dockerfile, JSON.stringify(compose)].flatMap((text) => text.match(/\/api\/health\/\w+/g) ?? [])
  assert.equal(paths.length, 2)
  for (const path of paths) await assertHealthPath(path)
})

test('nginx speaks to the gateways, holds nothing back, and listens where compose.yaml says', () => {
  assert.ok(nginx.includes(`set $gateway http://gateway:${portOf('gateway')};`))
  assert.match(nginx, /^ +proxy_buffering off;$/m)
  const listen = /^ +listen (\d+);$/m.exec(nginx)?.[1]
  assert.deepEqual(compose.services.nginx?.ports, [`127.0.0.1:8080:${listen}`])
})

test('the image runs files that it has, as a user that is known by a number', () => {
  const [, entry = ''] = /^ENTRYPOINT \["node", "(.*)"\]$/m.exec(dockerfile) ?? []
  assert.match(dockerfile, /^USER [1-9]\d*$/m)
  const kept = [...read('.dockerignore').matchAll(/^!(.*)$/gm)].map(([, file = '']) => file)
  assert.ok(kept.includes(entry))
  for (const file of kept) assert.ok(existsSync(file), `${file} of .dockerignore`)
})
