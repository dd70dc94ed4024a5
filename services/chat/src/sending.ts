import { chatImageShared, chatMessageCreated } from '@pando/events'
import type { MessageView } from '@pando/events/views'
import { append, type Database, type Queryable, transaction, type Tx } from '@pando/saga'
import { type Batched, createBatcher, Problem } from '@pando/service'
import { isThere, lockImages, takeImages } from './images.ts'
import { addMessages, MESSAGE_COLUMNS, type MessageRow, messageView } from './message.ts'
import { saveReads } from './read-state.ts'
import { lockRooms } from './room.ts'
import { loadWriters, type Place, placeKey, refusalOf, type Writer } from './writers.ts'

/** A message that somebody wants to send; the sender's `clientMessageId` says which attempts are the same one. */
export type Sending = Place & {
  clientMessageId: string
  traceparent?: string | undefined
} & Content

/** What a message says, or shows. */
export type Content = { text: string; imageId?: undefined } | { text?: undefined; imageId: string }

/** The message as it is stored; `isNew`: by this very attempt. */
export interface Sent {
  message: MessageView
  isNew: boolean
}

/**
 * Sends messages; what is sent at the same time shares a transaction. One that may not be sent rejects with its Problem. An image that was
 * uploaded a moment ago, and is not known here yet, is waited for, outside of the transaction.
 */
export function createSending(db: Database): Batched<Sending, Sent> {
  const attempt = createBatcher<Sending, Sent | undefined>((sendings) => transaction(db, (tx) => sendAll(tx, sendings)))
  return async (sending) => {
    const { imageId } = sending
    let sent = await attempt(sending)
    if (!sent && imageId !== undefined && (await isThere(db, imageId))) sent = await attempt(sending)
    if (sent) return sent
    throw new Problem('validation_failed', {
      errors: [{ path: '/imageId', message: 'is no image of yours, or is in use already' }],
    })
  }
}

/** What becomes of each; undefined for one whose image is not there for its sender to be sent. */
async function sendAll(tx: Tx, sendings: readonly Sending[]): Promise<(Sent | Problem | undefined)[]> {
  // In one go: by the time the later statements run, the rooms are locked, so they see all that was sent before.
  const [rooms, writers, earlier, images] = await Promise.all([
    lockRooms(
      tx,
      sendings.map(({ roomId }) => roomId),
    ),
    loadWriters(tx, sendings),
    loadEarlier(tx, sendings),
    lockImages(
      tx,
      sendings.flatMap(({ imageId }) => imageId ?? []),
    ),
  ])
  const lastSeqs = new Map([...rooms].map(([id, { lastSeq }]) => [id, lastSeq]))
  const { decisions, accepted } = decide(sendings, { lastSeqs, writers, earlier, images })
  if (accepted.length === 0) return decisions.map((decision) => resultOf(decision, []))
  const views = addMessages(
    tx,
    lastSeqs,
    accepted.map(({ roomId, userId, clientMessageId, text, imageId }) => {
      const { displayName } = writers.get(placeKey({ roomId, userId }))!
      return { roomId, sender: { id: userId, displayName }, text, imageId, clientMessageId }
    }),
  ).map(messageView)
  // Whoever sends has read up to there.
  const ownReads = accepted.map(({ roomId, userId }, i) => ({ roomId, userId, seq: views[i]!.seq }))
  saveReads(tx, [...new Map(ownReads.map((own) => [placeKey(own), own])).values()])
  takeImages(
    tx,
    accepted.flatMap(({ imageId }) => imageId ?? []),
  )
  for (const [i, message] of views.entries()) {
    const { roomId, userId, imageId, traceparent } = accepted[i]!
    if (imageId !== undefined) append(tx, chatImageShared({ roomId, imageId, userId }), { traceparent })
    append(tx, chatMessageCreated({ message }), { traceparent })
  }
  return decisions.map((decision) => resultOf(decision, views))
}

/** A refusal, no such image, a message that is stored already, or the place among those that are stored now. */
type Decision = Problem | 'no_image' | { earlier: MessageView } | { place: number; isNew: boolean }

/** What becomes of each, in the order in which they came. Who has sent something may ask for it again, whatever has happened since. */
function decide(
  sendings: readonly Sending[],
  known: {
    lastSeqs: ReadonlyMap<string, number>
    writers: ReadonlyMap<string, Writer>
    earlier: ReadonlyMap<string, MessageRow>
    images: ReadonlyMap<string, string>
  },
): { decisions: Decision[]; accepted: Sending[] } {
  const accepted: Sending[] = []
  const placeOf = new Map<string, number>()
  const unsent = new Map(known.images)
  const decisions = sendings.map((sending): Decision => {
    const writer = known.writers.get(placeKey(sending))
    if (!writer || !known.lastSeqs.has(sending.roomId)) return new Problem('not_found')
    const key = sendingKey(sending)
    const earlier = known.earlier.get(key)
    if (earlier)
      return earlier.deletedAt !== null || isSame(sending, earlier) ? { earlier: messageView(earlier) } : mismatch()
    const place = placeOf.get(key)
    if (place !== undefined) return isSame(sending, accepted[place]!) ? { place, isNew: false } : mismatch()
    const refusal = refusalOf(writer)
    if (refusal) return refusal
    const { imageId, userId } = sending
    if (imageId !== undefined) {
      if (unsent.get(imageId) !== userId) return 'no_image'
      unsent.delete(imageId)
    }
    placeOf.set(key, accepted.push(sending) - 1)
    return { place: accepted.length - 1, isNew: true }
  })
  return { decisions, accepted }
}

function resultOf(decision: Decision, stored: readonly MessageView[]): Sent | Problem | undefined {
  if (decision === 'no_image') return undefined
  if (decision instanceof Problem) return decision
  if ('earlier' in decision) return { message: decision.earlier, isNew: false }
  return { message: stored[decision.place]!, isNew: decision.isNew }
}

/** Whether it says the same: a row has null for what is not there. */
const isSame = ({ text, imageId }: Content, other: Pick<MessageRow, 'text' | 'imageId'> | Content): boolean =>
  (text ?? null) === (other.text ?? null) && (imageId ?? null) === (other.imageId ?? null)

const sendingKey = (sending: Place & { clientMessageId: string }): string =>
  `${placeKey(sending)} ${sending.clientMessageId}`

const mismatch = (): Problem =>
  new Problem('conflict', {
    detail: 'You have sent another message with this clientMessageId to this room; a new message needs a new one.',
  })

/** What was sent before under the same clientMessageId, by sendingKey. */
async function loadEarlier(db: Queryable, sendings: readonly Sending[]): Promise<Map<string, MessageRow>> {
  const rows = await db.query<MessageRow>(
    `select ${MESSAGE_COLUMNS} from unnest($1::uuid[], $2::uuid[], $3::uuid[]) s(room_id, sender_id, client_message_id)
     join chat.message m on m.room_id = s.room_id and m.sender_id = s.sender_id and m.client_message_id = s.client_message_id`,
    [
      sendings.map(({ roomId }) => roomId),
      sendings.map(({ userId }) => userId),
      sendings.map(({ clientMessageId }) => clientMessageId),
    ],
  )
  return new Map(
    rows.map((row) => [
      sendingKey({ roomId: row.roomId, userId: row.senderId!, clientMessageId: row.clientMessageId! }),
      row,
    ]),
  )
}
