import { PassThrough, type Readable } from 'node:stream'

/** The event streams that pass through this process. */
export interface EventStreams {
  /** What comes from a service, to be sent to the client: as it comes, and cut off when it is cut off. */
  pass(source: Readable): Readable
  /** Ends all, spread over this time, so that clients do not come back all at once; each goes on from where it was, elsewhere. */
  end(overMs: number): void
}

export function createEventStreams(): EventStreams {
  const open = new Map<PassThrough, Readable>()
  return {
    pass(source) {
      const stream = new PassThrough()
      open.set(stream, source)
      source.on('error', (err) => stream.destroy(err))
      source.on('close', () => {
        if (!source.readableEnded) stream.destroy()
      })
      // The client has it all, or has left.
      stream.on('close', () => {
        open.delete(stream)
        source.destroy()
      })
      return source.pipe(stream)
    },
    end(overMs) {
      for (const [stream, source] of open)
        setTimeout(() => {
          // Half an event at the end is none to the client.
          source.unpipe(stream)
          stream.end()
        }, Math.random() * overMs)
    },
  }
}
