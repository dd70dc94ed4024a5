import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MessageView, NotificationView, RoomView } from '@pando/events/views'
import fc from 'fast-check'
import {
  applyToMessages,
  applyToNotifications,
  applyToRooms,
  type LiveEvent,
  type NotificationState,
} from '../src/index.ts'
import { ME, play, type Snapshot, type Step } from './chat-model.ts'

const ROUNDS = { numRuns: 2_000 }
const step: fc.Arbitrary<Step> = fc.record({
  does: fc.constantFrom(
    'open',
    'open',
    'send',
    'send',
    'send',
    'delete',
    'read',
    'read',
    'leave',
    'join',
    'join',
    'rename',
    'mute',
    'erase',
    'remove',
  ),
  who: fc.nat(3),
  which: fc.nat(5),
  seq: fc.nat(20),
})
const steps = fc.array(step, { minLength: 1, maxLength: 60 })
/** Where the state was fetched, how many events before that the stream goes on from, and breaks after which it goes back a little. */
const way = fc.record({
  fetched: fc.nat(),
  back: fc.nat(10),
  rewinds: fc.array(fc.record({ at: fc.nat(), by: fc.nat(8) }), { maxLength: 3 }),
})
type Way = typeof way extends fc.Arbitrary<infer T> ? T : never

/** The state of the client at the end, and whether it ever was what a fetch at that moment would have brought, once all was told. */
function fold<State>(
  { events, snapshots }: { events: readonly LiveEvent[]; snapshots: readonly Snapshot[] },
  { fetched, back, rewinds }: Way,
  {
    begin,
    apply,
    check,
  }: {
    begin: (snapshot: Snapshot) => State
    apply: (state: State, event: LiveEvent) => State
    check: (state: State, snapshot: Snapshot, since: number) => void
  },
): void {
  const first = snapshots[fetched % snapshots.length]!
  const from = Math.max(0, first.after - back)
  const rewindAt = new Map(rewinds.map(({ at, by }) => [at % (events.length + 1), by]))
  let state = begin(first)
  let told = first.after
  let earliest = from
  for (let at = from; at <= events.length;) {
    if (at >= told) {
      const now = snapshots.findLast(({ after }) => after === at)
      if (now && snapshots.indexOf(now) >= snapshots.indexOf(first)) check(state, now, earliest)
      told = at
    }
    const by = rewindAt.get(at)
    rewindAt.delete(at)
    if (by !== undefined) {
      at = Math.max(0, at - by)
      earliest = Math.min(earliest, at)
      continue
    }
    if (at === events.length) break
    state = apply(state, events[at++]!)
  }
}

test('rooms: state plus stream is what a fresh fetch brings, at every moment, with events that were known and events told again', () => {
  fc.assert(
    fc.property(steps, way, (does, how) => {
      fold(play(does), how, {
        begin: ({ rooms }): readonly RoomView[] => rooms,
        apply(rooms, event) {
          const after = applyToRooms(rooms, event, ME)
          assertNothingGoesBack(rooms, after)
          return after
        },
        check: (rooms, now) => assert.deepEqual(rooms, now.rooms),
      })
    }),
    ROUNDS,
  )
})

/** What is known of a room is not forgotten again while it is there, not even when older events are told. */
function assertNothingGoesBack(before: readonly RoomView[], after: readonly RoomView[]): void {
  for (const was of before) {
    const is = after.find(({ id }) => id === was.id)
    if (!is) continue
    assert.ok(is.lastSeq >= was.lastSeq && is.lastReadSeq >= was.lastReadSeq)
    assert.ok((is.lastMessage?.seq ?? 0) >= (was.lastMessage?.seq ?? 0))
    for (const { user, lastReadSeq } of was.members)
      assert.ok((is.members.find((member) => member.user.id === user.id)?.lastReadSeq ?? Infinity) >= lastReadSeq)
  }
}

test('messages: so are those of each room that one stays in, from any first one on', () => {
  fc.assert(
    fc.property(steps, way, fc.nat(5), (does, how, known) => {
      const played = play(does)
      type Lists = ReadonlyMap<string, readonly MessageView[]>
      fold(played, how, {
        begin: ({ rooms, messages }): Lists =>
          new Map(
            rooms.map(({ id, lastSeq }) => [
              id,
              known === 0 && lastSeq > 0 ? messages.get(id)! : messages.get(id)!.slice(-known),
            ]),
          ),
        apply: (lists, event) =>
          new Map([...lists].map(([roomId, list]) => [roomId, applyToMessages(list, event, roomId)])),
        check(lists, now, since) {
          const cameOrWent = new Set(
            played.events
              .slice(since, now.after)
              .flatMap(({ type, data }) =>
                type === 'room.deleted' ? data.roomId : type === 'room.opened' ? data.id : [],
              ),
          )
          for (const [roomId, list] of lists)
            if (!cameOrWent.has(roomId)) {
              const all = now.messages.get(roomId)!
              assert.deepEqual(list, all.slice(all.length - list.length))
              assert.equal(list.at(-1)?.seq, all.at(-1)?.seq)
            }
        },
      })
    }),
    ROUNDS,
  )
})

