import assert from 'node:assert/strict'
import { randomUUIDv7 } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { createDatabase, type Database } from '../src/database.ts'
import { isTransient } from '../src/errors.ts'
import { migrate } from '../src/migrate.ts'
import { retryOnConflict, transaction, type Tx } from '../src/transaction.ts'
import { testDatabase } from '../../../test/support/postgres.ts'
import { until } from './until.ts'

const prepare = async (db: Database): Promise<void> => {
  await migrate(db, { schema: 'saga', directory: new URL('../sql/service/', import.meta.url) })
  await db.query('create table plant (name text primary key)')
}

/** A database with a table of plants, and a pool under test with `max` connections. */
async function setUp(t: TestContext, max = 2) {
  const admin = await testDatabase(t, { template: 'plants', migrate: prepare })
  const errors: Error[] = []
  const db = createDatabase({
    connectionString: admin.url,
    max,
    applicationName: 'under-test',
    onError: (error) => errors.push(error),
  })
  t.after(() => db.close())
  const plants = async (): Promise<string[]> =>
    (await admin.query<{ name: string }>('select name from plant order by name')).map(({ name }) => name)
  const outbox = async (): Promise<string[]> =>
    (await admin.query<{ key: string }>('select key from saga.outbox order by seq')).map(({ key }) => key)
  return { admin, db, errors, plants, outbox }
}
const insert = (tx: Tx, name: string): Promise<unknown> => tx.query('insert into plant values ($1)', [name])
const put = (tx: Tx, key: string): void =>
  void tx.outbox.push({ id: randomUUIDv7(), topic: 'plant', key, type: 'plant.listed', body: '{}' })
const pidOf = async (tx: Pick<Tx, 'query'>): Promise<number> =>
  (await tx.query<{ pid: number }>('select pg_backend_pid() as pid'))[0]!.pid

test('what is written and what is appended become true together', async (t) => {
  const { db, plants, outbox } = await setUp(t)
  let appended = 0
  db.onAppended(() => appended++)
  const result = await transaction(db, async (tx) => {
    await insert(tx, 'fern')
    put(tx, 'fern')
    put(tx, 'moss')
    assert.deepEqual(await plants(), [])
    assert.deepEqual(await outbox(), [])
    return 'result'
  })
  assert.equal(result, 'result')
  assert.deepEqual([await plants(), await outbox()], [['fern'], ['fern', 'moss']])
  assert.equal(appended, 1)
  await transaction(db, async (tx) => insert(tx, 'moss'))
  assert.equal(appended, 1, 'nothing was appended')
})

test('when it throws, nothing of it stays, and its error comes out', async (t) => {
  const { db, plants, outbox } = await setUp(t, 1)
  let hooked = 0
  db.onAppended(() => hooked++)
  const refusal = new Error('sold out')
  await assert.rejects(
    transaction(db, async (tx) => {
      tx.afterCommit(() => hooked++)
      tx.send('insert into plant values ($1)', ['moss'])
      await insert(tx, 'fern')
      put(tx, 'fern')
      throw refusal
    }),
    (error) => error === refusal,
  )
  await assert.rejects(
    // Not even an async function.
    transaction(db, () => {
      throw refusal
    }),
    (error) => error === refusal,
  )
  assert.deepEqual([await plants(), await outbox(), hooked], [[], [], 0])
  await transaction(db, (tx) => insert(tx, 'the pool is not empty'))
})

test('an outbox row that cannot be written takes everything with it', async (t) => {
  const { db, plants } = await setUp(t)
  await assert.rejects(
    transaction(db, async (tx) => {
      await insert(tx, 'fern')
      tx.outbox.push({ id: 'no uuid', topic: 'plant', key: 'fern', type: 'plant.listed', body: '{}' })
    }),
    { code: '22P02' },
  )
  assert.deepEqual(await plants(), [])
})

test('a commit that fails is no commit', async (t) => {
  const { admin, db, plants, outbox } = await setUp(t, 1)
  await admin.query('create table pot (name text references plant deferrable initially deferred)')
  let hooked = false
  await assert.rejects(
    transaction(db, async (tx) => {
      tx.afterCommit(() => (hooked = true))
      await insert(tx, 'fern')
      put(tx, 'fern')
      await tx.query('insert into pot values ($1)', ['no such plant'])
    }),
    { code: '23503' },
  )
  assert.deepEqual([await plants(), await outbox(), hooked], [[], [], false])
})

