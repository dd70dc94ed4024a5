import assert from 'node:assert/strict'
import test from 'node:test'
import {
  countOpenSagas,
  createMemoryTransport,
  listSagas,
  type SagaPlace,
  type SagaQuery,
  type SagaView,
} from '../src/index.ts'
import { sagaHistory } from '../src/saga-views.ts'
import { testDatabase } from '../../../test/support/postgres.ts'
import { accountDeletion, memberAdded, memberRemoved, walletOpened, walletRefused } from './example-sagas.ts'
import { answer, createService, empty, NOW, outboxOf, user } from './saga-service.ts'

const refusal = walletRefused({ ...user, reason: 'wallet_exists' })

test('sagas are listed failed and overdue first, each kind newest first', async (t) => {
  const db = await testDatabase(t, empty)
  const service = await createService(db)
  const deletions = await createService(db, { definition: accountDeletion })
  // One after the other, a second apart; those that are to run on have a deadline far away.
  const start = async (of = service, deadlineMs = 1_000 * 86_400_000): Promise<SagaView> => {
    of.clock.now += 1_000
    service.clock.now = deletions.clock.now = of.clock.now
    return (await of.start([{ deadlineMs }]))[0]!
  }
  const fail = async (saga: SagaView): Promise<void> => {
    await service.hear(answer(saga, memberAdded(user)), answer(saga, refusal), answer(saga, memberRemoved(user)))
  }
  const oldFailed = await start()
  const running = await start()
  const completed = await start()
  const overdue = await start(service, 1)
  const newFailed = await start()
  const deletion = await start(deletions)
  await fail(oldFailed)
  await fail(newFailed)
  await service.hear(answer(completed, memberAdded(user)), answer(completed, walletOpened(user)))
  const compensating = await start()
  await service.hear(answer(compensating, memberAdded(user)), answer(compensating, refusal))

  const right = [newFailed, overdue, oldFailed, compensating, deletion, completed, running].map(({ id }) => id)
  const ids = async (query: Omit<SagaQuery, 'limit'>, limit = 100): Promise<string[]> =>
    (await listSagas(db, { ...query, limit })).states.map(({ view }) => view.id)
  assert.deepEqual(await ids({}), right)
  assert.deepEqual(await ids({ type: 'account-deletion' }), [deletion.id])
  assert.deepEqual(await ids({ status: 'failed' }), [newFailed.id, oldFailed.id])
  assert.deepEqual(await ids({ type: 'sign-up', status: 'running' }), [overdue.id, running.id])
  assert.deepEqual(await ids({ type: 'ordering' }), [])

  for (let limit = 1; limit <= right.length + 1; limit++) {
    const pages: string[][] = []
    let after: SagaPlace | null | undefined
    while (after !== null) {
      const page = await listSagas(db, { limit, ...(after && { after }) })
      pages.push(page.states.map(({ view }) => view.id))
      after = page.next
      assert.ok(pages.length <= right.length, 'the list has no end')
    }
    assert.deepEqual(pages.flat(), right, `by ${limit}`)
    assert.equal(pages.length, Math.max(1, Math.ceil(right.length / limit)), `by ${limit}`)
  }
})

