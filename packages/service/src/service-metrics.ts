import { type Hub, outboxLag } from '@pando/saga'
import { Counter, Gauge, type Registry } from 'prom-client'
import type { Service } from './service.ts'

/** Registers the figures of services and of their streams; they are read when somebody asks. */
export function registerServices(registry: Registry, services: readonly Service[], hub: Hub): void {
  const registers = [registry]
  const gauge = (name: string, help: string, read: (service: Service) => number | Promise<number>): void => {
    const labelNames = ['service'] as const
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      async collect() {
        await Promise.all(services.map(async (service) => this.set({ service: service.name }, await read(service))))
      },
    })
  }
  const counter = (name: string, help: string, read: (service: Service) => number): void => {
    new Counter({
      name,
      help,
      labelNames: ['service'],
      registers,
      collect() {
        this.reset()
        for (const service of services) this.inc({ service: service.name }, read(service))
      },
    })
  }
  gauge('pando_outbox_rows', 'Events that wait to be published', async ({ db }) => (await outboxLag(db)).rows)
  gauge(
    'pando_outbox_oldest_seconds',
    'Age of the oldest of them',
    async ({ db }) => (await outboxLag(db)).oldestMs / 1000,
  )
  gauge('pando_consumer_lag', 'Events in the log that the saved positions are behind', async ({ worker }) =>
    (await worker.consumer.lag()).reduce((sum, { behind }) => sum + behind, 0),
  )
  gauge('pando_parked_keys', 'Keys that wait for a person', async ({ db }) => {
    const [row] = await db.query<{ count: number }>('select count(*) from saga.parked_key')
    return row?.count ?? 0
  })
  gauge('pando_lanes_owned', 'Lanes that this instance reads', ({ worker }) => worker.consumer.stats().lanes)
  gauge(
    'pando_lanes_stopped',
    'Lanes that this instance cannot go on with',
    ({ worker }) => worker.consumer.stats().stopped.size,
  )
  gauge('pando_database_waiting', 'Requests that wait for a database connection', ({ db }) => db.stats().waiting)
  counter(
    'pando_events_published_total',
    'Events published since the start',
    ({ worker }) => worker.relay.stats().published,
  )
  counter(
    'pando_events_consumed_total',
    'Events whose effect was committed since the start',
    ({ worker }) => worker.consumer.stats().consumed,
  )
  counter(
    'pando_events_repeated_total',
    'Repeats that the inbox removed',
    ({ worker }) => worker.consumer.stats().repeated,
  )
  counter(
    'pando_events_skipped_total',
    'Events of kinds that the service does not know, or without a key',
    ({ worker }) => worker.consumer.stats().skipped,
  )
  counter(
    'pando_batches_failed_total',
    'Batches that failed and were tried again',
    ({ worker }) => worker.consumer.stats().failed,
  )
  counter('pando_events_parked_total', 'Events that parked their key', ({ worker }) => worker.consumer.stats().parked)
  for (const state of ['open', 'catching', 'lagging'] as const)
    new Gauge({
      name: `pando_streams_${state}`,
      help: `Streams that are ${state}`,
      registers,
      collect() {
        this.set(hub.stats()[state])
      },
    })
}