test('hooks run after the commit, in order; one that throws is told of, and changes nothing', async (t) => {
  const { db, errors, plants } = await setUp(t)
  const seen: string[] = []
  const result = await transaction(db, async (tx) => {
    await insert(tx, 'fern')
    tx.afterCommit(() => seen.push('first'))
    tx.afterCommit(() => {
      throw new Error('the hook is broken')
    })
    tx.afterCommit(() => seen.push('last'))
    seen.push('inside')
    return 'committed'
  })
  assert.equal(result, 'committed')
  assert.deepEqual(seen, ['inside', 'first', 'last'])
  assert.deepEqual(
    errors.map(({ message }) => message),
    ['the hook is broken'],
  )
  assert.deepEqual(await plants(), ['fern'])
})

test('a sent statement that fails, fails the transaction with its own error', async (t) => {
  const { db, plants, outbox } = await setUp(t, 1)
  await transaction(db, (tx) => insert(tx, 'fern'))
  const send = (tx: Tx): void => tx.send('insert into plant values ($1)', ['fern'])
  const twice = { code: '23505' }
  // As the last statement, with an outbox to write, and before a statement that is waited for.
  await assert.rejects(
    transaction(db, async (tx) => send(tx)),
    twice,
  )
  await assert.rejects(
    transaction(db, async (tx) => {
      send(tx)
      put(tx, 'fern')
    }),
    twice,
  )
  await assert.rejects(
    transaction(db, async (tx) => {
      send(tx)
      await insert(tx, 'moss')
    }),
    twice,
  )
  assert.deepEqual([await plants(), await outbox()], [['fern'], []])
})

test('a failed statement that was swallowed is no commit', async (t) => {
  const { db, plants, outbox } = await setUp(t, 1)
  await transaction(db, (tx) => insert(tx, 'fern'))
  const swallow = async (tx: Tx): Promise<void> => {
    await insert(tx, 'moss')
    await insert(tx, 'fern').catch(() => {})
  }
  const lost = (error: unknown): boolean => {
    assert.ok(error instanceof Error && 'code' in error && error.cause instanceof Error && 'code' in error.cause)
    assert.equal(error.code, 'SAGA_COMMIT_LOST')
    assert.equal(error.cause.code, '23505', 'the cause is the statement that failed')
    assert.match(error.message, /duplicate key/)
    return true
  }
  let hooked = false
  await assert.rejects(
    transaction(db, async (tx) => {
      tx.afterCommit(() => (hooked = true))
      await swallow(tx)
    }),
    lost,
  )
  await assert.rejects(
    transaction(db, async (tx) => {
      await swallow(tx)
      put(tx, 'moss')
    }),
    lost,
    'with an outbox to write',
  )
  await assert.rejects(
    transaction(db, async (tx) => {
      await swallow(tx)
      await insert(tx, 'ivy')
    }),
    lost,
    'with another statement',
  )
  assert.deepEqual([await plants(), await outbox(), hooked], [['fern'], [], false])
  // With a savepoint it is no failure.
  await transaction(db, async (tx) => {
    await tx.query('savepoint before')
    await insert(tx, 'fern').catch(() => tx.query('rollback to before'))
    await insert(tx, 'moss')
  })
  assert.deepEqual(await plants(), ['fern', 'moss'])
})

test('nobody can use a transaction that has ended', async (t) => {
  const { db, plants, outbox } = await setUp(t, 1)
  const over = { code: 'SAGA_TRANSACTION_OVER' }
  for (const ending of ['commit', 'roll-back']) {
    let leaked: Tx | undefined
    await transaction(db, async (tx) => {
      leaked = tx
      if (ending === 'roll-back') throw new Error(ending)
    }).catch(() => {})
    await assert.rejects(insert(leaked!, 'late'), over)
    assert.throws(() => leaked!.send('insert into plant values ($1)', ['late']), over)
    assert.throws(() => put(leaked!, 'late'), over)
    assert.throws(() => leaked!.afterCommit(() => {}), over)
  }

  // The usual way to get there: one of several things at once fails, the others go on, and meet the next transaction's connection.
  const { promise: rolledBack, resolve } = Promise.withResolvers<void>()
  let late: Promise<unknown> | undefined
  await assert.rejects(
    transaction(db, async (tx) => {
      late = rolledBack.then(() => insert(tx, 'late'))
      await Promise.all([late, Promise.reject(new Error('the other failed'))])
    }),
    /the other failed/,
  )
  await transaction(db, async (tx) => {
    await insert(tx, 'fern')
    resolve()
    await assert.rejects(late!, over)
  })
  assert.deepEqual([await plants(), await outbox()], [['fern'], []])
})

