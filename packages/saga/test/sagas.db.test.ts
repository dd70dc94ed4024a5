import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import test, { type TestContext, suite } from 'node:test'
import {
  createDatabase,
  type Database,
  forgetSagas,
  type SagaDefinition,
  type SagaHooks,
  type SagaView,
  transaction,
} from '../src/index.ts'
import { testDatabase } from '../../../test/support/postgres.ts'
import {
  accountDeletion,
  memberAdded,
  memberRemoved,
  signUp,
  walletClosed,
  walletOpened,
  walletRefused,
} from './example-sagas.ts'
import { faultsOf } from './saga-rules.ts'
import { answer, createService, empty, NOW, outboxOf, user, versionsOf } from './saga-service.ts'

// For tests that wait for something: long enough for a busy machine.
const waiting = { timeout: 60_000 }

suite('starting', () => {
  test('a saga, its first version and its event are there when the transaction commits, and only then', async (t) => {
    const db = await testDatabase(t, empty)
    const { sagas, told } = await createService(db)
    const item = { id: randomUUID(), ownerId: 'u1', data: { ...user, name: 'nayun' } }
    const left = transaction(db, async (tx) => {
      sagas.start(tx, signUp, [item])
      await tx.query('select 1')
      throw new Error('changed its mind')
    })
    await assert.rejects(left, /changed its mind/)
    assert.deepEqual([await sagas.find('sign-up', item.id), await outboxOf(db), told], [undefined, [], []])

    const [view] = await transaction(db, async (tx) => sagas.start(tx, signUp, [item]))
    const state = await sagas.find('sign-up', item.id)
    assert.deepEqual(state?.view, view)
    assert.equal(state?.ownerId, 'u1')
    assert.deepEqual(await versionsOf(db, view!), [view])
    const [started, ...others] = await outboxOf(db)
    assert.deepEqual(others, [])
    assert.equal(started?.type, 'user.sign-up-started')
    assert.deepEqual([started.sagaType, started.sagaId, started.data], ['sign-up', item.id, item.data])
    assert.deepEqual(
      told.map(({ id, event }) => [id, event.seq, event.last]),
      [[item.id, 1, false]],
    )
  })

  test('many at once', async (t) => {
    const db = await testDatabase(t, empty)
    const { start, sagas } = await createService(db)
    const views = await start(Array.from({ length: 300 }, () => ({})))
    assert.equal((await outboxOf(db)).length, 300)
    for (const view of [views[0]!, views[299]!]) assert.deepEqual((await sagas.find('sign-up', view.id))?.view, view)
    assert.equal(await sagas.find('account-deletion', views[0]!.id), undefined)
    assert.deepEqual(await start([]), [])
  })
})

