import { createWorker, migrate } from '@pando/saga'
import { authentication, type Service, type ServiceOptions } from '@pando/service'
import { choreography } from './choreography.ts'
import { routes } from './routes.ts'
import { balanceOf } from './wallets.ts'

export { choreography } from './choreography.ts'

/** Wallets and the ledger under them. */
export function createCustomerService({
  db,
  transport,
  partitions,
  hub,
  verifier,
  origins,
  log,
  trace,
}: ServiceOptions): Service {
  const worker = createWorker({
    ...choreography,
    db,
    transport,
    partitions,
    hub,
    onError: (err) => log.warn({ err }, 'customer'),
    trace,
  })
  const isLive: Service['isLive'] = async ({ userId }) => (await balanceOf(db, userId)) !== undefined
  return {
    name: 'customer',
    db,
    worker,
    isLive,
    routes: async (app) => {
      await app.register(authentication, { verifier, origins, isLive })
      await app.register(routes, { db })
    },
    async start() {
      await migrate(db, { schema: 'customer', directory: new URL('../sql/', import.meta.url) })
      await worker.start()
    },
    stop: () => worker.stop(),
  }
}