test('a connection that is cut inside takes all of its transaction with it, and nothing of another', async (t) => {
  const { admin, db, errors, plants, outbox } = await setUp(t, 2)
  const kept: string[] = []
  for (let i = 0; i < 50; i++) {
    const cut = transaction(db, async (tx) => {
      const pid = await pidOf(tx)
      await insert(tx, `cut ${i}`)
      put(tx, `cut ${i}`)
      await admin.query('select pg_terminate_backend($1)', [pid])
      // At once, and after the connection is known to be gone; what comes then must not run anywhere.
      if (i % 3 === 0) await until('the cut is noticed', () => errors.length > i)
      if (i % 3 === 1) tx.send('insert into plant values ($1)', [`sent ${i}`])
      if (i % 2 === 0) await insert(tx, `after ${i}`)
    })
    const rejected = assert.rejects(cut, (error) => {
      assert.ok(isTransient(error), String(error))
      return true
    })
    // Others share the pool all the while.
    await Promise.all([
      rejected,
      ...['a', 'b'].map(async (name) => {
        await transaction(db, async (tx) => {
          await insert(tx, `kept ${i} ${name}`)
          put(tx, `kept ${i} ${name}`)
        })
        kept.push(`kept ${i} ${name}`)
      }),
    ])
    await until('the cut is noticed', () => errors.length > i)
  }
  assert.deepEqual(await plants(), kept.toSorted())
  assert.deepEqual((await outbox()).toSorted(), kept.toSorted())
  const { total, idle, waiting } = db.stats()
  assert.deepEqual([total - idle, waiting], [0, 0], 'no connection is missing from the pool')
  const left = await admin.query(
    `select from pg_stat_activity where application_name = 'under-test' and state <> 'idle'`,
  )
  assert.equal(left.length, 0)
})

test('a transaction that PostgreSQL ends to solve a deadlock can be repeated', async (t) => {
  const { db, plants } = await setUp(t)
  await transaction(db, async (tx) => {
    await insert(tx, 'fern')
    await insert(tx, 'moss')
  })
  const { promise: both, resolve } = Promise.withResolvers<void>()
  let waiting = 0
  let tries = 0
  const lockBoth = (first: string, second: string): Promise<void> =>
    retryOnConflict(() =>
      transaction(db, async (tx) => {
        tries++
        await tx.query('select from plant where name = $1 for update', [first])
        if (++waiting === 2) resolve()
        await both
        await tx.query('select from plant where name = $1 for update', [second])
        await insert(tx, `${first} and ${second}`)
      }),
    )
  await Promise.all([lockBoth('fern', 'moss'), lockBoth('moss', 'fern')])
  // One more each time that a repeated one takes the row before the one that waits for it has woken up: they meet again.
  assert.ok(tries >= 3, 'one was the victim')
  assert.deepEqual(await plants(), ['fern', 'fern and moss', 'moss', 'moss and fern'])
})

test('only a conflict is repeated, and not for ever', async () => {
  const failing = (code: string) => {
    let tries = 0
    return { run: async () => Promise.reject(Object.assign(new Error(code), { code, tries: ++tries })) }
  }
  await assert.rejects(retryOnConflict(failing('40001').run), { code: '40001', tries: 5 })
  await assert.rejects(retryOnConflict(failing('40P01').run, 2), { code: '40P01', tries: 2 })
  await assert.rejects(retryOnConflict(failing('23505').run), { code: '23505', tries: 1 })
})

test('a statement in it that must fail leaves a pool of one connection as it was', async (t) => {
  const { db } = await setUp(t, 1)
  const before = await transaction(db, pidOf)
  for (let i = 0; i < 20; i++)
    await assert.rejects(
      transaction(db, (tx) => tx.query('select 1 / $1::int', [0])),
      { code: '22012' },
    )
  assert.equal(await transaction(db, pidOf), before, 'the same connection, rolled back')
})