suite('answers', () => {
  test('bring a saga to its end; each version is kept as it was', async (t) => {
    const db = await testDatabase(t, empty)
    const { start, hear, sagas, told } = await createService(db)
    const [saga, other] = (await start([{}, {}])) as [SagaView, SagaView]
    await hear(answer(saga, memberAdded(user)))
    await hear(answer(saga, memberAdded(user)))
    await hear(answer(saga, walletOpened(user)))

    const versions = await versionsOf(db, saga)
    assert.deepEqual(
      versions.map(({ status }) => status),
      ['running', 'running', 'completed'],
    )
    assert.deepEqual(faultsOf(signUp, versions), [])
    assert.deepEqual((await sagas.find('sign-up', saga.id))?.view, versions.at(-1))
    assert.deepEqual((await sagas.find('sign-up', other.id))?.view, other)
    assert.deepEqual(
      told
        .filter(({ id }) => id === saga.id)
        .map(({ event }) => ({ ...event, data: JSON.parse(event.data) as SagaView })),
      versions.map((view, i) => ({ seq: i + 1, type: 'saga', data: view, last: i === 2 })),
    )
  })

  test('may all come in one batch, with repeats, and with answers to sagas of others', async (t) => {
    const db = await testDatabase(t, empty)
    const { start, hear, sagas } = await createService(db)
    const views = await start(Array.from({ length: 40 }, () => ({})))
    const foreign = { ...views[0]!, type: 'ordering' }
    const unknown = { ...views[0]!, id: randomUUID() }
    const { sagaId: _, ...bare } = answer(views[0]!, walletRefused({ ...user, reason: 'none' }))
    await hear(
      answer(foreign, memberAdded(user)),
      answer(unknown, memberAdded(user)),
      bare,
      ...views.flatMap((view, i) => [
        answer(view, memberAdded(user)),
        answer(view, memberAdded(user)),
        answer(view, i % 2 === 0 ? walletOpened(user) : walletRefused({ ...user, reason: 'wallet_exists' })),
        answer(view, memberRemoved(user)),
      ]),
    )
    for (const [i, view] of views.entries()) {
      const versions = await versionsOf(db, view)
      assert.deepEqual(faultsOf(signUp, versions), [])
      assert.equal(versions.at(-1)?.status, i % 2 === 0 ? 'completed' : 'failed')
      assert.deepEqual((await sagas.find('sign-up', view.id))?.view, versions.at(-1))
    }
    const last = (await outboxOf(db)).slice(40).map(({ type, sagaId }) => [type, sagaId])
    assert.deepEqual(
      last,
      views.map(({ id }, i) => [i % 2 === 0 ? 'user.registered' : 'user.sign-up-failed', id]),
    )
  })

  test('that change nothing write nothing', async (t) => {
    const db = await testDatabase(t, empty)
    const { start, hear, told } = await createService(db)
    const [saga] = (await start([{}])) as [SagaView]
    await hear(answer(saga, memberAdded(user)), answer(saga, walletOpened(user)))
    const rows = await db.query('select *, xmin from saga.saga')
    told.length = 0
    await hear(answer(saga, memberAdded(user)), answer(saga, memberRemoved(user)))
    assert.deepEqual(await db.query('select *, xmin from saga.saga'), rows)
    assert.deepEqual(told, [])
  })

  test('cause the event that ends it: the chain, the saga and the trace go on', async (t) => {
    const db = await testDatabase(t, empty)
    const { start, hear } = await createService(db)
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const [saga] = (await start([{ traceparent }])) as [SagaView]
    const [started] = await outboxOf(db)
    const chain = { correlationId: started!.id, traceparent }
    await hear({ ...answer(saga, memberAdded(user)), ...chain })
    const second = { ...answer(saga, walletOpened(user)), ...chain, tries: 4 }
    await hear(second)
    const registered = (await outboxOf(db)).at(-1)!
    assert.deepEqual(
      { ...registered, id: '', time: '' },
      {
        id: '',
        time: '',
        type: 'user.registered',
        version: 1,
        key: 'u1',
        sagaType: 'sign-up',
        sagaId: saga.id,
        causationId: second.id,
        correlationId: started!.id,
        traceparent,
        attempt: 4,
        data: user,
      },
    )
  })

  test('of two instances at once wait for each other, and none is lost', waiting, async (t) => {
    const db = await testDatabase(t, empty)
    const another = createDatabase({ connectionString: db.url, applicationName: 'another' })
    t.after(() => another.close())
    const [one, two] = [await createService(db), await createService(another)]
    const [saga] = (await one.start([{}])) as [SagaView]

    const locked = Promise.withResolvers<void>()
    const open = Promise.withResolvers<void>()
    t.after(() => open.resolve())
    const first = transaction(db, async (tx) => {
      await one.sagas.reaction.react([answer(saga, memberAdded(user))], tx)
      locked.resolve()
      await open.promise
    })
    await locked.promise
    const second = two.hear(answer(saga, walletOpened(user)))
    await waitsForLock(t, db, 'another')
    open.resolve()
    await Promise.all([first, second])

    const versions = await versionsOf(db, saga)
    assert.deepEqual(faultsOf(signUp, versions), [])
    assert.deepEqual(
      versions.map(({ status }) => status),
      ['running', 'running', 'completed'],
    )
  })

  test('of two instances to the same hundred sagas, in opposite orders, neither lose one nor deadlock', async (t) => {
    const db = await testDatabase(t, empty)
    const another = createDatabase({ connectionString: db.url })
    t.after(() => another.close())
    const [one, two] = [await createService(db), await createService(another)]
    for (let round = 0; round < 5; round++) {
      const views = await one.start(Array.from({ length: 100 }, () => ({})))
      await Promise.all([
        one.hear(...views.map((view) => answer(view, memberAdded(user)))),
        two.hear(...views.toReversed().map((view) => answer(view, walletOpened(user)))),
      ])
      for (const view of views) {
        const versions = await versionsOf(db, view)
        assert.deepEqual(faultsOf(signUp, versions), [])
        assert.equal(versions.at(-1)?.status, 'completed')
      }
    }
  })
})

