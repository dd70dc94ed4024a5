// The wallet over HTTP: a balance that is the sum of its entries, newest first.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { transaction } from '@pando/saga'
import { post, walletAccount } from '../../services/customer/src/ledger.ts'
import { assertProblem, Client } from '../support/client.ts'
import { person, type Person } from '../support/people.ts'
import { startSystem } from '../support/system.ts'

const system = await startSystem({ after })
const { customer: db } = system.databases

interface Wallet {
  balance: number
  currency: string
  entries: { items: { id: number; kind: string; amount: number; createdAt: string }[]; next: string | null }
}
const walletOf = async ({ client }: Person, query = ''): Promise<Wallet> =>
  (await client.get<Wallet>(`/api/me/wallet${query}`)).body

test('a new wallet is empty', async () => {
  assert.deepEqual(await walletOf(await person(system.url)), {
    balance: 0,
    currency: 'KRW',
    entries: { items: [], next: null },
  })
})

test('every movement is an entry, in pages without a gap or a repeat; everybody sees their own', async () => {
  const [buyer, seller] = await Promise.all([person(system.url), person(system.url)])
  const move = (kind: string, from: string, to: string, amount: number) =>
    transaction(db, (tx) =>
      post(tx, kind, [
        { account: from, amount: -amount },
        { account: to, amount },
      ]),
    )
  await move('charge', 'house:cash', walletAccount(buyer.id), 10_000)
  for (let i = 1; i <= 6; i++) await move('purchase', walletAccount(buyer.id), walletAccount(seller.id), 100 * i)

  const whole = await walletOf(buyer)
  assert.equal(whole.balance, 7_900)
  assert.deepEqual(
    whole.entries.items.map(({ kind, amount }) => [kind, amount]),
    [...[600, 500, 400, 300, 200, 100].map((won) => ['purchase', -won]), ['charge', 10_000]],
  )
  assert.equal(
    whole.entries.items.reduce((sum, { amount }) => sum + amount, 0),
    whole.balance,
  )
  assert.equal(whole.entries.next, null)
  assert.equal((await walletOf(seller)).balance, 2_100)

  const pages: Wallet['entries']['items'] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const { entries }: Wallet = await walletOf(buyer, `?limit=3${cursor && `&cursor=${cursor}`}`)
    pages.push(...entries.items)
    cursor = entries.next
    // What comes in between does not shift the pages.
    await move('purchase', walletAccount(buyer.id), walletAccount(seller.id), 1)
  }
  assert.deepEqual(pages, whole.entries.items)
  for (const query of ['?limit=0', '?limit=101', '?cursor=x', '?cursor=InRleHQi'])
    assertProblem(await buyer.client.get(`/api/me/wallet${query}`), 400, 'validation_failed')
})

test('the books of the house add up to zero, and each balance to its entries', async () => {
  const [sum] = await db.query<{ sum: string }>('select sum(amount) as sum from customer.entry')
  assert.equal(Number(sum!.sum), 0)
  const wrong = await db.query(
    `select w.user_id from customer.wallet w left join customer.entry e on e.account = 'wallet:' || w.user_id group by w.user_id having w.balance <> coalesce(sum(e.amount), 0)`,
  )
  assert.deepEqual(wrong, [])
})

test('without a token, and without a wallet, there is none', async () => {
  assertProblem(await new Client(system.url).get('/api/me/wallet'), 401, 'unauthenticated')
  const who = await person(system.url)
  await db.query('delete from customer.wallet where user_id = $1', [who.id])
  assertProblem(await who.client.get('/api/me/wallet'), 401, 'unauthenticated')
})
