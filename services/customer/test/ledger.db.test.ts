import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { type Database, transaction } from '@pando/saga'
import { serviceDatabase } from '../../../test/support/service-database.ts'
import { anonymise, movements, post, type Posting, walletAccount } from '../src/ledger.ts'
import { balanceOf } from '../src/wallets.ts'

async function open(t: TestContext, balances: number[]): Promise<{ db: Database; users: string[] }> {
  const db = await serviceDatabase(t, 'customer')
  const users = balances.map(() => randomUUID())
  await db.query('insert into customer.wallet (user_id, made_by) select unnest($1::uuid[]), gen_random_uuid()', [users])
  for (const [i, user] of users.entries()) if (balances[i]! > 0) await pay(db, user, balances[i]!)
  return { db, users }
}
const move = (db: Database, postings: readonly Posting[], kind = 'test'): Promise<void> =>
  transaction(db, (tx) => post(tx, kind, postings))
const pay = (db: Database, user: string, amount: number): Promise<void> =>
  move(
    db,
    [
      { account: walletAccount(user), amount },
      { account: 'house:cash', amount: -amount },
    ],
    'charge',
  )
const transfer = (db: Database, from: string, to: string, amount: number): Promise<void> =>
  move(
    db,
    [
      { account: walletAccount(from), amount: -amount },
      { account: walletAccount(to), amount },
    ],
    'transfer',
  )

/** That every transaction adds up to zero, and every balance to its entries, and none is below zero. */
async function assertSound(db: Database): Promise<void> {
  assert.deepEqual(await db.query('select transaction_id from customer.entry group by 1 having sum(amount) <> 0'), [])
  assert.deepEqual(
    await db.query(
      `select w.user_id, w.balance, coalesce(sum(e.amount), 0) as entries from customer.wallet w
       left join customer.entry e on e.account = 'wallet:' || w.user_id group by 1, 2 having w.balance <> coalesce(sum(e.amount), 0) or w.balance < 0`,
    ),
    [],
  )
}

test('money moves, and both sides have an entry', async (t) => {
  const { db, users } = await open(t, [500, 0])
  const [from = '', to = ''] = users
  await transfer(db, from, to, 200)
  assert.deepEqual([await balanceOf(db, from), await balanceOf(db, to)], [300, 200])
  const [latest, first] = await movements(db, from, undefined, 10)
  assert.deepEqual([latest!.kind, latest!.amount, first!.kind, first!.amount], ['transfer', -200, 'charge', 500])
  assert.ok(latest!.id > first!.id && latest!.createdAt instanceof Date)
  assert.deepEqual(
    (await movements(db, from, latest!.id, 10)).map(({ id }) => id),
    [first!.id],
  )
  assert.equal((await movements(db, from, undefined, 1)).length, 1)
  await assertSound(db)
})

test('a wallet never falls below zero: the whole transaction fails, and nothing of it stays', async (t) => {
  const { db, users } = await open(t, [100, 100])
  const [poor = '', other = ''] = users
  await assert.rejects(transfer(db, poor, other, 101), { code: '23514' })
  await assert.rejects(
    move(db, [
      { account: walletAccount(other), amount: -50 },
      { account: walletAccount(poor), amount: -150 },
      { account: 'house:cash', amount: 200 },
    ]),
    { code: '23514' },
  )
  assert.deepEqual([await balanceOf(db, poor), await balanceOf(db, other)], [100, 100])
  assert.equal((await db.query('select from customer.ledger_transaction')).length, 2)
  await transfer(db, poor, other, 100)
  assert.equal(await balanceOf(db, poor), 0)
  await assertSound(db)
})

test('amounts that are not whole, are nothing, or do not add up are refused before anything is written', async (t) => {
  const { db, users } = await open(t, [100])
  const account = walletAccount(users[0]!)
  const wrong: Posting[][] = [
    [{ account, amount: 1 }],
    [
      { account, amount: 1 },
      { account: 'house:cash', amount: -2 },
    ],
    [
      { account, amount: 0.5 },
      { account: 'house:cash', amount: -0.5 },
    ],
    [
      { account, amount: 0 },
      { account: 'house:cash', amount: 0 },
    ],
    [
      { account, amount: Number.NaN },
      { account: 'house:cash', amount: Number.NaN },
    ],
    [
      { account, amount: 2 ** 53 },
      { account: 'house:cash', amount: -(2 ** 53) },
    ],
  ]
  for (const postings of wrong) await assert.rejects(move(db, postings), RangeError)
  assert.equal((await db.query('select from customer.entry')).length, 2)
})

test('a wallet that is closed, or not there, neither gives nor takes', async (t) => {
  const { db, users } = await open(t, [100, 100])
  const [open_ = '', closed = ''] = users
  await db.query('update customer.wallet set held_by = gen_random_uuid() where user_id = $1', [closed])
  await assert.rejects(transfer(db, open_, closed, 1), RangeError)
  await assert.rejects(transfer(db, closed, open_, 1), RangeError)
  await assert.rejects(transfer(db, open_, randomUUID(), 1), RangeError)
  assert.deepEqual([await balanceOf(db, open_), await balanceOf(db, closed)], [100, 100])
})

test('one transaction may touch a wallet more than once', async (t) => {
  const { db, users } = await open(t, [100, 0])
  const [a = '', b = ''] = users.map(walletAccount)
  await move(db, [
    { account: a, amount: -60 },
    { account: b, amount: 60 },
    { account: a, amount: -30 },
    { account: 'house:fees', amount: 30 },
  ])
  assert.deepEqual([await balanceOf(db, users[0]!), await balanceOf(db, users[1]!)], [10, 60])
  await assertSound(db)
})

test('400 transfers at once between four wallets in both directions: none is lost, none locks another out, none goes below zero', async (t) => {
  const { db, users } = await open(t, [100, 100, 100, 100])
  const outcomes = await Promise.allSettled(
    Array.from({ length: 400 }, (_, i) => {
      const from = users[i % 4]!
      const to = users[(i + 1 + ((i >> 2) % 3)) % 4]!
      // Nobody ever has 401.
      return transfer(db, from, to, i % 50 === 0 ? 401 : 1 + ((i * 7) % 40))
    }),
  )
  const failed = outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [(outcome.reason as { code?: string }).code] : [],
  )
  assert.deepEqual(new Set(failed), new Set(['23514']), 'refused only for want of money, and some were')
  const transfers = await db.query(`select from customer.ledger_transaction where kind = 'transfer'`)
  assert.equal(transfers.length, 400 - failed.length)
  const balances = await Promise.all(users.map((user) => balanceOf(db, user)))
  assert.equal(
    balances.reduce<number>((sum, balance) => sum + balance!, 0),
    400,
  )
  await assertSound(db)
})

test('a user who is gone leaves the books whole, without a name', async (t) => {
  const { db, users } = await open(t, [100, 0])
  const [leaver = '', other = ''] = users
  await transfer(db, leaver, other, 100)
  await transaction(db, (tx) => anonymise(tx, [leaver]))
  assert.deepEqual(await movements(db, leaver, undefined, 10), [])
  assert.equal((await movements(db, other, undefined, 10)).length, 1)
  assert.equal((await db.query(`select from customer.entry where account = 'house:former-users'`)).length, 2)
  await assertSound(db)
})
