import assert from 'node:assert/strict'
import { randomUUIDv7 } from 'node:crypto'
import { after, test } from 'node:test'
import type { Database } from '@pando/saga'
import { CATEGORIES, STATUSES } from '../src/post.ts'
import { isPlace, type Listed, listPosts, type PostQuery, type Sort, SORTS } from '../src/post-list.ts'
import { changePost } from '../src/posts.ts'
import { searchText, wordsOf } from '../src/search-text.ts'
import { type StoredPost, storePosts } from '../../../test/support/stored-posts.ts'
import { join, offer, openMarket } from './market.ts'

// The same numbers each time.
let state = 7
const random = (below: number): number => (state = (state * 48_271) % 2_147_483_647) % below
const oneOf = <T>(values: readonly T[]): T => values[random(values.length)]!
const WORDS = ['몬스테라', '알보', '화분', '다육이', '선인장', 'Monstera', 'albo', 'Pot', '나눔', '흙']
const sample = (sellerId: string, about: Partial<StoredPost> = {}): StoredPost => ({
  id: randomUUIDv7(),
  sellerId,
  title: `${oneOf(WORDS)} ${oneOf(WORDS)}`,
  content: `${oneOf(WORDS)}${oneOf(['', '를', '이에요'])} ${oneOf(WORDS)}`,
  price: random(5) * 1_000,
  category: oneOf(['', ...CATEGORIES]),
  status: oneOf(STATUSES),
  wishes: random(4),
  views: random(6),
  ...about,
})

async function allPages(
  db: Database,
  query: Omit<PostQuery, 'after'>,
  between?: () => Promise<unknown>,
): Promise<Listed[]> {
  const all: Listed[] = []
  for (let after: PostQuery['after']; ;) {
    const rows = await listPosts(db, { ...query, limit: query.limit + 1, after })
    all.push(...rows.slice(0, query.limit))
    if (rows.length <= query.limit) return all
    after = rows[query.limit - 1]!.place
    assert.ok(isPlace(query.sort, JSON.parse(JSON.stringify(after))))
    await between?.()
  }
}

// ids are lower-case hex of one length: JavaScript orders them as PostgreSQL does.
const byId = (a: StoredPost, b: StoredPost): number => (a.id < b.id ? -1 : 1)
const COMPARE: Record<Sort, (a: StoredPost, b: StoredPost) => number> = {
  latest: (a, b) => byId(b, a),
  price: (a, b) => a.price - b.price || byId(a, b),
  popular: (a, b) => b.wishes - a.wishes || b.views - a.views || byId(b, a),
}

test('every order with every filter is what sorting and filtering everything gives, page by page', async (t) => {
  const db = await openMarket(t)
  const sellers = await join(db, 3)
  const posts = Array.from({ length: 400 }, () => sample(oneOf(sellers)))
  await storePosts(db, posts)
  const cases = SORTS.flatMap((sort) =>
    [undefined, 'open', 'sold'].flatMap((status) =>
      [undefined, '', 'seed'].flatMap((category) =>
        [undefined, sellers[1]].flatMap((sellerId) =>
          ['', '몬스', '스테라', 'MONSTERA 화분', 'o 나눔'].map((text) => ({ sort, status, category, sellerId, text })),
        ),
      ),
    ),
  )
  let found = 0
  for (const { text, ...query } of cases) {
    const { sort, status, category, sellerId } = query
    const words = wordsOf(text)
    const expected = posts
      .filter((post) => status === undefined || post.status === status)
      .filter((post) => category === undefined || post.category === category)
      .filter((post) => sellerId === undefined || post.sellerId === sellerId)
      .filter(({ title, content }) => words.every((word) => searchText(title, content).includes(word)))
      .toSorted(COMPARE[sort])
    const listed = await allPages(db, { ...query, words, limit: 1 + random(60) })
    assert.deepEqual(
      listed.map(({ id }) => id),
      expected.map(({ id }) => id),
      JSON.stringify({ ...query, text }),
    )
    found += listed.length
  }
  assert.ok(found > 5_000)
})

