import { closedAmong, createHourly, createStreams, createWorker, migrate } from '@pando/saga'
import { authentication, createServiceTables, idempotency, type Service, type ServiceOptions } from '@pando/service'
import { choreographyOf } from './choreography.ts'
import { createEndedSessions } from './ended-sessions.ts'
import { createNotifications } from './notifications.ts'
import { createPresence } from './presence.ts'
import { routes } from './routes.ts'
import { streamRoutes } from './stream-routes.ts'

export { choreographyOf } from './choreography.ts'

/** The streams of users, what they are notified of, and who is there. */
export function createNotificationService({
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
  const onError = (err: Error): void => log.warn({ err }, 'notification')
  const streams = createStreams({ db, hub, transport, onError })
  const { source } = streams
  const notifications = createNotifications({ db, streams })
  const endedSessions = createEndedSessions({ db, hub, onError })
  const presence = createPresence({ db, hub, source, ephemeral, onError })
  const choreography = choreographyOf(streams, presence)
  const worker = createWorker({ ...choreography, db, transport, partitions, hub, onError, trace })
  const tables = createServiceTables(db)
  const purging = createHourly({
    onError,
    async task() {
      await notifications.purge()
      await endedSessions.purge()
    },
  })

  // Somebody whose sign-up has just ended may not have been heard of yet; somebody who is gone is known to be.
  const isLive: Service['isLive'] = async ({ userId }) => (await closedAmong(db, [userId])).size === 0
  return {
    name: 'notification',
    db,
    worker,
    gauges: [{ name: 'pando_users_online', help: 'Users with an open stream in this process', read: presence.here }],
    isLive,
    routes: async (app) => {
      await app.register(authentication, { verifier, origins, isLive })
      await app.register(idempotency, { store: tables.store })
      await app.register(routes, { db, notifications })
      await app.register(streamRoutes, { hub, source, endedSessions })
    },
    async start() {
      await tables.migrate()
      await migrate(db, { schema: 'notification', directory: new URL('../sql/', import.meta.url) })
      await worker.start()
      await streams.start()
      await presence.start()
      endedSessions.start()
      purging.start()
    },
    async stop() {
      await Promise.all([purging.stop(), endedSessions.stop(), presence.stop()])
      await worker.stop()
      await streams.stop()
    },
  }
}
