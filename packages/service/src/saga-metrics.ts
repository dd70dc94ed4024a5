import { Counter, Histogram, type Registry } from 'prom-client'
import type { Service } from './service.ts'

/** In seconds: from one that nobody holds up to one that waits long after its deadline for something to be undone. */
const BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

/** Counts the sagas that this process starts and ends, from the versions that it commits: nothing is asked for it. */
export function registerSagas(registry: Registry, services: readonly Service[]): void {
  const started = new Counter({
    name: 'pando_sagas_started_total',
    help: 'Sagas started',
    labelNames: ['service', 'type'],
    registers: [registry],
  })
  const duration = new Histogram({
    name: 'pando_saga_duration_seconds',
    help: 'From the start of a saga to its end, by how it ended',
    labelNames: ['service', 'type', 'status'],
    buckets: BUCKETS,
    registers: [registry],
  })
  for (const { name: service, worker } of services)
    worker.onVersions((versions) => {
      for (const { view } of versions) {
        const { type, status, startedAt, endedAt } = view
        if (view.version === 1) started.inc({ service, type })
        if (endedAt !== null)
          duration.observe({ service, type, status }, (Date.parse(endedAt) - Date.parse(startedAt)) / 1000)
      }
    })
}
