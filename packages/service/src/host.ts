import { createHub, type Hub } from '@pando/saga'
import type { FastifyPluginAsync } from 'fastify'
import { adminRoutes } from './admin-routes.ts'
import type { AdminSources } from './admin.ts'
import { authentication } from './auth.ts'
import type { Config } from './config.ts'
import { type HealthCheck, healthRoutes } from './health.ts'
import { type App, createApp } from './http.ts'
import type { Running } from './lifecycle.ts'
import type { Logger } from './log.ts'
import { startMetrics } from './metrics.ts'
import { type OriginPolicy, originPolicy } from './origin.ts'
import { rateLimit } from './rate-limit.ts'
import { registerServices } from './service-metrics.ts'
import type { Service } from './service.ts'
import type { Identity, Verifier } from './verifier.ts'

/** A process: one HTTP server with health, metrics and the operator's routes, in which services are mounted. */
export interface Host {
  readonly app: App
  readonly hub: Hub
  readonly origins: OriginPolicy
  /** Mounts and starts everything, then listens. When that fails, what was started is stopped. `metricsUrl`: undefined without metrics. */
  start(parts: HostParts): Promise<Running & { metricsUrl: string | undefined }>
}

export interface HostParts {
  services: readonly Service[]
  verifier: Verifier
  /** Routes of the process itself. */
  plugins?: readonly FastifyPluginAsync[]
  admin: AdminSources
  checks: readonly HealthCheck[]
  /** Closed at the end, in this order, when nothing uses them any more. */
  resources: readonly (() => Promise<unknown>)[]
}

const VERSION = '0.1.0'
const STREAM_DRAIN_MS = 2_000
const REQUEST_DRAIN_MS = 5_000

/** `behindGateway`: only a gateway of a private network speaks to this process; it is believed whose request it passes on. */
export async function createHost({
  config,
  log,
  behindGateway = false,
  documents,
}: {
  config: Config
  log: Logger
  behindGateway?: boolean
  /** OpenAPI documents of services elsewhere, to be shown with this one's. */
  documents?: () => Promise<readonly object[]>
}): Promise<Host> {
  const app = await createApp({
    log,
    info: {
      title: 'Pando',
      version: VERSION,
      description: 'A plant-marketplace community: sagas by events, progress by Server-Sent Events.',
    },
    trustProxy: behindGateway ? ['loopback', 'linklocal', 'uniquelocal'] : undefined,
    https: config.publicOrigins?.some((origin) => origin.startsWith('https:')) ?? false,
    ...(documents && { documents }),
  })
  await app.register(rateLimit, { enabled: config.rateLimit })
  const hub = createHub({ onError: (err) => log.warn({ err }, 'streams') })
  const origins = originPolicy(app.server, config.publicOrigins)
  let draining = false

  async function start({
    services,
    verifier,
    plugins = [],
    admin,
    checks,
    resources,
  }: HostParts): ReturnType<Host['start']> {
    const stops: (() => Promise<unknown>)[] = [...resources].toReversed()
    const stop = async (): Promise<void> => {
      draining = true
      for (let next = stops.pop(); next; next = stops.pop()) await next()
    }
    try {
      await app.register(healthRoutes, { checks, isDraining: () => draining })
      await app.register(async (scope) => {
        const isLive = async (identity: Identity) =>
          (await Promise.all(services.map((service) => service.isLive(identity)))).every(Boolean)
        await scope.register(authentication, { verifier, origins, isLive })
        await scope.register(adminRoutes, { sources: admin })
      })
      for (const service of services) await app.register(service.routes)
      for (const plugin of plugins) await app.register(plugin)
      for (const service of services) {
        await service.start()
        stops.push(() => service.stop())
      }
      const metrics = await startMetrics({
        port: config.metricsPort,
        host: '127.0.0.1',
        log,
        collect: (registry) => registerServices(registry, services, hub),
      })
      stops.push(() => metrics.stop())
      if (config.metricsPort === 0 && metrics.url !== undefined) log.info(`the metrics are at ${metrics.url}`)
      // Streams end first: the server waits for every answer that is under way.
      stops.push(() => Promise.all([hub.stop(STREAM_DRAIN_MS), close(app, log)]))
      const url = await app.listen({ port: config.port, host: config.host })
      return { url: urlOf(config.host, url), metricsUrl: metrics.url, stop }
    } catch (thrown) {
      await stop()
      throw thrown
    }
  }

  return { app, hub, origins, start }
}

/** Lets what is under way be answered. Who has not sent all of a request by then, or does not read the answer, is cut off. */
async function close(app: App, log: Logger): Promise<void> {
  const timer = setTimeout(() => {
    log.warn(`connections with requests that were not done within ${REQUEST_DRAIN_MS} ms are cut off`)
    app.server.closeAllConnections()
  }, REQUEST_DRAIN_MS)
  await app.close().finally(() => clearTimeout(timer))
}

// Fastify answers with the first address it listens on; people know theirs by what they asked for.
function urlOf(host: string, listening: string): string {
  const { port } = new URL(listening)
  return `http://${host.includes(':') ? `[${host}]` : host}:${port || '80'}`
}
