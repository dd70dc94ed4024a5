// One service in a process of its own: `npm run service -- user`. DATABASE_URL leads to the PostgreSQL that all of them share.
import { createChatService } from '@pando/chat'
import { createCustomerService } from '@pando/customer'
import { page, proxy, remoteAdmin } from '@pando/gateway'
import { createPostgresTransport } from '@pando/saga'
import {
  type Config,
  ConfigError,
  createHost,
  createLog,
  createVerifier,
  loadConfig,
  localAdmin,
  type Logger,
  openDatabase,
  run,
  type Running,
  type Service,
  type ServiceOptions,
  StartError,
} from '@pando/service'
import { createUserService, loadSigningKey, type SigningKey } from '@pando/user'
import { LOG_DATABASE, PARTITIONS, SERVICES, type ServiceName } from '../system.ts'

const CONNECTIONS = 10
const NAMES = Object.keys(SERVICES) as ServiceName[]
const name = process.argv[2] ?? ''

await run(`Pando ${name}`, (signal) => {
  const config = loadConfig(process.env)
  const log = createLog({ level: config.logLevel, name: `pando-${name}` })
  if (name === 'gateway') return startGateway(config, log)
  const service = NAMES.find((known) => known === name)
  if (!service)
    throw new StartError('PANDO_CONFIG', `there is no service "${name}": say npm run service -- ${[...NAMES, 'gateway'].join(' | ')}.`)
  return startService(service, config, log, signal)
})

async function startService(service: ServiceName, config: Config, log: Logger, signal: AbortSignal): Promise<Running> {
  const clusterUrl = config.databaseUrl
  if (clusterUrl === undefined)
    throw new ConfigError('DATABASE_URL is not set: a service of its own needs the PostgreSQL that all services share.')
  const signingKey = service === 'user' ? await loadSigningKey({ pem: config.signingKeyPem, dataDir: config.dataDir }) : undefined
  const resources: (() => Promise<unknown>)[] = []
  try {
    const open = async (database: string, max: number) => {
      const db = await openDatabase({ clusterUrl, name: `${config.databasePrefix}_${database}`, max, applicationName: `pando ${service}`, log, signal })
      resources.unshift(() => db.close())
      return db
    }
    const [host, db, logDb] = await Promise.all([
      createHost({ config, log, behindGateway: true }),
      open(service, CONNECTIONS),
      open(LOG_DATABASE, CONNECTIONS),
    ])
    const transport = await createPostgresTransport({ db: logDb, onError: (err) => log.warn({ err }, 'event log') })
    resources.unshift(() => transport.close())
    const verifier = createVerifier({ keys: signingKey?.jwks ?? keysUrl(config) })
    const one = create(service, { db, transport, partitions: PARTITIONS, hub: host.hub, verifier, origins: host.origins, config, log }, signingKey)
    const admin = [localAdmin(one, (err) => log.warn({ err }, 'redrive'))]
    return await host.start({
      services: [one],
      verifier,
      admin: () => admin,
      checks: [
        { name: 'database', check: () => db.query('select 1') },
        { name: 'transport', check: () => transport.ping() },
      ],
      resources,
    })
  } catch (thrown) {
    for (const close of resources.splice(0)) await close()
    throw thrown
  }
}

function create(service: ServiceName, options: ServiceOptions, signingKey: SigningKey | undefined): Service {
  switch (service) {
    case 'user':
      return createUserService({ ...options, signingKey: signingKey! })
    case 'customer':
      return createCustomerService(options)
    case 'chat':
      return createChatService(options)
  }
}

async function startGateway(config: Config, log: Logger): Promise<Running> {
  const urlOf = (service: ServiceName): string => {
    const url = config.serviceUrls[service]
    if (url === undefined)
      throw new ConfigError(`${service.toUpperCase()}_URL is not set: the gateway needs the address of the ${service} service, say http://127.0.0.1:${SERVICES[service].port}.`)
    return url
  }
  const upstreams = NAMES.map((service) => ({ service, url: urlOf(service), paths: SERVICES[service].paths }))
  const host = await createHost({ config, log, documents: () => Promise.all(upstreams.map(({ url }) => documentOf(url))) })
  const verifier = createVerifier({ keys: keysUrl(config) })
  return host.start({
    services: [],
    verifier,
    plugins: [page, (app) => proxy(app, { upstreams, verifier, origins: host.origins })],
    admin: (accessToken) => upstreams.map(({ service, url }) => remoteAdmin(service, url, accessToken)),
    checks: upstreams.map(({ service, url }) => ({ name: service, check: () => answers(url) })),
    resources: [],
  })
}

function keysUrl(config: Config): URL {
  const url = config.serviceUrls.user
  if (url === undefined) throw new ConfigError(`USER_URL is not set: it leads to the keys that verify access tokens, say http://127.0.0.1:${SERVICES.user.port}.`)
  return new URL('/api/.well-known/jwks.json', url)
}

async function answers(url: string): Promise<void> {
  const { status } = await fetch(new URL('/api/health/live', url), { signal: AbortSignal.timeout(900) })
  if (status !== 200) throw new Error(`${url} answers ${status}`)
}

async function documentOf(url: string): Promise<object> {
  const response = await fetch(new URL('/api/openapi.json', url), { signal: AbortSignal.timeout(3_000) })
  return (await response.json()) as object
}