test('a common word is found by looking, a rare one by the index: the order and the pages are the same', async (t) => {
  const db = await openMarket(t)
  const [seller = ''] = await join(db)
  // More than are looked at first. Every tenth has one word; another one stands only in the oldest ones, so the index must find it.
  const posts = Array.from({ length: 1_500 }, (_, i) =>
    sample(seller, {
      title: `${i % 10 === 0 ? '흔한말' : '다른말'} ${i < 40 ? '드문말' : ''}`,
      content: '-',
      category: 'tree',
      status: 'open',
    }),
  )
  await storePosts(db, posts)
  for (const sort of SORTS)
    for (const text of ['흔한', '흔한말', '드문', '드문말', '흔한 드문말']) {
      const words = wordsOf(text)
      const expected = posts.filter(({ title }) => words.every((word) => title.includes(word))).toSorted(COMPARE[sort])
      const listed = await allPages(db, { sort, words, limit: 30 })
      assert.deepEqual(
        listed.map(({ id }) => id),
        expected.map(({ id }) => id),
        `${sort} ${text}`,
      )
    }
})

const db = await openMarket({ after })
const [seller = ''] = await join(db)
const titles = async (text: string): Promise<string[]> =>
  (await listPosts(db, { sort: 'latest', words: wordsOf(text), limit: 100 })).map(({ title }) => title).toSorted()

test('parts of words are found from two characters on, in Korean and mixed, composed or not, in title and content', async () => {
  const [monstera, albo, cactus] = ['몬스테라를 팝니다', '몬스테라Albo 삽수', '선인장 나눔']
  await offer(db, seller, { title: monstera, content: '베란다에서 키운 아이예요. 직거래만 해요' })
  await offer(db, seller, { title: albo, content: '새순이 두 장' })
  await offer(db, seller, { title: cactus.normalize('NFD'), content: 'MONSTERA 화분도 드려요' })
  const cases: [string, string[]][] = [
    ['몬스', [monstera, albo]],
    ['스테', [monstera, albo]],
    ['테라', [monstera, albo]],
    ['라를', [monstera]],
    ['몬스테라', [monstera, albo]],
    ['라albo', [albo]],
    ['선인장', [cactus.normalize('NFD')]],
    ['선인장'.normalize('NFD'), [cactus.normalize('NFD')]],
    ['베란다', [monstera]],
    ['직거 팝니', [monstera]],
    ['몬스 선인', []],
    ['Albo', [albo]],
    ['ALBO', [albo]],
    ['monstera', [cactus.normalize('NFD')]],
    ['새순 장', [albo]],
    ['   몬스 \u3000 albo ', [albo]],
    // A word does not begin in one word and end in the next one, nor in the title and end in the content.
    ['를팝', []],
    ['다베', []],
    // Its pairs are all there, but not beside each other.
    ['몬스테라를팝니다', []],
    ['없는말', []],
  ]
  for (const [text, expected] of cases) {
    assert.deepEqual(await titles(text), expected.toSorted(), text)
  }
})

test('pairs that are there apart do not make a word', async () => {
  await offer(db, seller, { title: '가나 나다', content: '다라' })
  assert.deepEqual(await titles('가나다'), [])
  assert.deepEqual(await titles('가나'), ['가나 나다'])
  assert.deepEqual(await titles('나다 다라'), ['가나 나다'])
})

