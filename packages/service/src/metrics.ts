import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { collectDefaultMetrics, Registry } from 'prom-client'
import type { Logger } from './log.ts'

/**
 * How often a timer looks whether it is late; what is told is the time between two looks. The usual 10 ms wake an idle process 100 times a
 * second: 1.3 to 1.9 % of a core instead of 1.0 to 1.4, side by side.
 */
const EVENT_LOOP_LOOK_MS = 50

export interface MetricsOptions {
  /** 0 = a free port. */
  port: number | 'off'
  host: string
  log: Logger
  /** Registers the gauges and counters of the process; called once, unless the port is off or taken. */
  collect: (registry: Registry) => void
}

/** Where the figures can be read: undefined when they are off or the port was taken. */
export interface Metrics {
  readonly url: string | undefined
  stop(): Promise<void>
}

/**
 * Serves the process's figures, Node's own among them, as Prometheus text at /metrics. Never fails: figures are no reason
 * not to serve users, so a port that cannot be had is a warning.
 */
export async function startMetrics({ port, host, log, collect }: MetricsOptions): Promise<Metrics> {
  const none: Metrics = { url: undefined, stop: async () => {} }
  if (port === 'off') return none

  const registry = new Registry()
  const server = createServer((req, res) => {
    if (req.url?.split('?')[0] !== '/metrics') return res.writeHead(404).end()
    if (req.method !== 'GET' && req.method !== 'HEAD') return res.writeHead(405, { allow: 'GET, HEAD' }).end()
    registry.metrics().then(
      (text) => res.writeHead(200, { 'content-type': registry.contentType }).end(text),
      (err: unknown) => {
        log.error({ err }, 'the metrics cannot be collected')
        res.writeHead(500).end()
      },
    )
  })
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (err) {
    log.warn(
      `METRICS_PORT=${port} cannot be listened on (${(err as NodeJS.ErrnoException).code}), so there are no metrics`,
    )
    return none
  }
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: EVENT_LOOP_LOOK_MS })
  collect(registry)
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}/metrics`,
    async stop() {
      server.close()
      server.closeAllConnections()
    },
  }
}
