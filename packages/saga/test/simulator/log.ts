import type { NewEvent } from '@pando/saga'
import type { Random } from '@pando/saga/testing'

/** An event on its way. Its id is what inboxes know it by; a repeat has the same one. */
export interface Message {
  readonly id: string
  readonly type: string
  readonly topic: string
  readonly key: string
  readonly data: unknown
  readonly sagaType: string
  readonly sagaId: string
}

export const messageOf = (
  id: string,
  { kind, data }: NewEvent,
  saga: Pick<Message, 'sagaType' | 'sagaId'>,
): Message => ({
  id,
  type: kind.type,
  topic: kind.topic,
  key: kind.keyOf(data),
  data,
  sagaType: saga.sagaType,
  sagaId: saga.sagaId,
})

/** A record in a lane: all of one key in one topic. */
export interface Place {
  readonly lane: string
  readonly index: number
  readonly message: Message
}

/** What one service has read, and has not. */
export interface Reader {
  /** Up to `max` records that were not taken: of each lane in order, the lanes mixed; or, where not even that holds, any. */
  look(max: number): Place[]
  take(places: readonly Place[]): void
  /** Forgets that these were taken: they come again. */
  rewind(places: readonly Place[]): void
  /** Whether of its lane all before this one were taken, and none after it. */
  isNext(place: Place): boolean
}

/** A log that loses nothing. `ordered`: the records of a lane are read in their order. */
export function createLog({ random, ordered }: { random: Random; ordered: boolean }) {
  const lanes = new Map<string, Message[]>()
  return {
    publish(messages: readonly Message[]): void {
      for (const message of messages) {
        const lane = `${message.topic}/${message.key}`
        const records = lanes.get(lane) ?? []
        records.push(message)
        lanes.set(lane, records)
      }
    },

    reader(topics: readonly string[]): Reader {
      // Of each lane the places that were not taken, in order, and how many of its records are known.
      const open = new Map<string, Place[]>()
      const known = new Map<string, number>()
      const meet = (): void => {
        for (const [lane, records] of lanes) {
          if (!topics.includes(records[0]!.topic)) continue
          const from = known.get(lane) ?? 0
          if (from === records.length) continue
          const places = records.slice(from).map((message, i) => ({ lane, index: from + i, message }))
          open.set(lane, [...(open.get(lane) ?? []), ...places])
          known.set(lane, records.length)
        }
      }
      return {
        look(max) {
          meet()
          const found: Place[] = []
          let left = [...open.values()].filter((places) => places.length > 0).map((places) => [...places])
          while (found.length < max && left.length > 0) {
            const places = random.pick(left)
            found.push(...places.splice(ordered ? 0 : random.below(places.length), 1))
            left = left.filter((rest) => rest.length > 0)
          }
          return found
        },
        take(places) {
          for (const place of places)
            open.set(
              place.lane,
              open.get(place.lane)!.filter(({ index }) => index !== place.index),
            )
        },
        rewind(places) {
          for (const place of places) {
            const others = open.get(place.lane)!.filter(({ index }) => index !== place.index)
            open.set(
              place.lane,
              [...others, place].toSorted((a, b) => a.index - b.index),
            )
          }
        },
        isNext: ({ lane, index }) =>
          open.get(lane)![0]?.index === index && open.get(lane)!.length === known.get(lane)! - index,
      }
    },
  }
}

export type Log = ReturnType<typeof createLog>
