import { createBell, createLoop, createWorker, migrate } from '@pando/saga'
import {
  authentication,
  createIdempotencyStore,
  idempotency,
  migrateService,
  type Service,
  type ServiceOptions,
} from '@pando/service'
import { accountDeletion, accountDeletionHooks } from './account-deletion.ts'
import { findAccount } from './accounts.ts'
import { ensureAdmin } from './admin-account.ts'
import { createPasswords } from './passwords.ts'
import { routes } from './routes.ts'
import { sagaRoutes } from './saga-routes.ts'
import { sessionRoutes } from './session-routes.ts'
import { createSessions } from './sessions.ts'
import type { SigningKey } from './signing-key.ts'
import { createSignUps, signUp, signUpHooks } from './sign-up.ts'

export { adminSettled } from './admin-account.ts'
export { loadSigningKey, type SigningKey } from './signing-key.ts'

const PURGE_MS = 3_600_000

/** Accounts, sessions, and the sagas of users. */
export function createUserService(options: ServiceOptions & { signingKey: SigningKey }): Service {
  const { db, transport, partitions, hub, verifier, origins, config, log, signingKey } = options
  const onError = (err: Error): void => log.warn({ err }, 'user')
  const worker = createWorker({
    topic: 'user',
    db,
    transport,
    partitions,
    hub,
    sagas: [
      { definition: signUp, hooks: signUpHooks },
      { definition: accountDeletion, hooks: accountDeletionHooks((tx, ids) => sagas.forget(tx, ids)) },
    ],
    onError,
  })
  const { sagas } = worker
  const passwords = createPasswords(config.passwordHash)
  const store = createIdempotencyStore({ db, secret: signingKey.secret })
  const sessions = createSessions({ db, passwords, signingKey })
  const signUps = createSignUps({ db, sagas, passwords, idempotency: store, deadlineMs: config.signUpDeadlineMs })

  function endStreams(userId: string, sessionId?: string): void {
    hub.end(userId, sessionId)
    transport.hint(`session-ended ${userId} ${sessionId ?? ''}`)
  }
  let unlisten = (): void => {}
  function hear(text: string): void {
    const [what, userId, sessionId] = text.split(' ')
    if (what === 'session-ended' && userId) hub.end(userId, sessionId || undefined)
  }

  const bell = createBell()
  const purging = createLoop({
    bell,
    onError,
    async turn() {
      await bell.wait(PURGE_MS)
      await sessions.purge()
    },
  })

  const isLive: Service['isLive'] = async ({ userId }) => (await findAccount(db, userId)) !== undefined
  return {
    name: 'user',
    db,
    worker,
    isLive,
    routes: async (app) => {
      await app.register(authentication, { verifier, origins, isLive })
      await app.register(idempotency, { store })
      await app.register(routes, { db, hub, sagas, signUps, passwords, sessions, signingKey, endStreams })
      await app.register(sessionRoutes, { sessions, endStreams })
      await app.register(sagaRoutes, { hub, sagas })
    },
    async start() {
      await migrateService(db)
      await migrate(db, { schema: 'users', directory: new URL('../sql/', import.meta.url) })
      await worker.start()
      unlisten = transport.onHint(hear)
      purging.start()
      if (config.admin && (await ensureAdmin(db, signUps, config.admin)))
        log.info(`admin account "${config.admin.username}" is being made`)
    },
    async stop() {
      unlisten()
      await purging.stop()
      await worker.stop()
    },
  }
}
