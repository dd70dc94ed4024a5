// All of Pando in one process: PostgreSQL (its own unless DATABASE_URL names one), the log in it, every service, one HTTP server.
import { createChatService } from '@pando/chat'
import { createCustomerService } from '@pando/customer'
import { page } from '@pando/gateway'
import { createPostgresTransport } from '@pando/saga'
import { createHost, createLog, createVerifier, loadConfig, localAdmin, openDatabase, run, type Service, startEmbeddedPostgres } from '@pando/service'
import { adminSettled, createUserService, loadSigningKey } from '@pando/user'
import { LOG_DATABASE, PARTITIONS, SERVICES, type ServiceName } from './system.ts'

const CONNECTIONS = 5
const ADMIN_PATIENCE_MS = 10_000

await run('Pando', async (signal) => {
  const config = loadConfig(process.env)
  const log = createLog({ level: config.logLevel, name: 'pando' })
  const resources: (() => Promise<unknown>)[] = []
  try {
    const postgres = config.databaseUrl === undefined ? await startEmbeddedPostgres({ dataDir: config.dataDir, log }) : undefined
    if (postgres) resources.push(() => postgres.stop())
    const clusterUrl = config.databaseUrl ?? postgres!.url
    const open = async (name: string) => {
      const db = await openDatabase({ clusterUrl, name: `${config.databasePrefix}_${name}`, max: CONNECTIONS, applicationName: `pando ${name}`, log, signal })
      resources.unshift(() => db.close())
      return db
    }
    const names = Object.keys(SERVICES) as ServiceName[]
    const [host, signingKey, logDb, ...databases] = await Promise.all([
      createHost({ config, log }),
      loadSigningKey({ pem: config.signingKeyPem, dataDir: config.dataDir }),
      open(LOG_DATABASE),
      ...names.map(open),
    ])
    const dbOf = new Map(names.map((name, i) => [name, databases[i]!]))
    // In its own PostgreSQL nobody else can be: a second Pando on the same folder is refused.
    const transport = await createPostgresTransport({ db: logDb, alone: postgres !== undefined, onError: (err) => log.warn({ err }, 'event log') })
    resources.unshift(() => transport.close())
    const verifier = createVerifier({ keys: signingKey.jwks })
    const options = (name: ServiceName) => ({
      db: dbOf.get(name)!,
      transport,
      partitions: PARTITIONS,
      hub: host.hub,
      verifier,
      origins: host.origins,
      config,
      log: log.child({ service: name }),
    })
    const services: Service[] = [
      createUserService({ ...options('user'), signingKey }),
      createCustomerService(options('customer')),
      createChatService(options('chat')),
    ]
    const admin = services.map((service) => localAdmin(service, (err) => log.warn({ err }, 'redrive')))
    const running = await host.start({
      services,
      verifier,
      plugins: [page],
      admin: () => admin,
      checks: [
        { name: 'database', check: () => Promise.all(services.map(({ db }) => db.query('select 1'))) },
        { name: 'transport', check: () => transport.ping() },
      ],
      resources,
    })
    // Who reads "ready" may log in.
    if (config.admin) await adminSettled(dbOf.get('user')!, config.admin.username, ADMIN_PATIENCE_MS)
    return running
  } catch (thrown) {
    for (const close of resources.splice(0)) await close()
    throw thrown
  }
})
