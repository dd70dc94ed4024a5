import { setTimeout as delay } from 'node:timers/promises'
import { createHub, type Hub, type Trace } from '@pando/saga'
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
import { registerRequests } from './request-metrics.ts'
import { traceRequests } from './request-tracing.ts'
import { registerSagas } from './saga-metrics.ts'
import { registerServices } from './service-metrics.ts'
import type { Service } from './service.ts'
import { registerStreams } from './stream-metrics.ts'
import type { Identity, Verifier } from './verifier.ts'

/** A process: one HTTP server with health, metrics and the operator's routes, in which services are mounted. */
export interface Host {
  readonly app: App
  readonly hub: Hub
  readonly origins: OriginPolicy
  /** How a service tells of its events; undefined when there are no traces. */
  traceOf(service: string): Trace | undefined
  /**
   * Mounts and starts everything, then listens. When that fails, what was started is stopped. `metricsUrl`: undefined without metrics.
   * Its `stop` drains: not ready any more, and still there for 2.5 s when somebody follows readiness; then streams end, requests are
   * answered for up to 6 s in all, and everything stops.
   */
  start(parts: HostParts): Promise<Running & { metricsUrl: string | undefined }>
  /** Mounts everything and starts nothing: the OpenAPI document that it would serve. */
  describe(parts: HostParts): Promise<object>
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
/** Who asked for readiness within this time is taken for a balancer that goes on asking (a kubelet does so every 10 s). */
const ASKED_MS = 15_000
/** How long it is told to go elsewhere before this process stops listening. More than it takes to ask, and longer than whoever passes
 * requests on may keep a connection that it does not use (see the gateway's proxy): one that is left then is nobody's. */
const LEAD_MS = 2_500
const STREAM_DRAIN_MS = 2_000
/** From the beginning of the drain. */
const REQUEST_DRAIN_MS = 6_000
/** Connections that may wait to be taken: a thousand clients that come at once overflow Node's 511, and wait a second or are reset. */
const BACKLOG = 4_096

/** `behindGateway`: only a gateway of a private network speaks to this process; it is believed whose request it passes on. */
export async function createHost({
  config,
  log,
  name,
  behindGateway = false,
  documents,
}: {
  config: Config
  log: Logger
  /** What the process is called in traces. */
  name: string
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
  // What is not wanted is not loaded.
  const tracing =
    config.tracing && (await import('./tracing.ts')).createTracing({ ...config.tracing, name, version: VERSION, log })
  if (tracing) traceRequests(app, tracing)
  await app.register(rateLimit, { enabled: config.rateLimit })
  const hub = createHub({ onError: (err) => log.warn({ err }, 'streams') })
  const origins = originPolicy(app.server, config.publicOrigins)
  let draining = false
  let askedAt = -Infinity

  async function mount({ services, verifier, plugins = [], admin, checks }: HostParts): Promise<void> {
    await app.register(healthRoutes, {
      checks,
      isDraining: () => draining,
      onAsk: () => (askedAt = Date.now()),
    })
    await app.register(async (scope) => {
      const isLive = async (identity: Identity) =>
        (await Promise.all(services.map((service) => service.isLive(identity)))).every(Boolean)
      await scope.register(authentication, { verifier, origins, isLive })
      await scope.register(adminRoutes, { sources: admin })
    })
    for (const service of services) await app.register(service.routes)
    for (const plugin of plugins) await app.register(plugin)
  }

  async function start(parts: HostParts): ReturnType<Host['start']> {
    const { services, resources } = parts
    /** To be called from the last to the first, each with the time that is left for requests, in milliseconds. */
    const stops: ((leftMs: number) => Promise<unknown>)[] = [...resources].toReversed()
    if (tracing) stops.push(() => tracing.stop())
    let stopping: Promise<void> | undefined
    const stop = (): Promise<void> => (stopping ??= end())
    async function end(): Promise<void> {
      draining = true
      const leadMs = Date.now() - askedAt < ASKED_MS ? LEAD_MS : 0
      await delay(leadMs)
      for (const next of stops.toReversed()) await next(REQUEST_DRAIN_MS - leadMs)
    }
    // Whoever is answered meanwhile shall come back by another connection, which leads to another process.
    app.addHook('onSend', async (_request, reply) => {
      if (draining) reply.header('connection', 'close')
    })
    try {
      await mount(parts)
      // Each waits for the database a few times: one after the other that is most of the time that Pando takes to start.
      const starts = await Promise.allSettled(services.map((service) => service.start()))
      for (const [i, { status }] of starts.entries()) if (status === 'fulfilled') stops.push(() => services[i]!.stop())
      for (const start of starts) if (start.status === 'rejected') throw start.reason
      const metrics = await startMetrics({
        port: config.metricsPort,
        host: '127.0.0.1',
        log,
        collect(registry) {
          registerServices(registry, services, log)
          registerSagas(registry, services)
          registerStreams(registry, hub)
          registerRequests(registry, app)
        },
      })
      stops.push(() => metrics.stop())
      if (config.metricsPort === 0 && metrics.url !== undefined) log.info(`the metrics are at ${metrics.url}`)
      // Streams end first: the server waits for every answer that is under way.
      stops.push((leftMs) => Promise.all([hub.stop(STREAM_DRAIN_MS), close(app, log, leftMs)]))
      const url = await app.listen({ port: config.port, host: config.host, backlog: BACKLOG })
      return { url: urlOf(config.host, url), metricsUrl: metrics.url, stop }
    } catch (thrown) {
      await stop()
      throw thrown
    }
  }

  async function describe(parts: HostParts): Promise<object> {
    await mount(parts)
    await app.ready()
    return app.swagger()
  }

  return { app, hub, origins, traceOf: (service) => tracing?.of(service), start, describe }
}

/** Lets what is under way be answered. Who has not sent all of a request by then, or does not read the answer, is cut off. */
async function close(app: App, log: Logger, leftMs: number): Promise<void> {
  const timer = setTimeout(() => {
    log.warn(`connections with requests that were not done within ${REQUEST_DRAIN_MS} ms are cut off`)
    app.server.closeAllConnections()
  }, leftMs)
  await app.close().finally(() => clearTimeout(timer))
}

// Fastify answers with the first address it listens on; people know theirs by what they asked for.
function urlOf(host: string, listening: string): string {
  const { port } = new URL(listening)
  return `http://${host.includes(':') ? `[${host}]` : host}:${port || '80'}`
}
