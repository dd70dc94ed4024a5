// Talking, without a browser.
import assert from 'node:assert/strict'
import type { Person } from './people.ts'

/** Opens a room, or the one that is there; resolves with its id. */
export async function openRoom(
  { client }: Person,
  room: { type: 'direct'; userId: string } | { type: 'trade'; postId: string },
): Promise<string> {
  const { status, body, text } = await client.post<{ id: string }>('/api/rooms', room)
  assert.ok(status === 201 || status === 200, text)
  return body.id
}

/** Says something in a room. */
export async function say({ client }: Person, roomId: string, words: string): Promise<void> {
  const { status, text } = await client.post(`/api/rooms/${roomId}/messages`, {
    clientMessageId: crypto.randomUUID(),
    text: words,
  })
  assert.equal(status, 201, text)
}

/** What has been said in a room, oldest first; null where a message was deleted. */
export async function textsIn({ client }: Person, roomId: string): Promise<(string | null)[]> {
  const { body } = await client.get<{ items: { text: string | null }[] }>(`/api/rooms/${roomId}/messages?limit=100`)
  return body.items.map(({ text }) => text).toReversed()
}