test('what tells nothing new gives back the same object; what does, changes no other', () => {
  fc.assert(
    fc.property(steps, (does) => {
      const { events, snapshots } = play(does)
      let rooms: readonly RoomView[] = structuredClone(snapshots[0]!.rooms)
      for (const event of events) {
        const before = structuredClone(rooms)
        const after = applyToRooms(rooms, event, ME)
        assert.deepEqual(rooms, before)
        assert.equal(applyToRooms(after, event, ME), after)
        const id =
          'id' in event.data && event.type !== 'saga.changed'
            ? event.data.id
            : 'roomId' in event.data
              ? event.data.roomId
              : ''
        for (const room of after) assert.ok(room.id === id || rooms.includes(room))
        rooms = after
      }
      const typing: LiveEvent = { type: 'typing', data: { roomId: rooms[0]?.id ?? '', userId: 'ann' }, id: undefined }
      assert.equal(applyToRooms(rooms, typing, ME), rooms)
      const list = [...snapshots.at(-1)!.messages.values()][0] ?? []
      assert.equal(applyToMessages(list, typing, rooms[0]?.id ?? ''), list)
    }),
    { numRuns: 300 },
  )
})

test('messages of other rooms, of the past and of the future are left out', () => {
  const message = (seq: number): MessageView => ({
    roomId: 'r',
    seq,
    sender: null,
    kind: 'text',
    text: `${seq}`,
    createdAt: '',
    deletedAt: null,
  })
  const created = (seq: number, roomId = 'r'): LiveEvent => ({
    type: 'message.created',
    data: { ...message(seq), roomId },
    id: 'e-1',
  })
  const list = [message(4), message(5)]
  for (const event of [created(3), created(4), created(5), created(7), created(6, 'other')])
    assert.equal(applyToMessages(list, event, 'r'), list)
  assert.deepEqual(
    applyToMessages(list, created(6), 'r').map(({ seq }) => seq),
    [4, 5, 6],
  )
})

test('a message counts as unread, whoever sent it: also somebody who has left by now', () => {
  const room: RoomView = {
    id: 'r',
    type: 'group',
    name: 'room',
    members: [],
    lastMessage: null,
    lastSeq: 4,
    lastReadSeq: 1,
    unread: 3,
    muted: false,
  }
  const sender = { id: 'gone', displayName: 'Gone' }
  const data: MessageView = { roomId: 'r', seq: 5, sender, kind: 'text', text: '', createdAt: '', deletedAt: null }
  const [after] = applyToRooms([room], { type: 'message.created', data, id: 'e-1' }, ME)
  assert.deepEqual(after, { ...room, lastMessage: data, lastSeq: 5, unread: 4 })
})

test('notifications: the number that is unread is right, whatever of the stream was known', () => {
  type Deed = { does: 'create' | 'read' | 'readAll'; which: number }
  const deeds = fc.array(
    fc.record({
      does: fc.constantFrom('create' as const, 'create' as const, 'read' as const, 'readAll' as const),
      which: fc.nat(),
    }),
    { maxLength: 30 },
  )
  fc.assert(
    fc.property(deeds, fc.nat(), fc.nat(5), fc.nat(5), (all: Deed[], fetched, later, back) => {
      const events: LiveEvent[] = []
      const states: NotificationState[] = []
      let items: NotificationView[] = []
      const unread = (): number => items.filter(({ readAt }) => readAt === null).length
      const commit = (): unknown => states.push({ items, unread: unread(), cursor: `e0-${events.length}` })
      commit()
      for (const { does, which } of all) {
        const id = `e0-${events.length + 1}`
        if (does === 'create') {
          const made: NotificationView = {
            id: `n${events.length}`,
            type: 'friend_added',
            data: {},
            url: '/',
            createdAt: '',
            readAt: null,
          }
          items = [made, ...items]
          events.push({ type: 'notification.created', data: made, id })
        } else {
          items = items.map((item, i) =>
            does === 'readAll' || i === which % items.length ? { ...item, readAt: 'now' } : item,
          )
          events.push({ type: 'notification.read', data: { unread: unread() }, id })
        }
        commit()
      }
      const at = fetched % states.length
      // The items are fetched a little after the summary.
      let state: NotificationState = { ...states[at]!, items: states[Math.min(states.length - 1, at + later)]!.items }
      for (const [i, event] of events.slice(Math.max(0, at - back)).entries()) {
        state = applyToNotifications(state, event)
        assert.equal(applyToNotifications(state, event), state)
        const now = states[Math.max(0, at - back) + i + 1]!
        if (Number(now.cursor.slice(3)) >= at) assert.deepEqual([state.unread, state.cursor], [now.unread, now.cursor])
      }
      assert.deepEqual(
        state.items.map(({ id }) => id),
        items.map(({ id }) => id),
      )
    }),
    ROUNDS,
  )
})
