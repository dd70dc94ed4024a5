// People who talk in rooms, each followed on a stream of their own, and who remember what they were told.
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { MessageView, RoomView } from '@pando/events/views'
import type { Queryable } from '@pando/saga'
import type { Random } from '@pando/saga/testing'
import { type Caller, createCallers } from './callers.ts'
import type { Answer } from './client.ts'
import { type Guest, guestOf } from './load.ts'
import type { Person } from './people.ts'
import type { Scope } from './postgres.ts'
import { until } from './until.ts'
import { followUser, type UserStream } from './user-stream.ts'

const PEOPLE = 6
const SETTLE_MS = 60_000

interface Talker extends Caller {
  stream: UserStream
}

/** A message whose place was told to its sender. */
interface Sent {
  roomId: string
  seq: number
  senderId: string
  clientMessageId: string
  text: string
}

export interface ChatLoad {
  /** The talkers, as the oracle knows people. */
  readonly guests: readonly Guest[]
  readonly faults: readonly string[]
  /** Nothing new is said from now on; resolves when all that was said has been answered. */
  stop(): Promise<void>
  /**
   * When everything has come to rest: what is wrong in the chat's database or on the streams, and what was counted. Messages are there
   * once, at the place that was told; places are dense; everybody was told of every message once, in order.
   */
  judge(chat: Queryable): Promise<{ faults: string[]; counts: Record<string, number> }>
}

/** `urls` are asked anew for each request; while none of them answers, a message is sent again and again, as a good client does. */
export async function createChatLoad(
  scope: Scope,
  { random, urls }: { random: Random; urls: () => readonly string[] },
): Promise<ChatLoad> {
  const faults: string[] = []
  const sent: Sent[] = []
  const counts = { 'messages sent': 0, 'sent again': 0, 'messages deleted': 0, 'rooms read': 0 }
  const { join, access, ask } = createCallers({ random, urls, onRepeat: () => void counts['sent again']++ })
  const talkers = await Promise.all(
    (await join(PEOPLE)).map(async (caller) => {
      const talker: Talker = { ...caller, stream: undefined as never }
      talker.stream = await followUser(scope, () => access(talker))
      return talker
    }),
  )
  const people = talkers.map(({ person }) => person)
  const rooms = await openRooms(people)
  const running = { stopped: false }
  scope.after(async () => void (running.stopped = true))

  async function say(talker: Talker): Promise<void> {
    const room = random.pick(rooms.filter(({ members }) => members.some(({ user }) => user.id === talker.person.id)))
    const body = { clientMessageId: randomUUID(), text: `${talker.person.username} ${counts['messages sent']} 🌱` }
    const answer = await ask(talker, (client) => client.post<MessageView>(`/api/rooms/${room.id}/messages`, body))
    if (answer.status !== 201 && answer.status !== 200)
      return void faults.push(`a message was answered ${answer.status} ${answer.text}`)
    counts['messages sent']++
    sent.push({ ...body, roomId: room.id, seq: answer.body.seq, senderId: talker.person.id })
  }

  async function read(talker: Talker): Promise<void> {
    const { roomId, seq } = random.pick(sent)
    const answer = await ask(talker, (client) => client.put(`/api/rooms/${roomId}/read`, { seq }))
    if (answer.status === 204) counts['rooms read']++
    else if (answer.status !== 404) faults.push(`reading was answered ${answer.status} ${answer.text}`)
  }

  async function takeBack(talker: Talker): Promise<void> {
    const own = sent.filter(({ senderId }) => senderId === talker.person.id)
    if (own.length === 0) return
    const { roomId, seq } = random.pick(own)
    const answer = await ask(talker, (client) => client.delete(`/api/rooms/${roomId}/messages/${seq}`))
    if (answer.status === 204) counts['messages deleted']++
    else faults.push(`deleting was answered ${answer.status} ${answer.text}`)
  }

  async function talk(talker: Talker): Promise<void> {
    while (!running.stopped) {
      await random.pick(sent.length === 0 ? [say] : [say, say, say, say, say, say, read, read, takeBack])(talker)
      await delay(random.below(60))
    }
  }
  const done = Promise.all(
    talkers.map((talker) => talk(talker).catch((thrown: unknown) => void faults.push(String(thrown)))),
  )

  return {
    guests: people.map(guestOf),
    faults,
    async stop() {
      running.stopped = true
      await done
    },
    async judge(chat) {
      const found = await misplaced(chat, rooms, sent)
      for (const talker of talkers) {
        await until('the stream has told all', () => untold(talker, rooms, sent).length === 0, SETTLE_MS).catch(() =>
          found.push(...untold(talker, rooms, sent).slice(0, 5)),
        )
        found.push(
          ...[...talker.stream.faults(), ...disordered(talker)].map((what) => `${talker.person.username}: ${what}`),
        )
      }
      const breaks = talkers.reduce((sum, { stream }) => sum + stream.breaks, 0)
      const told = talkers.reduce((sum, { stream }) => sum + stream.stored().length, 0)
      return { faults: found, counts: { ...counts, 'breaks of user streams': breaks, 'events on them': told } }
    },
  }
}

