// One service in a process of its own: `npm run service -- user`. DATABASE_URL leads to the PostgreSQL that all of them share.
import { proxy, remoteAdmin, web } from '@pando/gateway'
import {
  type Config,
  ConfigError,
  createHost,
  createLog,
  createVerifier,
  loadConfig,
  type Logger,
  Problem,
  run,
  type Running,
  StartError,
} from '@pando/service'
import { keysUrl, SERVICE_NAMES, startServices } from '../pando.ts'
import { SERVICES, type ServiceName } from '../system.ts'

const name = process.argv[2] ?? ''

// Whoever started this process with a channel to it (`npm run cluster`) is gone, even if by SIGKILL: nobody would ever stop it.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))

await run(`Pando ${name}`, async (signal) => {
  const config = loadConfig(process.env)
  const log = createLog({ level: config.logLevel, name: `pando-${name}` })
  if (name === 'gateway') return startGateway(config, log)
  const service = SERVICE_NAMES.find((known) => known === name)
  if (!service)
    throw new StartError(
      'PANDO_CONFIG',
      `there is no service "${name}": say npm run service -- ${[...SERVICE_NAMES, 'gateway'].join(' | ')}.`,
    )
  return startServices([service], { config, log, signal })
})

async function startGateway(config: Config, log: Logger): Promise<Running> {
  const urlOf = (service: ServiceName): string => {
    const url = config.serviceUrls[service]
    if (url === undefined)
      throw new ConfigError(
        `${service.toUpperCase()}_URL is not set: the gateway needs the address of the ${service} service, say http://127.0.0.1:${SERVICES[service].port}.`,
      )
    return url
  }
  const upstreams = SERVICE_NAMES.map((service) => ({ service, url: urlOf(service), paths: SERVICES[service].paths }))
  const host = await createHost({
    config,
    log,
    name: 'pando-gateway',
    documents: () => Promise.all(upstreams.map(({ url }) => documentOf(url))),
  })
  const verifier = createVerifier({ keys: keysUrl(config) })
  return host.start({
    services: [],
    verifier,
    plugins: [web, (app) => proxy(app, { upstreams, verifier, origins: host.origins })],
    admin: (accessToken) => upstreams.map(({ service, url }) => remoteAdmin(service, url, accessToken)),
    checks: upstreams.map(({ service, url }) => ({ name: service, check: () => answers(url) })),
    resources: [],
  })
}

async function answers(url: string): Promise<void> {
  const { status } = await fetch(new URL('/api/health/live', url), { signal: AbortSignal.timeout(900) })
  if (status !== 200) throw new Error(`${url} answers ${status}`)
}

async function documentOf(url: string): Promise<object> {
  try {
    const response = await fetch(new URL('/api/openapi.json', url), { signal: AbortSignal.timeout(3_000) })
    return (await response.json()) as object
  } catch (cause) {
    throw new Problem('unavailable', { detail: 'A service does not tell its part of the contract; try again.', cause })
  }
}
