import { createBell, createHourly, createWorker, migrate } from '@pando/saga'
import { authentication, createServiceTables, idempotency, type Service, type ServiceOptions } from '@pando/service'
import { choreographyOf } from './choreography.ts'
import { createChores } from './chores.ts'
import { friendRoutes } from './friend-routes.ts'
import { purgeImages } from './images.ts'
import { createMembership } from './members.ts'
import { messageRoutes } from './message-routes.ts'
import { roomRoutes } from './room-routes.ts'

export { choreographyOf } from './choreography.ts'

/** Friends, rooms and messages. */
export function createChatService({
  db,
  transport,
  partitions,
  hub,
  ephemeral,
  verifier,
  origins,
  log,
  trace,
}: ServiceOptions): Service {
  const onError = (err: Error): void => log.warn({ err }, 'chat')
  const bell = createBell()
  const worker = createWorker({ ...choreographyOf(bell), db, transport, partitions, hub, onError, trace })
  const tables = createServiceTables(db)
  const chores = createChores({ db, bell, onError })
  const maintenance = createHourly({ task: () => purgeImages(db), atOnce: true, onError })
  const isMember = createMembership(db)
  const isLive: Service['isLive'] = ({ userId }) => isMember(userId)
  return {
    name: 'chat',
    db,
    worker,
    isLive,
    routes: async (app) => {
      await app.register(authentication, { verifier, origins, isLive })
      await app.register(idempotency, { store: tables.store })
      await app.register(messageRoutes, { db, ephemeral })
      await app.register(friendRoutes, { db })
      await app.register(roomRoutes, { db, chores: bell })
    },
    async start() {
      await tables.migrate()
      await migrate(db, { schema: 'chat', directory: new URL('../sql/', import.meta.url) })
      await worker.start()
      chores.start()
      maintenance.start()
    },
    async stop() {
      await Promise.all([chores.stop(), maintenance.stop()])
      await worker.stop()
    },
  }
}
