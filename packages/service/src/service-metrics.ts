import { countOpenSagas, countParked, outboxLag } from '@pando/saga'
import { Counter, Gauge, type Registry } from 'prom-client'
import type { Logger } from './log.ts'
import { createReading } from './reading.ts'
import type { Service } from './service.ts'

/** Prometheus itself gives up after 10 s. */
const PATIENCE_MS = 2_000

/** A value, and its labels beside the service's name. */
type Sample = readonly [value: number, labels?: Readonly<Record<string, string>>]

// One after the other, so that a scrape takes one connection of the pool at a time.
async function readFigures({ db }: Service) {
  const outbox = await outboxLag(db)
  const parked = await countParked(db)
  return { outbox, parked, sagas: await countOpenSagas(db) }
}

async function readLag({ worker }: Service): Promise<Sample[]> {
  const topics = Map.groupBy(await worker.consumer.lag(), ({ topic }) => topic)
  return [...topics].map(([topic, lanes]) => [lanes.reduce((sum, { behind }) => sum + behind, 0), { topic }])
}

/**
 * Registers the figures of services; they are read when somebody asks. That costs five short statements for each service: four in its
 * own database, one in the log's. What is not told in time is left out, and `pando_database_up` or `pando_log_up` is 0.
 */
export function registerServices(registry: Registry, services: readonly Service[], log: Logger): void {
  const registers = [registry]

  /** What all gauges of a scrape share. */
  function reading<T>(what: string, read: (service: Service) => Promise<T>) {
    const readings = new Map(
      services.map((service) => {
        const onError = (err: Error): void =>
          log.warn({ err, service: service.name }, `the metrics are without ${what}`)
        return [service, createReading(() => read(service), { patienceMs: PATIENCE_MS, onError })]
      }),
    )
    return (service: Service) => readings.get(service)!()
  }
  function gauge(
    name: string,
    help: string,
    read: (service: Service) => Promise<readonly Sample[]>,
    ...labels: string[]
  ): void {
    new Gauge({
      name,
      help,
      labelNames: ['service', ...labels],
      registers,
      async collect() {
        const samples = await Promise.all(services.map(read))
        this.reset()
        for (const [i, { name: service }] of services.entries())
          for (const [value, more] of samples[i]!) this.set({ service, ...more }, value)
      },
    })
  }
  function ownGauge(name: string, help: string, read: (service: Service) => number): void {
    gauge(name, help, async (service) => [[read(service)]])
  }
  function counter(name: string, help: string, read: (service: Service) => number): void {
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

  const figures = reading('what its database tells', readFigures)
  const lag = reading('its lag', readLag)
  type Figures = Awaited<ReturnType<typeof readFigures>>
  const figure = (name: string, help: string, read: (figures: Figures) => readonly Sample[], ...labels: string[]) =>
    gauge(
      name,
      help,
      async (service) => {
        const found = await figures(service)
        return found ? read(found) : []
      },
      ...labels,
    )

  gauge('pando_database_up', 'Whether the database told its figures in time', async (service) => [
    [(await figures(service)) ? 1 : 0],
  ])
  gauge('pando_log_up', 'Whether the log told its ends in time', async (service) => [[(await lag(service)) ? 1 : 0]])
  figure('pando_outbox_rows', 'Events that wait to be published', ({ outbox }) => [[outbox.rows]])
  figure('pando_outbox_oldest_seconds', 'Age of the oldest of them', ({ outbox }) => [[outbox.oldestMs / 1000]])
  figure('pando_parked_keys', 'Keys that wait for a person', ({ parked }) => [[parked.keys]])
  figure('pando_parked_events', 'Events of these keys', ({ parked }) => [[parked.events]])
  figure(
    'pando_sagas_open',
    'Sagas that have not ended',
    ({ sagas }) => sagas.map(({ type, status, count }): Sample => [count, { type, status }]),
    'type',
    'status',
  )
  figure(
    'pando_sagas_overdue',
    'Sagas that are past their deadline and have not ended',
    ({ sagas }) =>
      [...Map.groupBy(sagas, ({ type }) => type)].map(([type, some]): Sample => [
        some.reduce((sum, { overdue }) => sum + overdue, 0),
        { type },
      ]),
    'type',
  )
  gauge(
    'pando_consumer_lag',
    'Events in the log that the saved positions are behind',
    async (service) => (await lag(service)) ?? [],
    'topic',
  )

  ownGauge('pando_lanes_owned', 'Lanes that this instance reads', ({ worker }) => worker.consumer.stats().lanes)
  ownGauge(
    'pando_lanes_stopped',
    'Lanes that this instance cannot go on with',
    ({ worker }) => worker.consumer.stats().stopped.size,
  )
  ownGauge('pando_relay_leading', 'Whether this instance empties the outbox', ({ worker }) =>
    worker.relay.stats().leader ? 1 : 0,
  )
  ownGauge('pando_relay_held_keys', 'Keys of which the log refuses an event', ({ worker }) => worker.relay.stats().held)
  ownGauge('pando_database_connections', 'Connections of the pool', ({ db }) => db.stats().total)
  ownGauge('pando_database_idle', 'Connections of the pool that nobody uses', ({ db }) => db.stats().idle)
  ownGauge('pando_database_waiting', 'Who waits for a connection of the pool', ({ db }) => db.stats().waiting)
  counter('pando_database_leases_total', 'Transactions that got a connection', ({ db }) => db.stats().leases)
  counter(
    'pando_database_lease_wait_seconds_total',
    'How long they waited for it in all',
    ({ db }) => db.stats().leaseMs / 1000,
  )
  counter('pando_events_published_total', 'Events put into the log', ({ worker }) => worker.relay.stats().published)
  counter(
    'pando_events_consumed_total',
    'Events whose effect was committed',
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
  for (const { name: service, gauges = [] } of services)
    for (const { name, help, read } of gauges)
      new Gauge({
        name,
        help,
        labelNames: ['service'],
        registers,
        collect() {
          this.set({ service }, read())
        },
      })
}
