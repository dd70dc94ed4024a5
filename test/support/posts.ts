import assert from 'node:assert/strict'
import type { Client } from './client.ts'
import type { Person } from './people.ts'

/** A post, as answers show it. */
export interface Post {
  id: string
  seller: { id: string; username: string; displayName: string; statusMessage: string }
  title: string
  content: string
  price: number
  category: string | null
  images: unknown[]
  status: 'open' | 'reserved' | 'sold'
  views: number
  wishes: number
  wished: boolean
  createdAt: string
  updatedAt: string
}

export interface Page<Item> {
  items: Item[]
  next: string | null
}

/** Puts something up for sale. */
export async function offer({ client }: Person, instead: object = {}): Promise<Post> {
  const draft = { title: 'Monstera', content: 'A plant.', price: 1_000, imageIds: [], ...instead }
  const { status, body, text } = await client.post<Post>('/api/posts', draft)
  assert.equal(status, 201, text)
  return body
}

/** All items of a list, in pages of `limit`. */
export async function allOf<Item>(client: Client, path: string, limit = 30): Promise<Item[]> {
  const all: Item[] = []
  for (let cursor = ''; ;) {
    const { status, body, text } = await client.get<Page<Item>>(
      `${path}${path.includes('?') ? '&' : '?'}limit=${limit}${cursor}`,
    )
    assert.equal(status, 200, text)
    assert.ok(body.items.length <= limit)
    all.push(...body.items)
    if (body.next === null) return all
    cursor = `&cursor=${encodeURIComponent(body.next)}`
  }
}