suite('hooks', () => {
  test('run once a saga has ended, in its transaction', async (t) => {
    const db = await testDatabase(t, empty)
    await db.query('create table account (id text, status text)')
    const hook =
      (status: string): SagaHooks['completed'] =>
      async (ended, tx) => {
        for (const { view, start } of ended) {
          assert.equal(view.status, status)
          await tx.query('insert into account values ($1, $2)', [(start.data as typeof user).userId, status])
        }
      }
    const { start, hear } = await createService(db, {
      hooks: { completed: hook('completed')!, failed: hook('failed')! },
    })
    const [good, bad, open] = (await start([{}, {}, {}])) as [SagaView, SagaView, SagaView]
    await hear(
      ...[good, bad, open].map((saga) => answer(saga, memberAdded(user))),
      answer(good, walletOpened(user)),
      answer(bad, walletRefused({ ...user, reason: 'wallet_exists' })),
    )
    assert.deepEqual(await db.query('select * from account'), [{ id: 'u1', status: 'completed' }])
    await hear(answer(bad, memberRemoved(user)))
    await hear(answer(bad, memberRemoved(user)), answer(good, walletOpened(user)))
    assert.deepEqual(await db.query('select * from account order by status'), [
      { id: 'u1', status: 'completed' },
      { id: 'u1', status: 'failed' },
    ])
  })

  test('that throw undo all of it', async (t) => {
    const db = await testDatabase(t, empty)
    let broken = true
    const completed = async (): Promise<void> => {
      if (broken) throw new Error('no account')
    }
    const { start, hear, sagas, told } = await createService(db, { hooks: { completed } })
    const [saga] = (await start([{}])) as [SagaView]
    const answers = [answer(saga, memberAdded(user)), answer(saga, walletOpened(user))]
    await assert.rejects(hear(...answers), /no account/)
    assert.deepEqual((await sagas.find('sign-up', saga.id))?.view, saga)
    assert.equal((await outboxOf(db)).length, 1)
    assert.equal(told.length, 1)
    broken = false
    await hear(...answers)
    assert.equal((await sagas.find('sign-up', saga.id))?.view.status, 'completed')
  })
})

