import { createHourly, createWorker, migrate } from '@pando/saga'
import {
  authentication,
  createIdempotencyStore,
  idempotency,
  migrateService,
  sagaRoutes,
  type Service,
  type ServiceOptions,
} from '@pando/service'
import { findAccount } from './accounts.ts'
import { ensureAdmin } from './admin-account.ts'
import { choreography } from './choreography.ts'
import { createPasswords } from './passwords.ts'
import { routes } from './routes.ts'
import { sessionRoutes } from './session-routes.ts'
import { createSessions } from './sessions.ts'
import type { SigningKey } from './signing-key.ts'
import { createSignUps, signUp } from './sign-up.ts'

export { adminSettled } from './admin-account.ts'
export { choreography } from './choreography.ts'
export { loadSigningKey, type SigningKey } from './signing-key.ts'

/** Accounts, sessions, and the sagas of users. */
export function createUserService(options: ServiceOptions & { signingKey: SigningKey }): Service {
  const { db, transport, partitions, hub, sessionStreams, verifier, origins, config, log, signingKey, trace } = options
  const onError = (err: Error): void => log.warn({ err }, 'user')
  const worker = createWorker({
    ...choreography,
    db,
    transport,
    partitions,
    hub,
    onError,
    trace,
  })
  const { sagas } = worker
  const passwords = createPasswords(config.passwordHash)
  const store = createIdempotencyStore({ db, secret: signingKey.secret })
  const sessions = createSessions({ db, passwords, signingKey })
  const signUps = createSignUps({ db, sagas, passwords, idempotency: store, deadlineMs: config.signUpDeadlineMs })
  const purging = createHourly({ task: () => sessions.purge(), onError })
  const isLive: Service['isLive'] = async ({ userId }) => (await findAccount(db, userId)) !== undefined
  return {
    name: 'user',
    db,
    worker,
    gauges: [
      {
        name: 'pando_hashing_waiting',
        help: 'Passwords that wait for their turn to be hashed',
        read: passwords.waiting,
      },
    ],
    isLive,
    routes: async (app) => {
      await app.register(authentication, { verifier, origins, isLive })
      await app.register(idempotency, { store })
      await app.register(routes, { db, hub, sagas, signUps, passwords, sessions, signingKey, sessionStreams })
      await app.register(sessionRoutes, { sessions, sessionStreams })
      // A sign-up's id is 122 random bits that only its starter was told; nobody has a token yet.
      await app.register(sagaRoutes, { hub, sagas, openType: signUp.type })
    },
    async start() {
      await migrateService(db)
      await migrate(db, { schema: 'users', directory: new URL('../sql/', import.meta.url) })
      await worker.start()
      purging.start()
      if (config.admin && (await ensureAdmin(db, signUps, config.admin)))
        log.info(`admin account "${config.admin.username}" is being made`)
    },
    async stop() {
      await purging.stop()
      await worker.stop()
    },
  }
}
