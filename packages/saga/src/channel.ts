import type { Connection, Database } from './database.ts'
import { asError } from './errors.ts'

// Texts for all other processes on a database, by LISTEN and NOTIFY on a connection of its own: a NOTIFY in a business transaction makes
// all commits queue for one lock, which costs more than half of the throughput. Best effort: what is said while nobody is connected is lost.

// PostgreSQL takes less than 8,000.
const PAYLOAD_BYTES = 7_000
const QUEUED_TEXTS = 10_000

export interface Channel {
  /** Connects, unless it is connected. Rejects when the database cannot be reached. */
  open(): Promise<void>
  /** Says a text without line breaks to the others; what comes while one notification is under way travels with the next. */
  send(text: string): void
  close(): Promise<void>
}

/** `onTexts` gets what the other processes say, in batches. */
export function createChannel(options: {
  db: Database
  name: string
  onTexts: (texts: readonly string[]) => void
  onError: (error: Error) => void
}): Channel {
  const { db, name, onTexts, onError } = options
  const me = crypto.randomUUID()
  let connection: Connection | undefined
  let outgoing: string[] = []
  let sending = false

  function hear(payload: string): void {
    const [sender, ...texts] = payload.split('\n')
    if (sender === me) return
    try {
      onTexts(texts)
    } catch (thrown) {
      // Thrown on, it would end the process from within the connection's parser.
      onError(asError(thrown))
    }
  }

  async function notify(): Promise<void> {
    sending = true
    try {
      while (outgoing.length > 0 && connection)
        await connection.query('select pg_notify($1, $2)', [name, [me, ...takeSome()].join('\n')])
    } catch (thrown) {
      onError(asError(thrown))
    } finally {
      outgoing = []
      sending = false
    }
  }

  function takeSome(): string[] {
    let bytes = 0
    let count = 0
    while (count < outgoing.length && bytes <= PAYLOAD_BYTES) bytes += Buffer.byteLength(outgoing[count++]!) + 1
    return outgoing.splice(0, bytes > PAYLOAD_BYTES ? count - 1 : count)
  }

  return {
    async open() {
      if (connection) return
      const fresh = await db.connect(hear)
      try {
        await fresh.query(`listen ${name}`)
      } catch (thrown) {
        await fresh.close()
        throw thrown
      }
      connection = fresh
      void fresh.lost.then(() => {
        if (connection === fresh) connection = undefined
      })
    },
    send(text) {
      if (Buffer.byteLength(text) >= PAYLOAD_BYTES)
        return onError(new Error('a hint is too long for a notification; it is lost'))
      if (outgoing.length < QUEUED_TEXTS) outgoing.push(text)
      if (!sending) void notify()
    },
    async close() {
      const closing = connection
      connection = undefined
      await closing?.close()
    },
  }
}
