import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createApp, createLog, healthRoutes, loadConfig } from '@pando/service'
import { SERVICES, type ServiceName } from '../../system.ts'

const GATEWAY_PORT = 8080
const SECRET = /PASSWORD|SECRET|KEY|TOKEN|DATABASE_URL/

export const read = (file: string): string => readFileSync(join(import.meta.dirname, '..', '..', file), 'utf8')

export const names = Object.keys(SERVICES) as ServiceName[]
export const all = [...names, 'gateway'] as const
export const portOf = (name: string): number => (name in SERVICES ? SERVICES[name as ServiceName].port : GATEWAY_PORT)

/** What a process of this name is told in the open is known and legal, is no secret, and leads it to all that it needs. */
export function assertEnvironment(
  name: string,
  env: Readonly<Record<string, string>>,
  hidden: readonly string[],
): void {
  const known = new Set<string>()
  loadConfig(new Proxy({}, { get: (_, variable) => void known.add(String(variable)) }))
  const unknown = [...Object.keys(env), ...hidden].filter((variable) => !known.has(variable))
  assert.deepEqual(unknown, [], `variables of ${name} that config.ts does not read`)
  assert.deepEqual(
    Object.keys(env).filter((variable) => SECRET.test(variable)),
    [],
    `secrets of ${name} in the open`,
  )
  const { port, serviceUrls } = loadConfig(env)
  assert.equal(port, portOf(name), `PORT of ${name}`)
  for (const service of name === 'gateway' ? names : (['user'] as const))
    assert.equal(serviceUrls[service], `http://${service}:${portOf(service)}`, `the ${service} service of ${name}`)
}

/** Asked for their health there, processes answer. */
export async function assertHealthPath(path: string): Promise<void> {
  const app = await createApp({
    log: createLog({ level: 'silent', name: 'test' }),
    info: { title: '', version: '', description: '' },
  })
  await app.register(healthRoutes, { checks: [], isDraining: () => false })
  assert.equal((await app.inject(path)).statusCode, 200, path)
}
