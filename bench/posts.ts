// Many posts, and what looks through them.
import { randomUUIDv7 } from 'node:crypto'
import type { Database } from '@pando/saga'
import { CATEGORIES, STATUSES } from '../services/market/src/post.ts'
import { type StoredPost, storePosts } from '../test/support/stored-posts.ts'
import type { Connection } from './keep-alive.ts'
import { type Load, load, must, pick, type Someone } from './load.ts'

const AT_ONCE = 5_000
const WORDS = 2_000
const WORDS_IN_EACH = 40

const SYLLABLES = Array.from('가나다라마바사아자차카타파하고노도로모보소오조초구누두루무부수우주추기니디리미비시이지치')
// Without those of the searches for what is rare.
const LETTERS = Array.from('abcdefghijklmnoprstuvwy')

/** What is searched for, in how many of so many posts it is: one word of each language. */
export const SEARCHES = {
  common: { every: () => 3, words: ['나무', 'po'] },
  middling: { every: () => 200, words: ['몬스', 'qu'] },
  rare: { every: (count: number) => Math.ceil(count / 10), words: ['벵갈', 'zz'] },
} as const
type Frequency = keyof typeof SEARCHES

/** Stores so many posts as the market does, past its commands. */
export async function fillPosts(db: Database, sellers: readonly Someone[], count: number): Promise<void> {
  // Made once at the end, as a restore does: it is some minutes faster.
  const [index] = await db.query<{ name: string; definition: string }>(
    `select schemaname || '.' || indexname as name, indexdef as definition from pg_indexes
     where schemaname = 'market' and tablename = 'post_search' and indexdef like '%bigrams%'`,
  )
  await db.query(`drop index ${index!.name}`)
  const words = [...wordsOf(SYLLABLES, 2, 4), ...wordsOf(LETTERS, 3, 8)]
  for (let from = 0; from < count; from += AT_ONCE) {
    await storePosts(
      db,
      Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, i) => postOf(from + i, count, words, sellers)),
    )
    if ((from / AT_ONCE) % 10 === 0) console.error(`market: ${from} of ${count} posts`)
  }
  await db.query(index!.definition)
  await db.query('analyze market.post, market.post_counter, market.post_search')
  console.error(`market: ${count} posts are there`)
}

const wordsOf = (parts: readonly string[], shortest: number, longest: number): string[] =>
  Array.from({ length: WORDS }, () =>
    Array.from({ length: shortest + Math.floor(Math.random() * (1 + longest - shortest)) }, () => pick(parts)).join(''),
  )

function postOf(i: number, count: number, words: readonly string[], sellers: readonly Someone[]): StoredPost {
  const asked = Object.values(SEARCHES).flatMap(({ every, words: some }) => (i % every(count) === 0 ? some : []))
  const text = Array.from({ length: WORDS_IN_EACH }, () => pick(words))
  return {
    id: randomUUIDv7(),
    sellerId: pick(sellers).id,
    title: text.slice(0, 4).join(' '),
    content: [...text.slice(4), ...asked].join(' '),
    price: 500 * Math.floor(Math.random() * 200),
    category: pick(['', ...CATEGORIES]),
    status: pick(STATUSES),
    // A few have many.
    wishes: Math.floor(Math.random() ** 6 * 500),
    views: Math.floor(Math.random() ** 4 * 5_000),
  }
}

/** So many searches for each of the words, one after the other. Throws when one finds nothing. */
export async function search(
  connection: Connection,
  frequency: Frequency,
  { count, token }: { count: number; token: string },
): Promise<{ word: string; load: Load }[]> {
  const found: { word: string; load: Load }[] = []
  for (const word of SEARCHES[frequency].words) {
    const path = `/api/posts?query=${encodeURIComponent(word)}`
    const once = async (): Promise<void> => {
      if ((await must(connection, 200, 'GET', path, token)).startsWith('{"items":[]'))
        throw new Error(`GET ${path} finds nothing`)
    }
    found.push({ word, load: await load([connection], count, once) })
  }
  return found
}

/** Walks through the pages of a list, each connection for itself, from the first one on again after the last. */
export function list(
  connections: readonly Connection[],
  sort: string,
  { count, token }: { count: number; token: string },
): Promise<Load> {
  const next = new Map<Connection, string>()
  return load(connections, count, async (connection) => {
    const cursor = next.get(connection)
    const path = `/api/posts?sort=${sort}${cursor === undefined ? '' : `&cursor=${cursor}`}`
    const answer = await must(connection, 200, 'GET', path, token)
    const [, behind] = /"next":"([^"]+)"/.exec(answer.slice(-400)) ?? []
    if (behind === undefined) next.delete(connection)
    else next.set(connection, encodeURIComponent(behind))
  })
}
