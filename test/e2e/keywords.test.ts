// Keywords: what users wait for in titles.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { assertProblem } from '../support/client.ts'
import { person, type Person } from '../support/people.ts'
import { allOf, offer } from '../support/posts.ts'
import { startSystem } from '../support/system.ts'
import { until } from '../support/until.ts'

const system = await startSystem({ after })
const seller = await person(system.url)
const at = (keyword: string): string => `/api/me/keywords/${encodeURIComponent(keyword)}`
const put = ({ client }: Person, keyword: string) => client.put(at(keyword))
const keywordsOf = ({ client }: Person): Promise<string[]> => allOf<string>(client, '/api/me/keywords')

test('keywords are added and removed as often as one likes, and listed as they were written', async () => {
  const who = await person(system.url)
  assert.deepEqual((await who.client.get('/api/me/keywords')).body, { items: [], next: null })
  for (const keyword of ['몬스테라', 'Albo', '두 단어', '100%', 'a/b', '🌱🌿']) {
    for (let i = 0; i < 2; i++) {
      const { status, text } = await put(who, keyword)
      assert.deepEqual([status, text], [204, ''], keyword)
    }
    assert.ok((await keywordsOf(who)).includes(keyword))
  }
  assert.equal((await keywordsOf(who)).length, 6)
  assert.deepEqual(await allOf(who.client, '/api/me/keywords', 2), await keywordsOf(who))
  // It is the same word, however it is composed and whatever its case.
  await put(who, '몬스테라'.normalize('NFD'))
  await put(who, ' ALBO ')
  assert.equal((await keywordsOf(who)).length, 6)
  assert.ok((await keywordsOf(who)).includes('ALBO'))
  for (const keyword of ['albo', '몬스테라'.normalize('NFD'), 'a/b'])
    for (let i = 0; i < 2; i++) assert.equal((await who.client.delete(at(keyword))).status, 204)
  assert.deepEqual((await keywordsOf(who)).toSorted(), ['100%', '두 단어', '🌱🌿'].toSorted())
  assert.equal((await who.client.delete(at('x'))).status, 204)
})

test('what is too short or too long is none', async () => {
  const who = await person(system.url)
  for (const keyword of ['x', '가', '🌿', '  ', ' x ', 'x'.repeat(31), '가'.normalize('NFD')]) {
    const { errors } = assertProblem(await put(who, keyword), 400, 'validation_failed')
    assert.equal((errors as { path: string }[])[0]!.path, '/keyword', keyword)
  }
  for (const keyword of ['xx', '🌿'.repeat(30)]) assert.equal((await put(who, keyword)).status, 204)
  assert.ok([404, 400].includes((await who.client.put('/api/me/keywords/a%00b')).status))
  assertProblem(await who.client.put(`/api/me/keywords/${'x'.repeat(3_000)}`), 404, 'not_found')
  for (const query of ['limit=0', 'cursor=x'])
    assertProblem(await who.client.get(`/api/me/keywords?${query}`), 400, 'validation_failed')
})

test('the 31st is refused, also of many at once', async () => {
  const who = await person(system.url)
  const statuses = await Promise.all(Array.from({ length: 40 }, async (_, i) => (await put(who, `word ${i}`)).status))
  assert.deepEqual(
    statuses.toSorted((a, b) => a - b),
    [...Array.from({ length: 30 }, () => 204), ...Array.from({ length: 10 }, () => 409)],
  )
  assertProblem(await put(who, 'another'), 409, 'conflict')
  const kept = await keywordsOf(who)
  assert.equal(kept.length, 30)
  assert.equal((await put(who, kept[7]!)).status, 204)
})

test('whoever waits for a word of a new title is notified once; nobody else, and not the seller', async () => {
  const [fan, other] = await Promise.all([person(system.url), person(system.url)])
  for (const keyword of ['몬스', '스테라', 'ALBO']) await put(fan, keyword)
  await put(seller, '몬스테라')
  await put(other, '선인장')
  const { notification: db } = system.databases
  const notified = async (who: Person): Promise<{ type: string; url: string; data: { keyword: string } }[]> =>
    (
      await db.query<{ type: string; data: string; url: string }>(
        'select type, data, url from notification.notification where user_id = $1 order by id',
        [who.id],
      )
    ).map(({ data, ...row }) => ({ ...row, data: JSON.parse(data) as { keyword: string } }))
  const { id, title } = await offer(seller, { title: '몬스테라 Albo', content: '선인장은 없어요' })
  await until('the notification', async () => (await notified(fan)).length > 0)
  assert.deepEqual(await notified(fan), [
    { type: 'keyword_matched', url: `/posts/${id}`, data: { postId: id, title, keyword: 'ALBO' } },
  ])
  // A later post that both wait for: when that is told, the first one would be too.
  await put(other, '다육')
  await put(fan, '다육')
  await fan.client.delete(at('ALBO'))
  await offer(seller, { title: 'Albo 다육이' })
  await until('the next one', async () => (await notified(fan)).length === 2 && (await notified(other)).length === 1)
  assert.deepEqual(
    (await notified(fan)).map(({ data }) => data.keyword),
    ['ALBO', '다육'],
  )
  assert.deepEqual(await notified(seller), [])
})