test('open sagas are counted by type and status, with those that are past their deadline', async (t) => {
  const db = await testDatabase(t, empty)
  const service = await createService(db)
  const deletions = await createService(db, { definition: accountDeletion })
  assert.deepEqual(await countOpenSagas(db), [])
  const far = { deadlineMs: 1_000 * 86_400_000 }
  await deletions.start([far])
  const sagas = await service.start([far, far, far, { deadlineMs: 1 }, { deadlineMs: 1 }])
  const [completed, compensating, , overdue] = sagas as [SagaView, SagaView, SagaView, SagaView]
  await service.hear(answer(completed, memberAdded(user)), answer(completed, walletOpened(user)))
  await service.hear(answer(compensating, memberAdded(user)), answer(compensating, refusal))
  const deletion = { type: 'account-deletion', status: 'running', count: 1, overdue: 0 }
  assert.deepEqual(await countOpenSagas(db), [
    deletion,
    { type: 'sign-up', status: 'compensating', count: 1, overdue: 0 },
    { type: 'sign-up', status: 'running', count: 3, overdue: 2 },
  ])

  // Its deadline is seen, but the chat does not say that it has undone its part.
  await service.hear(answer(overdue, memberAdded(user)))
  service.clock.now += 1_000
  service.sagas.deadlines.start()
  await service.until(() => service.ended(sagas[4]!))
  await service.sagas.deadlines.stop()
  assert.deepEqual(await countOpenSagas(db), [
    deletion,
    { type: 'sign-up', status: 'compensating', count: 2, overdue: 1 },
    { type: 'sign-up', status: 'running', count: 1, overdue: 0 },
  ])
})

test('sagas that started in the same millisecond are all listed, once', async (t) => {
  const db = await testDatabase(t, empty)
  const { start } = await createService(db)
  const views = await start(Array.from({ length: 25 }, () => ({})))
  const found: string[] = []
  let after: SagaPlace | null | undefined
  while (after !== null) {
    const page = await listSagas(db, { limit: 10, ...(after && { after }) })
    found.push(...page.states.map(({ view }) => view.id))
    after = page.next
  }
  assert.deepEqual(found.toSorted(), views.map(({ id }) => id).toSorted())
})

test('the history of a saga tells its events, each after its cause, and where they lie', async (t) => {
  const db = await testDatabase(t, empty)
  const transport = createMemoryTransport()
  await transport.ensureTopics(['user'], 1)
  const service = await createService(db)
  const [saga] = (await service.start([{}])) as [SagaView]
  const [started] = await outboxOf(db)
  const chain = { causationId: started!.id, correlationId: started!.id }
  const added = { ...answer(saga, memberAdded(user)), ...chain, attempt: 2 }
  const refused = { ...answer(saga, refusal), ...chain, tries: 3 }
  await service.hear(added)
  service.clock.now = NOW + 500
  await service.hear(refused)
  const failed = (await outboxOf(db))[1]!
  const removed = { ...answer(saga, memberRemoved(user)), causationId: failed.id, correlationId: started!.id }
  await service.hear(removed)
  // The relay has published the first; the second still waits.
  await transport.publish([{ ...started!, topic: 'user', body: JSON.stringify(started) }])

  const history = await sagaHistory(db, transport, saga.id, () => ({ topic: 'user', partition: 0 }))
  assert.deepEqual(
    history.map(({ type }) => type),
    [
      'user.sign-up-started',
      'chat.member-added',
      'customer.wallet-refused',
      'user.sign-up-failed',
      'chat.member-removed',
    ],
  )
  const seen = new Set<string | null>([null])
  for (const { eventId, causationId } of history) {
    assert.ok(seen.has(causationId), `${eventId} stands before its cause ${causationId}`)
    seen.add(eventId)
  }
  const at = new Date(NOW).toISOString()
  const later = new Date(NOW + 500).toISOString()
  assert.deepEqual(history[0], {
    eventId: started!.id,
    type: 'user.sign-up-started',
    version: 1,
    service: 'user',
    causationId: null,
    recordedAt: at,
    receivedAt: at,
    attempt: 1,
    topic: 'user',
    partition: 0,
    offset: 0,
    data: started!.data,
  })
  assert.deepEqual(history[1], {
    eventId: added.id,
    type: 'chat.member-added',
    version: 1,
    service: 'chat',
    causationId: started!.id,
    recordedAt: added.time,
    receivedAt: at,
    attempt: 2,
    topic: 'chat',
    partition: 3,
    offset: 7,
    data: user,
  })
  const { offset, attempt, causationId, recordedAt, receivedAt } = history[3]!
  assert.deepEqual([offset, attempt, causationId, recordedAt, receivedAt], [null, 3, refused.id, later, later])
})