/** Everybody is everybody's friend; a direct room for each neighbours' pair, a group of all and one of half. */
async function openRooms(people: readonly Person[]): Promise<RoomView[]> {
  const must = async <Body>(asked: Promise<Answer<Body>>): Promise<Body> => {
    const answer = await asked
    if (answer.status >= 300) throw new Error(`${answer.status} ${answer.text}`)
    return answer.body
  }
  const [host, ...others] = people as [Person, ...Person[]]
  for (const { id } of others) await must(host.client.put(`/api/friends/${id}`))
  const group = (name: string, some: readonly Person[]) =>
    must(host.client.post<RoomView>('/api/rooms', { type: 'group', name, userIds: some.map(({ id }) => id) }))
  const rooms = [await group('모두', others), await group('half', others.slice(0, others.length / 2))]
  for (const [i, { client }] of people.entries())
    rooms.push(
      await must(client.post<RoomView>('/api/rooms', { type: 'direct', userId: people[(i + 1) % people.length]!.id })),
    )
  return rooms
}

/** Messages that are not where their senders were told, and places without a message. */
async function misplaced(chat: Queryable, rooms: readonly RoomView[], sent: readonly Sent[]): Promise<string[]> {
  const rows = await chat.query<{ roomId: string; seq: number; clientMessageId: string | null }>(
    'select room_id as "roomId", seq, client_message_id as "clientMessageId" from chat.message where room_id = any($1::uuid[]) order by room_id, seq',
    [rooms.map(({ id }) => id)],
  )
  const heads = await chat.query<{ id: string; lastSeq: number }>(
    'select id, last_seq as "lastSeq" from chat.room where id = any($1::uuid[])',
    [rooms.map(({ id }) => id)],
  )
  const byRoom = Map.groupBy(rows, ({ roomId }) => roomId)
  const places = Map.groupBy(rows, ({ clientMessageId }) => clientMessageId ?? '')
  return [
    ...heads
      .filter(({ id, lastSeq }) => {
        const seqs = (byRoom.get(id) ?? []).map(({ seq }) => seq)
        return seqs.length !== lastSeq || seqs.some((seq, i) => seq !== i + 1)
      })
      .map(({ id, lastSeq }) => `room ${id} with lastSeq ${lastSeq} has ${byRoom.get(id)?.length ?? 0} messages`),
    ...sent.flatMap(({ clientMessageId, roomId, seq }) => {
      const found = places.get(clientMessageId) ?? []
      return found.length === 1 && found[0]!.roomId === roomId && found[0]!.seq === seq
        ? []
        : [`message ${clientMessageId}, told to be ${roomId} ${seq}, is there ${found.length} times`]
    }),
  ]
}

/** What a member of the rooms was not told. */
function untold(
  { person: { id, username }, stream }: Talker,
  rooms: readonly RoomView[],
  sent: readonly Sent[],
): string[] {
  const mine = new Set(rooms.filter(({ members }) => members.some(({ user }) => user.id === id)).map((room) => room.id))
  const told = new Set(createdOn(stream).map(({ clientMessageId }) => clientMessageId))
  return sent
    .filter(({ roomId, clientMessageId }) => mine.has(roomId) && !told.has(clientMessageId))
    .map(({ roomId, seq }) => `${username} was not told of ${roomId} ${seq}`)
}

/** Messages that came out of order, or twice. */
function disordered({ stream }: Talker): string[] {
  const last = new Map<string, number>()
  return createdOn(stream).flatMap(({ roomId, seq }) => {
    const before = last.get(roomId) ?? 0
    last.set(roomId, seq)
    return seq === before + 1 ? [] : [`in ${roomId} message ${seq} came after ${before}`]
  })
}

const createdOn = (stream: UserStream): MessageView[] =>
  stream
    .stored()
    .filter(({ event }) => event === 'message.created')
    .map(({ data }) => JSON.parse(data) as MessageView)
