import type { StreamEventData } from '@pando/events/stream'
import type { Queryable } from '@pando/saga'
import type { Ephemeral } from '@pando/service'
import { loadWriters, type Place, placeKey, refusalOf } from './writers.ts'

/** Tells the others in the room that somebody types, if their streams are open. Throws what sending a message there would. */
export async function tellTyping(db: Queryable, ephemeral: Ephemeral, place: Place): Promise<void> {
  const { roomId, userId } = place
  const [writers, members] = await Promise.all([
    loadWriters(db, [place]),
    db.query<{ userId: string }>(
      'select user_id as "userId" from chat.room_member where room_id = $1 and user_id <> $2 and left_at is null',
      [roomId, userId],
    ),
  ])
  const refusal = refusalOf(writers.get(placeKey(place)))
  if (refusal) throw refusal
  const data = { roomId, userId } satisfies StreamEventData['typing']
  ephemeral.send(
    members.map((member) => member.userId),
    'typing',
    data,
  )
}