test('signs that mean something to databases mean themselves', async () => {
  const odd = [
    '100% off',
    '1000 off',
    'a_b',
    'axb',
    String.raw`c:\dir`,
    `it's`,
    `"x" & {y}`,
    '🌱🌿 emoji',
    'NULL',
    '{}',
  ]
  for (const title of odd) await offer(db, seller, { title })
  for (const [text, expected] of [
    ['100%', ['100% off']],
    ['0%', ['100% off']],
    ['a_b', ['a_b']],
    ['_b', ['a_b']],
    ['%%', []],
    ['__', []],
    [String.raw`:\d`, [String.raw`c:\dir`]],
    [String.raw`\\`, []],
    [`t's`, [`it's`]],
    ['"x"', [`"x" & {y}`]],
    ['{y}', [`"x" & {y}`]],
    ['{}', ['{}']],
    ['🌱🌿', ['🌱🌿 emoji']],
    ['null', ['NULL']],
    ['--', []],
  ] as const)
    assert.deepEqual(await titles(text), expected, text)
})

test('whatever is changed is found as it is now', async () => {
  const { id } = await offer(db, seller, { title: '처음제목', content: '처음내용' })
  await changePost(db, id, { title: '나중제목' }, { userId: seller })
  assert.deepEqual(await titles('처음제목'), [])
  assert.deepEqual(await titles('나중제목'), ['나중제목'])
  assert.deepEqual(await titles('처음내용'), ['나중제목'])
})

test('posts of somebody who is gone are not told of', async (t) => {
  const fresh = await openMarket(t)
  const [stays = '', gone = ''] = await join(fresh, 2)
  await storePosts(fresh, [sample(gone), sample(stays)])
  await fresh.query('delete from market.member where user_id = $1', [gone])
  const listed = await listPosts(fresh, { sort: 'latest', words: [], limit: 10 })
  assert.deepEqual(
    new Map(listed.map(({ sellerId, username }) => [sellerId, username === null])),
    new Map([
      [gone, true],
      [stays, false],
    ]),
  )
})

test('while posts come, change and are counted, each page goes on: what did not change is there exactly once', async (t) => {
  const fresh = await openMarket(t)
  const [who = ''] = await join(fresh)
  for (const sort of SORTS) {
    const before = Array.from({ length: 200 }, () => sample(who))
    await storePosts(fresh, before)
    const restless = new Set(before.filter((_, i) => i % 4 === 0).map(({ id }) => id))
    const still = before.filter(({ id }) => !restless.has(id))
    const listed = await allPages(fresh, { sort, words: [], limit: 7 }, async () => {
      await storePosts(fresh, [sample(who), sample(who)])
      const id = oneOf([...restless])
      await fresh.query('update market.post set price = $2, status = $3 where id = $1', [
        id,
        random(5) * 1_000,
        oneOf(STATUSES),
      ])
      await fresh.query('update market.post_counter set wishes = $2, views = $3 where post_id = $1', [
        id,
        random(4),
        random(6),
      ])
    })
    const ids = listed.map(({ id }) => id).filter((id) => still.some((one) => one.id === id))
    assert.deepEqual(
      ids,
      still.toSorted(COMPARE[sort]).map(({ id }) => id),
      sort,
    )
    await fresh.query('truncate market.post, market.post_counter, market.post_search')
  }
})

test('a place of one order is none of another', () => {
  const id = randomUUIDv7()
  assert.ok(isPlace('latest', [id]) && isPlace('price', [0, id]) && isPlace('popular', [0, 3, id]))
  for (const value of [null, id, {}, [], [1], [id, id], ['x'], [0, id], [null]])
    assert.equal(isPlace('latest', value), false)
  for (const value of [[id], [1.5, id], ['1', id], [2 ** 31, id], [1, 'x'], [1, 1, id]])
    assert.equal(isPlace('price', value), false)
  for (const value of [
    [0, id],
    [0, 0, id, id],
    [Number.NaN, 0, id],
  ])
    assert.equal(isPlace('popular', value), false)
})

interface Plan {
  'Node Type': string
  'Relation Name'?: string
  'Index Name'?: string
  'Actual Rows': number
  'Actual Loops': number
  'Shared Hit Blocks': number
  'Shared Read Blocks': number
  Plans?: Plan[]
}
const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)]
const literal = (value: unknown): string => {
  if (value === null) return 'null'
  const text = Array.isArray(value)
    ? `{${value.map((one) => JSON.stringify(one)).join()}}`
    : `${value as string | number}`
  return `'${text.replaceAll("'", "''")}'`
}

