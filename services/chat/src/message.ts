import type { MessageView, SenderView, SystemView } from '@pando/events/views'
import type { Tx } from '@pando/saga'

/** A message as its row has it. */
export interface MessageRow {
  roomId: string
  seq: number
  senderId: string | null
  senderName: string | null
  kind: MessageView['kind']
  text: string | null
  imageId: string | null
  /** A SystemView as JSON. */
  system: string | null
  clientMessageId: string | null
  createdAt: Date
  deletedAt: Date | null
}

/** What a query selects from chat.message, called m, to get a MessageRow. */
export const MESSAGE_COLUMNS = `m.room_id as "roomId", m.seq, m.sender_id as "senderId", m.sender_name as "senderName", m.kind, m.text,
  m.image_id as "imageId", m.system, m.client_message_id as "clientMessageId", m.created_at as "createdAt", m.deleted_at as "deletedAt"`

/** The message as everybody in the room sees it. */
export function messageView(row: MessageRow): MessageView {
  const { roomId, seq, senderId, senderName, kind, text, imageId, system, clientMessageId } = row
  return {
    roomId,
    seq,
    sender: senderId === null ? null : { id: senderId, displayName: senderName ?? '' },
    kind,
    text,
    ...(imageId !== null && { imageId }),
    ...(system !== null && { system: JSON.parse(system) as SystemView }),
    ...(clientMessageId !== null && { clientMessageId }),
    createdAt: row.createdAt.toISOString(),
    deletedAt: row.deletedAt?.toISOString() ?? null,
  }
}

/** A message that gets its place in a room. */
export interface NewMessage {
  roomId: string
  sender?: SenderView
  text?: string | undefined
  imageId?: string | undefined
  system?: SystemView
  clientMessageId?: string
}

/**
 * Puts messages behind the last ones of their rooms, in the order given, within this transaction, which has locked the rooms (`lastSeqs`:
 * by room, moved on here). Returns the rows; the statements are under way.
 */
export function addMessages(tx: Tx, lastSeqs: Map<string, number>, messages: readonly NewMessage[]): MessageRow[] {
  const createdAt = new Date()
  const rows = messages.map(({ roomId, sender, text, imageId, system, clientMessageId }): MessageRow => {
    const seq = lastSeqs.get(roomId)! + 1
    lastSeqs.set(roomId, seq)
    return {
      roomId,
      seq,
      senderId: sender?.id ?? null,
      senderName: sender?.displayName ?? null,
      kind: system ? 'system' : imageId === undefined ? 'text' : 'image',
      text: text ?? null,
      imageId: imageId ?? null,
      system: system ? JSON.stringify(system) : null,
      clientMessageId: clientMessageId ?? null,
      createdAt,
      deletedAt: null,
    }
  })
  tx.send(
    `insert into chat.message (room_id, seq, sender_id, sender_name, kind, text, image_id, system, client_message_id, created_at)
     select *, $10::timestamptz from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::text[], $9::uuid[])`,
    [
      rows.map((row) => row.roomId),
      rows.map((row) => row.seq),
      rows.map((row) => row.senderId),
      rows.map((row) => row.senderName),
      rows.map((row) => row.kind),
      rows.map((row) => row.text),
      rows.map((row) => row.imageId),
      rows.map((row) => row.system),
      rows.map((row) => row.clientMessageId),
      createdAt,
    ],
  )
  const moved = [...new Set(rows.map(({ roomId }) => roomId))]
  tx.send(
    `update chat.room r set last_seq = n.seq, active_at = $3 from unnest($1::uuid[], $2::bigint[]) n(room_id, seq) where r.id = n.room_id`,
    [moved, moved.map((roomId) => lastSeqs.get(roomId)!), createdAt],
  )
  return rows
}
