import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import * as events from '@pando/events'

// The samples are the contract between producers and consumers: an event that no longer takes its sample has changed without a new version.
const directory = new URL('../samples/', import.meta.url)
const all = Object.values(events)

interface Keyed {
  userId: string
  friendId?: string
  roomId?: string
  room?: { id: string }
  message?: { roomId: string }
  postId?: string
  imageId?: string
  keyword?: string
}
/**
 * What it is about: a friendship has the first of the two ids, whatever it says of a room, a post or an image that is in no room that one's.
 * A match is the user's.
 */
const keyOf = ({ userId, friendId, roomId, room, message, postId, imageId, keyword }: Keyed): string =>
  room?.id ??
  message?.roomId ??
  roomId ??
  (keyword === undefined ? postId : userId) ??
  imageId ??
  (friendId ? [userId, friendId].toSorted()[0]! : userId)

for (const event of all)
  test(`${event.type} v${event.version} takes its sample, member for member`, () => {
    const sample: unknown = JSON.parse(readFileSync(new URL(`${event.type}.v${event.version}.json`, directory), 'utf8'))
    assert.deepEqual(event.parse(sample), sample)
    assert.equal(event.keyOf(event.parse(sample) as never), keyOf(sample as Keyed))
    assert.deepEqual(event.parse({ ...(sample as object), unknown: 1 }), sample, 'unknown members are ignored')
    assert.throws(() => event.parse({}), /SAGA_EVENT_INVALID|not valid/)
  })

test('every sample belongs to an event, and every version keeps its sample', () => {
  const names = readdirSync(directory).map((file) => file.replace('.json', ''))
  assert.deepEqual(names.toSorted(), all.map((event) => `${event.type}.v${event.version}`).toSorted())
})

test('no event has a member that may hold a secret or an e-mail address', () => {
  for (const file of readdirSync(directory))
    assert.doesNotMatch(readFileSync(new URL(file, directory), 'utf8'), /password|hash|token|e-?mail/i, file)
})