test('plans that were made while there was nothing, and such as are made later, find what is wanted among 20,000 posts by its index', async (t) => {
  const fresh = await openMarket(t)
  const connection = await fresh.connect()
  t.after(() => connection.close())
  const [who = '', rare = ''] = await join(fresh, 2)
  const asked = new Map<string, string>()
  // Prepared and run on the connection, as the service's statements are on theirs.
  const recording = {
    ...fresh,
    async query(text: string, values: readonly unknown[] = []) {
      if (!asked.has(text)) {
        asked.set(text, `q${asked.size}`)
        await connection.query(`prepare ${asked.get(text)} as ${text}`)
      }
      const execute = `execute ${asked.get(text)}(${values.map(literal).join(', ')})`
      const [row] = await connection.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(
        `explain (analyze, buffers, format json) ${execute}`,
      )
      plans.push(row!['QUERY PLAN'][0].Plan)
      return connection.query(execute)
    },
  } as Database
  let plans: Plan[] = []
  const explain = async (query: Partial<PostQuery>): Promise<Plan[]> => {
    plans = []
    await listPosts(recording, { sort: 'latest', words: [], limit: 31, ...query })
    return plans
  }
  const queries: [string, Partial<PostQuery>, string[]][] = SORTS.flatMap(
    (sort): [string, Partial<PostQuery>, string[]][] => {
      const index = { latest: 'post_latest', price: 'post_price', popular: 'post_popular' }[sort]
      return [
        [`${sort}`, { sort }, [index]],
        [`${sort} of a category`, { sort, category: 'tree', status: 'open' }, [index]],
        [`${sort} of a seller`, { sort, sellerId: rare }, ['post_seller']],
        [`${sort} with a rare word`, { sort, words: ['드문말'] }, [index, 'post_search_bigrams']],
        [`${sort} with a common word`, { sort, words: ['화분'] }, [index]],
      ]
    },
  )
  for (const [, query] of queries) await explain(query)
  for (let i = 0; i < 30; i++)
    await storePosts(
      fresh,
      Array.from({ length: 1_000 }, (_, n) =>
        sample(i * 1_000 + n === 10_000 ? rare : who, n === 500 ? { content: `${oneOf(WORDS)} 드문말` } : {}),
      ),
    )
  for (const upkeep of ['nothing', 'analyze', 'vacuum analyze']) {
    if (upkeep !== 'nothing') await fresh.query(upkeep)
    for (const [what, query, indexes] of queries)
      await assertIndexes(`plans made before, ${upkeep}: ${what}`, query, indexes)
    asked.clear()
    await connection.query('deallocate all')
    for (const [what, query, indexes] of queries)
      await assertIndexes(`plans made after ${upkeep}: ${what}`, query, indexes)
  }

  async function assertIndexes(what: string, query: Partial<PostQuery>, indexes: readonly string[]): Promise<void> {
    const nodes = (await explain(query)).flatMap(nodesOf)
    assert.deepEqual(
      nodes.filter((node) => node['Node Type'] === 'Seq Scan'),
      [],
      what,
    )
    const used = new Set(nodes.filter((node) => node['Actual Loops'] > 0).flatMap((node) => node['Index Name'] ?? []))
    for (const index of indexes) assert.ok(used.has(index), `${what}: ${index} is not among ${[...used].join()}`)
    const blocks = plans.reduce((sum, plan) => sum + plan['Shared Hit Blocks'] + plan['Shared Read Blocks'], 0)
    t.diagnostic(`${what}: ${blocks} blocks`)
    // To look at all of them by key takes 60,000. What was not vacuumed is looked at in the table, too.
    const most = what.includes('vacuum') ? (query.words ? 8_000 : 800) : query.words ? 40_000 : 2_000
    assert.ok(blocks < most, `${what}: ${blocks} blocks`)
  }
})
