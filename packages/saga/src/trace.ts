import { asError } from './errors.ts'

// The seam to a tracing library; this package has none. What goes through the log already carries its trace (`traceparent`), so that
// no context has to be handed down through the code: an event that is reacted to gets the context of its own span, and what answers it
// takes that over. Each event has its span, also when hundreds are handled in one go: they belong to as many traces, each recorded or
// not by its own flag. One span for all of them would be in none of these traces, and links lead nowhere while one is watching.

/** `publish`: into the log. `react`: its effect, up to the commit. `push`: a version of a saga to the clients that watch it here. */
export type Operation = 'publish' | 'react' | 'push'

/** What a span is about: an event, with its place once it has one, or a version of a saga. */
export interface Subject {
  readonly type: string
  /** W3C Trace Context; without one it belongs to no trace. */
  readonly traceparent?: string | undefined
  readonly version?: number
  readonly id?: string
  readonly topic?: string
  readonly partition?: number
  readonly offset?: number
  /** Which try it is, from 1. */
  readonly tries?: number
}

/** Something under way. One that is never ended is forgotten. */
export interface Span {
  /** The context of what it causes. */
  readonly traceparent: string
  end(error?: Error): void
}

export interface Trace {
  /** Begins a span below the subject's `traceparent`; undefined when that trace is not recorded. Must not throw. */
  begin(operation: Operation, subject: Subject & { traceparent: string }): Span | undefined
}

/** The spans of one piece of work. */
export interface Spans {
  /** Begins a span for each of these that is traced; returns them as they are to be passed on, below their spans. */
  begin<S extends Subject>(operation: Operation, subjects: readonly S[]): S[]
}

/** Does `work`, and ends the spans it begins when it is done or has failed. Without a trace it gets no `spans`. */
export async function traced<T>(trace: Trace | undefined, work: (spans: Spans | undefined) => Promise<T>): Promise<T> {
  if (!trace) return work(undefined)
  const open: Span[] = []
  const begin: Spans['begin'] = (operation, subjects) =>
    subjects.map((subject) => {
      const { traceparent } = subject
      const span = traceparent === undefined ? undefined : trace.begin(operation, { ...subject, traceparent })
      if (!span) return subject
      open.push(span)
      return { ...subject, traceparent: span.traceparent }
    })
  try {
    const result = await work({ begin })
    for (const span of open) span.end()
    return result
  } catch (thrown) {
    for (const span of open) span.end(asError(thrown))
    throw thrown
  }
}

/** The trace of an envelope in JSON. */
export function traceparentIn(body: string): string | undefined {
  try {
    const { traceparent }: { traceparent?: unknown } = JSON.parse(body)
    return typeof traceparent === 'string' ? traceparent : undefined
  } catch {
    return undefined
  }
}
