import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Static } from 'typebox'

/** Something that this process cannot work without. */
export interface HealthCheck {
  /** As clients see it: `database`, `transport`. */
  name: string
  /** Throws when it does not work. */
  check(): Promise<unknown>
}

export interface HealthOptions {
  checks: readonly HealthCheck[]
  /** True from the moment on when the process wants no more requests. */
  isDraining: () => boolean
  /** Told of every question for readiness. */
  onAsk?: () => void
  /** For each check; default 1000. */
  timeoutMs?: number
}

const Health = Type.Object({
  status: Type.Enum(['ok', 'failed', 'draining']),
  checks: Type.Record(Type.String(), Type.Enum(['ok', 'failed'])),
})

/** `/api/health/live` (the process answers) and `/api/health/ready` (it also can work: every check passes in time). */
export const healthRoutes: FastifyPluginAsyncTypebox<HealthOptions> = async (
  app,
  { checks, isDraining, onAsk, timeoutMs = 1000 },
) => {
  const config = { rateLimit: false } as const
  const probes = checks.map((on) => ({ name: on.name, passes: oneAtATime(async () => on.check()), isFailing: false }))

  app.get(
    '/api/health/live',
    {
      config,
      schema: {
        summary: 'Whether the process answers',
        response: { 200: Type.Object({ status: Type.Literal('ok') }) },
      },
    },
    async () => ({ status: 'ok' as const }),
  )

  app.get(
    '/api/health/ready',
    { config, schema: { summary: 'Whether it can do its work', response: { 200: Health, 503: Health } } },
    async (request, reply) => {
      onAsk?.()
      const results = await Promise.all(
        probes.map(async (probe) => {
          const { name, passes, isFailing } = probe
          const failure = await within(timeoutMs, passes())
          probe.isFailing = failure !== undefined
          // Told when it begins: a balancer asks several times a second.
          if (probe.isFailing && !isFailing) request.log.warn({ err: failure, check: name }, 'not ready')
          return [name, probe.isFailing ? 'failed' : 'ok'] as const
        }),
      )
      const failed = results.some(([, result]) => result === 'failed')
      const health: Static<typeof Health> = {
        status: isDraining() ? 'draining' : failed ? 'failed' : 'ok',
        checks: Object.fromEntries(results),
      }
      if (health.status !== 'ok') reply.code(503).header('retry-after', '1')
      return health
    },
  )
}

// However often it is asked, a check runs once at a time: one that hangs must not pile up.
function oneAtATime(check: () => Promise<unknown>): () => Promise<unknown> {
  let running: Promise<unknown> | undefined
  return () => (running ??= check().finally(() => (running = undefined)))
}

// What went wrong; undefined when nothing did.
async function within(ms: number, running: Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise((resolve) => {
    timer = setTimeout(() => resolve(new Error(`no result in ${ms} ms`)), ms)
  })
  const done = running.then(
    () => undefined,
    (thrown: unknown) => thrown ?? new Error('failed'),
  )
  const failure = await Promise.race([done, tooLate])
  clearTimeout(timer)
  return failure
}
