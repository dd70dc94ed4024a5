// How a process of Pando is put together: its databases, the log of events, its services, and one HTTP server in front of them.
import { createChatService } from '@pando/chat'
import { createCustomerService } from '@pando/customer'
import { web } from '@pando/gateway'
import { createMarketService } from '@pando/market'
import { createNotificationService } from '@pando/notification'
import type { Hub, Transport } from '@pando/saga'
import {
  type Config,
  ConfigError,
  createEphemeral,
  createHost,
  createSessionStreams,
  createVerifier,
  localAdmin,
  type Logger,
  openDatabase,
  openEventLog,
  type Running,
  type Service,
  type ServiceOptions,
  startEmbeddedPostgres,
} from '@pando/service'
import { adminSettled, createUserService, loadSigningKey, type SigningKey } from '@pando/user'
import { LOG_DATABASE, PARTITIONS, SERVICES, type ServiceName } from './system.ts'

const CONNECTIONS = { together: 5, apart: 10 }
const ADMIN_PATIENCE_MS = 10_000

export const SERVICE_NAMES = Object.keys(SERVICES) as ServiceName[]

export interface ProcessOptions {
  config: Config
  log: Logger
  /** Ends the wait for a database that is not there yet, and what else of the start can be spared. */
  signal?: AbortSignal | undefined
}

/** A process that answers; `services` are those that run in it. */
export interface Process extends Running {
  readonly metricsUrl: string | undefined
  readonly hub: Hub
  readonly transport: Transport
  readonly services: readonly Service[]
}

/**
 * Starts these services in this process. All of them together are the whole of Pando: with the page, for clients to speak to, and with
 * a PostgreSQL of its own unless DATABASE_URL names one. Fewer of them stand behind a gateway.
 * Throws ConfigError when they need an address that is not set; whatever else keeps them from starting. Then nothing of them is left.
 */
export async function startServices(
  names: readonly ServiceName[],
  { config, log, signal }: ProcessOptions,
): Promise<Process> {
  const isWhole = SERVICE_NAMES.every((name) => names.includes(name))
  if (!isWhole && config.databaseUrl === undefined)
    throw new ConfigError('DATABASE_URL is not set: a service of its own needs the PostgreSQL that all services share.')
  const resources: (() => Promise<unknown>)[] = []
  try {
    // Before anything else is put into DATA_DIR: it makes that folder, or says why it cannot, and keeps others out.
    const postgres =
      config.databaseUrl === undefined ? await startEmbeddedPostgres({ dataDir: config.dataDir, log }) : undefined
    if (postgres) resources.push(() => postgres.stop())
    signal?.throwIfAborted()
    const signingKey = names.includes('user')
      ? await loadSigningKey({ pem: config.signingKeyPem, dataDir: config.dataDir })
      : undefined
    const verifier = createVerifier({ keys: signingKey?.jwks ?? keysUrl(config) })
    const open = async (name: string) => {
      const db = await openDatabase({
        clusterUrl: config.databaseUrl ?? postgres!.url,
        name: `${config.databasePrefix}_${name}`,
        max: isWhole ? CONNECTIONS.together : CONNECTIONS.apart,
        applicationName: `pando ${name}`,
        log,
        signal,
      })
      resources.unshift(() => db.close())
      return db
    }
    const [host, transport, ...databases] = await Promise.all([
      createHost({ config, log, name: isWhole ? 'pando' : `pando-${names.join('-')}`, behindGateway: !isWhole }),
      openEventLog({
        kafka: config.kafka,
        prefix: config.databasePrefix,
        openDatabase: () => open(LOG_DATABASE),
        // In its own PostgreSQL nobody else can be: a second Pando on the same folder is refused.
        alone: postgres !== undefined,
        log,
        signal,
      }),
      ...names.map(open),
    ])
    signal?.throwIfAborted()
    resources.unshift(() => transport.close())
    const { hub, origins, traceOf } = host
    const ephemeral = createEphemeral({ hub, transport })
    resources.unshift(async () => ephemeral.stop())
    const sessionStreams = createSessionStreams({ hub, transport })
    resources.unshift(async () => sessionStreams.stop())
    const services = names.map((name, i) =>
      createService(
        name,
        {
          db: databases[i]!,
          transport,
          partitions: PARTITIONS,
          hub,
          ephemeral,
          sessionStreams,
          verifier,
          origins,
          config,
          log: log.child({ service: name }),
          trace: traceOf(name),
        },
        signingKey,
      ),
    )
    const admin = services.map((service) => localAdmin(service, (err) => log.warn({ err }, 'redrive')))
    const running = await host.start({
      services,
      verifier,
      plugins: isWhole ? [web] : [],
      admin: () => admin,
      checks: [
        { name: 'database', check: () => Promise.all(databases.map((db) => db.query('select 1'))) },
        { name: 'transport', check: () => transport.ping() },
      ],
      resources,
    })
    // Who reads "ready" may log in. Apart, the admin's sign-up needs services that may come later.
    if (isWhole && config.admin)
      await adminSettled(databases[names.indexOf('user')]!, config.admin.username, ADMIN_PATIENCE_MS)
    return { ...running, hub, transport, services }
  } catch (thrown) {
    for (const close of resources.splice(0)) await close()
    throw thrown
  }
}

/** Needs a `signingKey` for the user service. */
export function createService(name: ServiceName, options: ServiceOptions, signingKey: SigningKey | undefined): Service {
  switch (name) {
    case 'user':
      return createUserService({ ...options, signingKey: signingKey! })
    case 'customer':
      return createCustomerService(options)
    case 'chat':
      return createChatService(options)
    case 'market':
      return createMarketService(options)
    case 'notification':
      return createNotificationService(options)
  }
}

/** Where the keys are that verify access tokens. Throws ConfigError when USER_URL does not say. */
export function keysUrl({ serviceUrls }: Config): URL {
  if (serviceUrls.user === undefined)
    throw new ConfigError(
      `USER_URL is not set: it leads to the keys that verify access tokens, say http://127.0.0.1:${SERVICES.user.port}.`,
    )
  return new URL('/api/.well-known/jwks.json', serviceUrls.user)
}