suite('deadlines', () => {
  test('are no end for a saga that only goes forward', async (t) => {
    const db = await testDatabase(t, empty)
    const { type, starts, deadlineMs, completes } = signUp
    const definition: SagaDefinition = { type, starts, deadlineMs, completes, steps: { chat: { done: memberAdded } } }
    const { start, hear, sagas, clock } = await createService(db, { definition })
    const [saga] = (await start([{}])) as [SagaView]
    assert.deepEqual(await db.query('select due_at from saga.saga'), [{ due_at: null }])
    clock.now = NOW + 3_600_000
    await hear(answer(saga, memberAdded(user)))
    assert.equal((await sagas.find(type, saga.id))?.view.status, 'completed')
  })

  test('end what is late, and nothing before its time', waiting, async (t) => {
    const db = await testDatabase(t, empty)
    const failed: string[] = []
    const service = await createService(db, {
      hooks: { failed: async (ended) => void failed.push(...ended.map(({ view }) => view.id)) },
    })
    const { start, hear, sagas, clock } = service
    const [late, halfway, early, done] = (await start([{}, {}, { deadlineMs: 30_001 }, {}])) as [
      SagaView,
      SagaView,
      SagaView,
      SagaView,
    ]
    await hear(answer(halfway, memberAdded(user)), answer(done, memberAdded(user)), answer(done, walletOpened(user)))
    clock.now = NOW + 30_000
    sagas.deadlines.start()
    t.after(() => sagas.deadlines.stop())
    await service.until(() => service.ended(late))
    await service.until(() => service.told.some(({ id, event }) => id === halfway.id && event.seq === 3))

    const statuses = async (saga: SagaView): Promise<string[]> =>
      (await versionsOf(db, saga)).map(({ status }) => status)
    assert.deepEqual(await statuses(late), ['running', 'compensating', 'failed'])
    assert.deepEqual(await statuses(halfway), ['running', 'running', 'compensating'])
    assert.deepEqual(await statuses(early), ['running'])
    assert.deepEqual(await statuses(done), ['running', 'running', 'completed'])
    assert.deepEqual(failed, [late.id])

    await hear(
      answer(halfway, walletOpened(user)),
      answer(halfway, walletClosed(user)),
      answer(halfway, memberRemoved(user)),
    )
    const versions = await versionsOf(db, halfway)
    assert.deepEqual(faultsOf(signUp, versions), [])
    assert.deepEqual(versions.at(-1)?.steps.customer, { status: 'failed', reason: 'deadline' })
    assert.equal(versions.at(-1)?.status, 'failed')
    assert.deepEqual(failed, [late.id, halfway.id])
  })

  test('publish the failure; its chain goes on from the start', waiting, async (t) => {
    const db = await testDatabase(t, empty)
    const service = await createService(db)
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const [saga] = (await service.start([{ traceparent }])) as [SagaView]
    service.clock.now = NOW + 30_000
    service.sagas.deadlines.start()
    t.after(() => service.sagas.deadlines.stop())
    await service.until(() => service.ended(saga))
    const [started, failed, ...others] = await outboxOf(db)
    assert.deepEqual(others, [])
    assert.equal(failed!.type, 'user.sign-up-failed')
    assert.deepEqual(failed!.data, { ...user, reason: 'deadline' })
    const { causationId, correlationId, sagaId, sagaType } = failed!
    assert.deepEqual(
      [causationId, correlationId, sagaId, sagaType, failed!.traceparent],
      [started!.id, started!.id, saga.id, 'sign-up', traceparent],
    )
  })

  test('of one saga that cannot be ended do not hold up those of others, and are tried again', waiting, async (t) => {
    const db = await testDatabase(t, empty)
    let broken = ''
    const failed = async (ended: readonly { view: SagaView }[]): Promise<void> => {
      if (ended.some(({ view }) => view.id === broken)) throw new Error('no account')
    }
    const service = await createService(db, { hooks: { failed } })
    const [first, second, third] = (await service.start([{ deadlineMs: 1 }, { deadlineMs: 2 }, { deadlineMs: 3 }])) as [
      SagaView,
      SagaView,
      SagaView,
    ]
    broken = first.id
    service.clock.now = NOW + 10
    service.sagas.deadlines.start()
    t.after(() => service.sagas.deadlines.stop())
    await service.until(() => service.ended(second, third) && service.errors.length > 0)
    assert.match(service.errors[0]!.message, new RegExp(first.id))
    assert.equal((service.errors[0]!.cause as Error).message, 'no account')
    assert.deepEqual((await service.sagas.find('sign-up', first.id))?.view, first)

    broken = ''
    service.clock.now = NOW + 120_000
    await service.until(() => service.ended(first))
    assert.equal(service.errors.length, 1)
    assert.deepEqual(faultsOf(signUp, await versionsOf(db, first)), [])
  })

  test('of a type that this instance does not know are left to those that do', waiting, async (t) => {
    const db = await testDatabase(t, empty)
    const old = await createService(db)
    const newer = await createService(db, { definition: accountDeletion })
    const [deletion] = (await newer.start([{ deadlineMs: 1 }])) as [SagaView]
    const [saga] = (await old.start([{ deadlineMs: 2 }])) as [SagaView]
    old.clock.now = newer.clock.now = NOW + 10
    old.sagas.deadlines.start()
    t.after(() => old.sagas.deadlines.stop())
    await old.until(() => old.ended(saga))
    newer.sagas.deadlines.start()
    t.after(() => newer.sagas.deadlines.stop())
    await newer.until(() => newer.ended(deletion))
  })

  test('do not wait for sagas that someone else is working on', waiting, async (t) => {
    const db = await testDatabase(t, empty)
    const service = await createService(db)
    const [held, free] = (await service.start([{ deadlineMs: 1 }, { deadlineMs: 2 }])) as [SagaView, SagaView]
    service.clock.now = NOW + 10
    const open = Promise.withResolvers<void>()
    t.after(() => open.resolve())
    const locked = Promise.withResolvers<void>()
    const other = transaction(db, async (tx) => {
      await tx.query('select from saga.saga where id = $1 for update', [held.id])
      locked.resolve()
      await open.promise
    })
    await locked.promise
    service.sagas.deadlines.start()
    t.after(() => service.sagas.deadlines.stop())
    await service.until(() => service.ended(free))
    assert.equal(service.ended(held), false)
    open.resolve()
    await other
    await service.until(() => service.ended(held))
    assert.deepEqual(service.errors, [])
  })
})

