import type { Database } from '@pando/saga'
import { isUuid } from '@pando/service'
import { CATEGORIES, POST_TABLES, postColumns, type PostRow, STATUSES } from './post.ts'
import { lengthOf, WORD_AT_LEAST } from './search-text.ts'

const LOWEST_ID = '00000000-0000-0000-0000-000000000000'
const HIGHEST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff'
const HIGHEST = 2_147_483_647

interface Order {
  /** Where its columns are, and the one that has the post's id. */
  table: string
  id: string
  columns: readonly string[]
  types: readonly ('int' | 'uuid')[]
  direction: 'asc' | 'desc'
  /** The place before the first post. */
  start: Place
  /** The condition of its index. */
  where: string
}

/** What the columns of an order have in the post after which a page begins. */
export type Place = readonly (number | string)[]

const ORDERS = {
  latest: {
    table: 'market.post',
    id: 'id',
    columns: ['id'],
    types: ['uuid'],
    direction: 'desc',
    start: [HIGHEST_ID],
    where: `k.id > '${LOWEST_ID}'`,
  },
  price: {
    table: 'market.post',
    id: 'id',
    columns: ['price', 'id'],
    types: ['int', 'uuid'],
    direction: 'asc',
    start: [-1, LOWEST_ID],
    where: 'k.price >= 0',
  },
  popular: {
    table: 'market.post_counter',
    id: 'post_id',
    columns: ['wishes', 'views', 'post_id'],
    types: ['int', 'int', 'uuid'],
    direction: 'desc',
    start: [HIGHEST, HIGHEST, HIGHEST_ID],
    where: 'true',
  },
} as const satisfies Record<string, Order>

export type Sort = keyof typeof ORDERS
export const SORTS = Object.keys(ORDERS) as Sort[]

export interface PostQuery {
  sort: Sort
  /** Undefined: all of them; category '' is none. */
  status?: string | undefined
  category?: string | undefined
  sellerId?: string | undefined
  /** All of them must be in title or content; as `wordsOf` makes them, and one of WORD_AT_LEAST characters among them. */
  words: readonly string[]
  viewerId?: string | undefined
  after?: Place | undefined
  limit: number
}

/** A post of a list, and its place in the order. */
export type Listed = PostRow & { place: Place }

/** So many posts are looked at in their order before an index of words is asked: a common word is found among them already. */
const LOOKED_AT = 1_000

/** A page of posts. One that nobody changes meanwhile is on exactly one of the pages that follow each other. */
export async function listPosts(db: Database, query: PostQuery): Promise<Listed[]> {
  const { sort, status, category, sellerId, words, viewerId, limit } = query
  const { inOrder, ofSeller, withWords } = STATEMENTS[sort]
  const statuses = status === undefined ? STATUSES : [status]
  const categories = category === undefined ? ['', ...CATEGORIES] : [category]
  const place = query.after ?? ORDERS[sort].start
  const ask = (text: string, words: readonly string[], more: unknown): Promise<Listed[]> =>
    db.query<Listed>(text, [statuses, categories, limit, viewerId ?? null, words, more, ...place])

  if (sellerId !== undefined) return ask(ofSeller, words, sellerId)
  const first = await ask(inOrder, words, words.length === 0 ? limit : LOOKED_AT)
  if (words.length === 0 || first.length === limit) return first
  // The index answers for words of two characters exactly, for others only for their pairs.
  const toCheck = words.filter((word) => lengthOf(word) !== WORD_AT_LEAST)
  return ask(withWords, toCheck, words.join(' '))
}

/** Whether a value that comes from a client is a place in this order. */
export function isPlace(sort: Sort, value: unknown): value is Place {
  const { types } = ORDERS[sort]
  return (
    Array.isArray(value) &&
    value.length === types.length &&
    types.every((type, i) => {
      const part: unknown = value[i]
      return type === 'uuid'
        ? typeof part === 'string' && isUuid(part)
        : Number.isInteger(part) && Math.abs(part as number) <= HIGHEST
    })
  )
}

// All that are made from here are constants of the code. Parameters: 1 statuses, 2 categories, 3 how many posts, 4 who looks, 5 words to
// look for in the text, 6 what a statement needs besides, and from 7 on the place.
const STATEMENTS = Object.fromEntries(SORTS.map((sort) => [sort, statementsOf(ORDERS[sort])])) as Record<
  Sort,
  ReturnType<typeof statementsOf>
>

function statementsOf({ table, id, columns, types, direction, where }: Order) {
  const of = (alias: string): string => columns.map((column) => `${alias}.${column}`).join(', ')
  const order = (alias: string): string => `order by ${columns.map((one) => `${alias}.${one} ${direction}`).join(', ')}`
  const place = types.map((type, i) => `$${i + 7}::${type}`).join(', ')
  const isAfter = `(${of('k')}) ${direction === 'asc' ? '>' : '<'} (${place})`
  // Among the posts of a status and a category: as one range of the index, whose order is asked for. Said as two equalities it would let
  // the planner, once it knows the columns, walk another index that has the same order, and look at all posts of other kinds.
  const [beyond, notBelow] = direction === 'asc' ? ['>', '<='] : ['<', '>=']
  const isWithin = `(k.status, k.category, ${of('k')}) ${beyond} (a.status, b.category, ${place})
    and (k.status, k.category) ${notBelow} (a.status, b.category)`
  const hasWords = 'not exists (select from unnest($5::text[]) w(word) where strpos(s.search, w.word) = 0)'
  // "offset 0" keeps the planner from turning a join round, which is cheap while the tables are small, and for ever after is not.
  const shown = (ctes: string): string => `with ${ctes}
    select x.*, json_build_array(${of('page')}) as place from page
    cross join lateral (select ${postColumns(4)} from ${POST_TABLES} where p.id = page.${id} offset 0) x ${order('page')}`
  const among = (found: string): string =>
    shown(`found as materialized (${found}),
    page as (
      select ${of('k')} from found
      cross join lateral (select k.status, k.category, ${of('k')} from ${table} k where k.${id} = found.post_id offset 0) k
      where k.status = any($1::text[]) and k.category = any($2::text[]) and ${isAfter} ${order('k')} limit $3::int
    )`)
  return {
    /** Looks at the first $6 posts in this order. */
    inOrder: shown(`walked as (
      select ${of('k')} from unnest($1::text[]) a(status) cross join unnest($2::text[]) b(category)
      cross join lateral (
        select ${of('k')} from ${table} k where ${where} and ${isWithin}
        order by ${['status', 'category', ...columns].map((column) => `k.${column} ${direction}`).join(', ')} limit $6::int
      ) k
      ${order('k')} limit $6::int
    ),
    page as (
      select ${of('k')} from walked k
      cross join lateral (select search from market.post_search s where s.post_id = k.${id} offset 0) s
      where ${hasWords} ${order('k')} limit $3::int
    )`),
    /** Looks at all posts of the user $6. */
    ofSeller: among(`
      select p.id as post_id from market.post p
      cross join lateral (select search from market.post_search s where s.post_id = p.id offset 0) s
      where p.seller_id = $6::uuid and ${hasWords}`),
    /** Looks at all posts that have the pairs of characters of $6. */
    withWords: among(
      `select s.post_id from market.post_search s where market.bigrams(s.search) @> market.bigrams($6::text) and ${hasWords}`,
    ),
  }
}
