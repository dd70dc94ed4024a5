// The only file that knows OpenTelemetry. Import it when traces are wanted and not before: it brings 20 MB of packages with it.
import { hostname } from 'node:os'
import {
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace as otel,
  type Tracer,
} from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import type { Operation, Subject, Trace } from '@pando/saga'
import type { Logger } from './log.ts'

/** The request's part of a trace. */
export interface RequestSpan {
  /** The context of what the request causes; its flag says whether the trace is recorded. */
  readonly traceparent: string
  /** `status`: undefined when there was no answer. */
  end(status: number | undefined): void
}

/** Makes spans and sends them to a collector. */
export interface Tracing {
  /** The spans of a service's events. */
  of(service: string): Trace
  /** Begins the span of a request, below the caller's `traceparent`, else as a trace of its own. */
  request(method: string, route: string, traceparent: string | undefined): RequestSpan
  /** Sends what is left, for 2 s at most. */
  stop(): Promise<void>
}

export interface TracingOptions {
  /** The collector's base address; traces go to `/v1/traces` below it, as OTLP over HTTP. */
  endpoint: string
  /** Which share of the traces that begin here is recorded; of others their caller has decided. */
  ratio: number
  /** What the process calls itself. */
  name: string
  version: string
  log: Logger
}

const EXPORT_EVERY_MS = 1_000
const EXPORT_TIMEOUT_MS = 5_000
const LAST_EXPORT_MS = 2_000
const COMPLAIN_EVERY_MS = 60_000

const KINDS: Record<Operation, SpanKind> = {
  publish: SpanKind.PRODUCER,
  react: SpanKind.CONSUMER,
  push: SpanKind.INTERNAL,
}

/**
 * Traces of this process. Nothing ever waits for the collector: spans are sent behind the scenes, and dropped when it is away (which
 * is told once a minute) or when more than 2,048 wait. No span holds data of an event, a key, a path, the id of a saga (which may be
 * a secret), or the text of an error (which may quote a row).
 */
export function createTracing({ endpoint, ratio, name, version, log }: TracingOptions): Tracing {
  const url = `${endpoint.replace(/\/$/, '')}/v1/traces`
  const exporter = complaining(new OTLPTraceExporter({ url, timeoutMillis: EXPORT_TIMEOUT_MS }), url, log)
  const processor = new BatchSpanProcessor({
    exporter,
    scheduledDelayMillis: EXPORT_EVERY_MS,
    exportTimeoutMillis: EXPORT_TIMEOUT_MS,
  })
  const sampler = new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) })
  const instance = `${hostname()}:${process.pid}`
  // A resource is a provider's own, and each service of the process is one.
  const tracerOf = (service: string): Tracer =>
    new TracerProvider({
      sampler,
      spanProcessors: [processor],
      resource: resourceFromAttributes({
        'service.namespace': 'pando',
        'service.name': service,
        'service.version': version,
        'service.instance.id': instance,
      }),
    }).getTracer('pando', version)
  const requests = tracerOf(name)
  let stopping: Promise<void> | undefined

  return {
    of(service) {
      const tracer = tracerOf(`pando-${service}`)
      return {
        begin(operation, subject) {
          const span = tracer.startSpan(
            `${operation} ${subject.type}`,
            { kind: KINDS[operation], attributes: attributesOf(operation, subject) },
            below(subject.traceparent),
          )
          if (!span.isRecording()) return undefined
          return { traceparent: traceparentOf(span), end: (error) => end(span, error && kindOf(error)) }
        },
      }
    },
    request(method, route, traceparent) {
      const attributes = { 'http.request.method': method, 'http.route': route }
      const span = requests.startSpan(`${method} ${route}`, { kind: SpanKind.SERVER, attributes }, below(traceparent))
      return {
        traceparent: traceparentOf(span),
        end(status) {
          if (status !== undefined) span.setAttribute('http.response.status_code', status)
          end(span, status !== undefined && status >= 500 ? String(status) : undefined)
        },
      }
    },
    stop: () => (stopping ??= finish()),
  }

  async function finish(): Promise<void> {
    const { promise: patience, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, LAST_EXPORT_MS)
    // Why the last spans could not be sent is told by the exporter.
    await Promise.race([processor.shutdown(), patience]).catch(() => {})
    clearTimeout(timer)
  }
}

// By the semantic conventions of OpenTelemetry for messages, as far as they have names for it.
function attributesOf(operation: Operation, { topic, id, partition, offset, tries, version, type }: Subject) {
  if (operation === 'push') return { 'pando.saga.type': type, 'pando.saga.version': version }
  return {
    'messaging.system': 'pando',
    'messaging.operation.name': operation,
    'messaging.operation.type': operation === 'publish' ? 'send' : 'process',
    'messaging.destination.name': topic,
    'messaging.message.id': id,
    'messaging.destination.partition.id': partition === undefined ? undefined : String(partition),
    'pando.event.type': type,
    'pando.event.offset': offset,
    'pando.event.tries': tries,
  }
}

/** The context of a W3C traceparent that is known to be well-formed. */
function below(traceparent: string | undefined): Context {
  if (traceparent === undefined) return ROOT_CONTEXT
  const [, traceId, spanId, flags] = traceparent.split('-') as [string, string, string, string]
  return otel.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: parseInt(flags, 16), isRemote: true })
}

function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext()
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
}

function end(span: Span, errorType: string | undefined): void {
  if (errorType !== undefined) span.setAttribute('error.type', errorType).setStatus({ code: SpanStatusCode.ERROR })
  span.end()
}

function kindOf(error: Error): string {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : error.name
}

/** Tells of a collector that is away, but not with every batch. */
function complaining(exporter: SpanExporter, url: string, log: Logger): SpanExporter {
  let complainedAt = -Infinity
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        if (result.error && performance.now() - complainedAt >= COMPLAIN_EVERY_MS) {
          complainedAt = performance.now()
          log.warn({ err: result.error }, `${spans.length} spans could not be sent to ${url}`)
        }
        done(result)
      })
    },
    forceFlush: async () => exporter.forceFlush?.(),
    shutdown: () => exporter.shutdown(),
  }
}