test('the stream of a saga is its versions, from its first to its last', async (t) => {
  const db = await testDatabase(t, empty)
  const { start, hear, sagas } = await createService(db)
  const [saga, other] = (await start([{}, {}])) as [SagaView, SagaView]
  const { source } = sagas
  assert.match(source.epoch, /^[0-9a-z]{10}$/)
  assert.deepEqual(await source.page(saga.id, 0, 10), [
    { seq: 1, type: 'saga', data: JSON.stringify(saga), last: false },
  ])
  await hear(answer(saga, memberAdded(user)), answer(saga, walletOpened(user)))
  const nobody = randomUUID()
  assert.deepEqual(
    await source.heads([saga.id, other.id, nobody]),
    new Map([
      [saga.id, { seq: 3, min: 1, ended: true }],
      [other.id, { seq: 1, min: 1, ended: false }],
    ]),
  )
  const page = await source.page(saga.id, 1, 1)
  assert.deepEqual(
    page.map(({ seq, last }) => [seq, last]),
    [[2, false]],
  )
  const rest = await source.page(saga.id, 2, 10)
  assert.deepEqual(
    rest.map(({ seq, last, data }) => [seq, last, (JSON.parse(data) as SagaView).status]),
    [[3, true, 'completed']],
  )
})

suite('what is over', () => {
  const known = async (db: Database): Promise<[string[], string[]]> => [
    (await db.query<{ id: string }>('select id from saga.saga order by id')).map(({ id }) => id),
    (await db.query<{ id: string }>('select distinct saga_id as id from saga.saga_event order by id')).map(
      ({ id }) => id,
    ),
  ]

  test('is forgotten with the transaction that forgets it, all of it, and nothing else', async (t) => {
    const db = await testDatabase(t, empty)
    const { start, hear } = await createService(db)
    const [one, two, other] = (await start([{}, {}, {}])) as [SagaView, SagaView, SagaView]
    await hear(...[one, two, other].map((saga) => answer(saga, memberAdded(user))))
    const all = [one.id, two.id, other.id].toSorted()
    const left = transaction(db, async (tx) => {
      forgetSagas(tx, [one.id])
      throw new Error('changed its mind')
    })
    await assert.rejects(left, /changed its mind/)
    assert.deepEqual(await known(db), [all, all])
    await transaction(db, async (tx) => forgetSagas(tx, [one.id, two.id]))
    assert.deepEqual(await known(db), [[other.id], [other.id]])
    await hear(answer(one, walletOpened(user)))
    assert.deepEqual(await known(db), [[other.id], [other.id]])
  })

  test('is dropped after some days, however much it is; what still goes on is not', async (t) => {
    const db = await testDatabase(t, empty)
    const { start, sagas, hear, clock } = await createService(db)
    const DAY_MS = 86_400_000
    const deadlineMs = 100 * DAY_MS
    const [running] = (await start([{ deadlineMs }])) as [SagaView]
    const old = await start(Array.from({ length: 1_101 }, () => ({ deadlineMs })))
    const late = old.pop()!
    const done = (saga: SagaView) => [answer(saga, memberAdded(user)), answer(saga, walletOpened(user))]
    await hear(...old.flatMap(done))
    clock.now = NOW + 2 * DAY_MS
    await hear(...done(late))
    const [young] = (await start([{ deadlineMs }])) as [SagaView]
    await hear(...done(young))

    clock.now = NOW + 10 * DAY_MS + 1
    await sagas.purge(10)
    const left = [running.id, late.id, young.id].toSorted()
    assert.deepEqual(await known(db), [left, left])
    clock.now = NOW + 12 * DAY_MS + 1
    await sagas.purge(10)
    assert.deepEqual(await known(db), [[running.id], [running.id]])
  })
})

/** Resolves when a session of that name waits for a row that another one holds. */
async function waitsForLock({ signal }: TestContext, db: Database, applicationName: string): Promise<void> {
  const blocked = `select from pg_stat_activity where application_name = $1 and wait_event_type = 'Lock'`
  while (!signal.aborted && (await db.query(blocked, [applicationName])).length === 0);
}
