import { createHourly, createWorker, ensureDays, migrate, type Worker } from '@pando/saga'
import {
  authentication,
  createServiceTables,
  idempotency,
  sagaRoutes,
  type Service,
  type ServiceOptions,
} from '@pando/service'
import { createAnnouncing } from './announcing.ts'
import { choreographyOf } from './choreography.ts'
import { imageRoutes } from './image-routes.ts'
import { createImages } from './images.ts'
import { keywordRoutes } from './keyword-routes.ts'
import { hasLeft, purgeDeparted } from './members.ts'
import { postDeletion, type StartDeletions } from './post-deletion.ts'
import { routes } from './routes.ts'
import { createViews } from './views.ts'
import { wishRoutes } from './wish-routes.ts'
import { createWishes } from './wishes.ts'

export { choreographyOf } from './choreography.ts'

/** A viewer is counted once a day: older days tell nothing any more. */
const VIEW_DAYS = 2

/** Posts with their images, who has seen them, wishes for them, and words that users wait for. */
export function createMarketService({
  db,
  transport,
  partitions,
  hub,
  verifier,
  origins,
  config,
  log,
  trace,
}: ServiceOptions): Service {
  const onError = (err: Error): void => log.warn({ err }, 'market')
  const start: StartDeletions = (tx, deletions) => worker.sagas.start(tx, postDeletion, deletions)
  const worker: Worker = createWorker({ ...choreographyOf(start), db, transport, partitions, hub, onError, trace })
  const tables = createServiceTables(db)
  const { store } = tables
  const views = createViews({ db, secret: tables.secret })
  const wishes = createWishes(db)
  const announcing = createAnnouncing({ db, onError })
  const images = createImages({ db, config, onError })
  const maintenance = createHourly({
    onError,
    async task() {
      await ensureDays(db, 'market.post_view', VIEW_DAYS)
      await purgeDeparted(db)
    },
  })
  const isLive: Service['isLive'] = async ({ userId }) => !(await hasLeft(db, userId))
  return {
    name: 'market',
    db,
    worker,
    gauges: [
      { name: 'pando_images_waiting', help: 'Uploads that wait for their turn to be read', read: images.waiting },
    ],
    isLive,
    routes: async (app) => {
      await app.register(authentication, { verifier, origins, isLive })
      await app.register(idempotency, { store })
      await app.register(routes, { db, store, views, start, onPost: announcing.ring })
      await app.register(sagaRoutes, { hub, sagas: worker.sagas, type: postDeletion.type })
      await app.register(wishRoutes, { db, wishes })
      await app.register(keywordRoutes, { db })
      await app.register(imageRoutes, { images })
    },
    async start() {
      await tables.migrate()
      await migrate(db, { schema: 'market', directory: new URL('../sql/', import.meta.url) })
      await ensureDays(db, 'market.post_view', VIEW_DAYS)
      await worker.start()
      images.start()
      announcing.start()
      maintenance.start()
    },
    async stop() {
      await Promise.all([announcing.stop(), maintenance.stop(), images.stop()])
      await worker.stop()
    },
  }
}
