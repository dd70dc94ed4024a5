import assert from 'node:assert/strict'
import { randomUUIDv7 } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { SagaError } from './errors.ts'
import { partitionOf } from './partition.ts'
import type { LogReader, LogRecord, PlacedRecord, TopicState, Transport, Want } from './transport.ts'

// What every transport promises (transport.ts), as tests. Each check makes topics of its own, so that any number of them can run at
// once on one log; the last test does that. Nothing here waits for a time to pass, but for what must come, with a deadline.

/** A poll that something must end sooner is asked to wait so long, and has to be back after this. */
const LONG_WAIT_MS = 30_000
const PROMPT_MS = 10_000
const DEADLINE_MS = 20_000

/** A log under test. */
export interface LogUnderTest {
  transport: Transport
  /** Another process's transport on the same log. */
  another(): Promise<Transport>
  close(): Promise<void>
}

/** Registers node:test tests of everything that a transport promises; `open` makes an empty log. */
export function transportConformance({ name, open }: { name: string; open: () => Promise<LogUnderTest> }): void {
  describe(`the ${name} transport`, () => {
    let log: LogUnderTest
    let others: Transport[]
    before(async () => {
      log = await open()
      others = await Promise.all([log.another(), log.another(), log.another(), log.another()])
    })
    after(async () => {
      await Promise.all(others.map((other) => other.close()))
      await log.close()
    })
    for (const [promise, check] of Object.entries(CHECKS)) test(promise, () => run(check, log, others[0]!))
    test('all of that twenty times at once, on one log', async () => {
      const checks = Object.values(CHECKS)
      const suites = Array.from({ length: 20 }, async (_, suite) => {
        // Each starts with another check, so that all kinds meet.
        for (let i = 0; i < checks.length; i++)
          await run(checks[(suite + i) % checks.length]!, log, others[suite % others.length]!)
      })
      await Promise.all(suites)
    })
  })
}

/** What a check works with: a topic name that nobody else has, this process, one beside it, and more when it needs them. */
interface Bench {
  topic: string
  transport: Transport
  other: Transport
  another(): Promise<Transport>
}
type Check = (bench: Bench) => Promise<void>

async function run(check: Check, log: LogUnderTest, other: Transport): Promise<void> {
  const more: Transport[] = []
  const another = async (): Promise<Transport> => {
    const transport = await log.another()
    more.push(transport)
    return transport
  }
  try {
    await check({ topic: `conformance-${randomUUIDv7()}`, transport: log.transport, other, another })
  } finally {
    await Promise.all(more.map((transport) => transport.close()))
  }
}

const CHECKS: Record<string, Check> = {
  async 'what publish has resolved for is there for a process that comes later'({ topic, transport, another }) {
    await transport.ensureTopics([topic], 3)
    const records = numbered(topic, 30)
    await transport.publish(records)
    const later = await another()
    const wants = await wantsOf(later, topic, 3)
    const found = await readAll(later.reader(), wants, 30)
    assert.deepEqual(byId(found.map(withoutPlace)), byId(records))
    for (const record of found) assert.equal(record.partition, partitionOf(record.key, 3))
  },

  async 'publishing nothing is nothing'({ topic, transport }) {
    const wants = await wantsOf(transport, topic, 1)
    await transport.publish([])
    assert.deepEqual(await transport.reader().poll(wants, 10, 0), [])
  },

  async 'each key keeps its order while many publish, and offsets have no gap'({ topic, transport, other }) {
    const wants = await wantsOf(transport, topic, 4)
    await other.ensureTopics([topic], 4)
    const publisher = async (via: Transport, name: string): Promise<void> => {
      for (let batch = 0; batch < 5; batch++)
        await via.publish(
          Array.from({ length: 10 }, (_, i) => record(topic, `${name}-${i % 5}`, { n: batch * 2 + (i < 5 ? 0 : 1) })),
        )
    }
    await Promise.all(Array.from({ length: 8 }, (_, i) => publisher(i % 2 ? other : transport, `publisher ${i}`)))
    const found = await readAll(transport.reader(), wants, 400)
    const keys = Map.groupBy(found, ({ key }) => key)
    assert.equal(keys.size, 40)
    for (const [key, records] of keys)
      assert.deepEqual(
        records.map(({ body }) => (JSON.parse(body) as { data: { n: number } }).data.n),
        Array.from({ length: 10 }, (_, n) => n),
        key,
      )
    assert.deepEqual(await transport.reader().poll(afterAll(wants, found), 10, 0), [], 'and nothing is left')
  },

  async 'the same offset gives the same records, to the same reader and to any other'({ topic, transport, other }) {
    const wants = await wantsOf(transport, topic, 2)
    await other.ensureTopics([topic], 2)
    await transport.publish(numbered(topic, 40))
    await other.publish(numbered(topic, 40))
    const reader = transport.reader()
    const first = await readAll(reader, wants, 80)
    assert.deepEqual(byPlace(await readAll(reader, wants, 80)), byPlace(first))
    assert.deepEqual(byPlace(await readAll(other.reader(), wants, 80)), byPlace(first))
    const middle = wants.map((want) => ({ ...want, next: want.next + 7 }))
    const rest = byPlace(first).filter(({ partition, offset }) => offset >= middle[partition]!.next)
    assert.deepEqual(byPlace(await readAll(reader, middle, rest.length)), rest)
  },

  async 'an offset outside the log is an error that names the partition'({ topic, transport, other }) {
    const wants = await wantsOf(transport, topic, 2)
    await other.ensureTopics([topic], 2)
    await transport.publish(numbered(topic, 20))
    for (const via of [transport, other]) {
      const reader = via.reader()
      const ends = await readAll(reader, wants, 20).then((found) => afterAll(wants, found))
      assert.deepEqual(await reader.poll(ends, 100, 0), [], 'the end itself is a place to wait at')
      for (const partition of [0, 1])
        for (const next of [ends[partition]!.next + 1, ends[partition]!.next + 1000, wants[partition]!.next - 1])
          await assert.rejects(
            reader.poll([ends[1 - partition]!, { topic, partition, next }], 100, 0),
            (error) =>
              error instanceof SagaError && error.code === 'SAGA_OFFSET_OUT_OF_LOG' && error.partition === partition,
          )
      assert.equal((await readAll(reader, wants, 20)).length, 20, 'the reader goes on')
    }
  },

  async 'readers at different places each get what is theirs'({ topic, transport, other }) {
    const [want] = await wantsOf(transport, topic, 1)
    await other.ensureTopics([topic], 1)
    const records = numbered(topic, 60)
    await transport.publish(records)
    const reading = Array.from({ length: 12 }, async (_, i) => {
      const from = want!.next + i * 5
      const reader = (i % 2 ? other : transport).reader()
      return readAll(reader, [{ ...want!, next: from }], 60 - i * 5)
    })
    for (const [i, found] of (await Promise.all(reading)).entries())
      assert.deepEqual(found.map(withoutPlace), records.slice(i * 5))
  },

  async 'a slow reader loses nothing and keeps nobody waiting'({ topic, transport, other }) {
    const wants = await wantsOf(transport, topic, 2)
    await other.ensureTopics([topic], 2)
    await transport.publish(numbered(topic, 20))
    const slow = transport.reader()
    const first = await slow.poll(wants, 5, LONG_WAIT_MS)
    assert.ok(first.length > 0)
    const quick = other.reader()
    let at = afterAll(wants, await readAll(quick, wants, 20))
    for (let i = 0; i < 10; i++) {
      await (i % 2 ? other : transport).publish(numbered(topic, 60))
      at = afterAll(at, await readAll(quick, at, 60))
    }
    const rest = await readAll(slow, afterAll(wants, first), 620 - first.length)
    assert.deepEqual(byPlace([...first, ...rest]), byPlace(await readAll(quick, wants, 620)))
  },

  async 'a long partition does not keep the others waiting'({ topic, transport }) {
    const wants = await wantsOf(transport, topic, 8)
    const keys = keysOfPartitions(8)
    await transport.publish(Array.from({ length: 400 }, (_, n) => record(topic, keys[3]!, { n })))
    await transport.publish(keys.map((key) => record(topic, key)))
    const reader = transport.reader()
    const heard = new Set<number>()
    for (let i = 0; i < 50 && heard.size < 8; i++)
      for (const { partition } of await reader.poll(wants, 20, LONG_WAIT_MS)) heard.add(partition)
    assert.equal(heard.size, 8)
  },

  async 'a poll returns as soon as this process or another has published'({ topic, transport, other }) {
    let wants = await wantsOf(transport, topic, 2)
    await other.ensureTopics([topic], 2)
    const reader = transport.reader()
    for (const publisher of [transport, other, other, transport, other]) {
      const polling = within(PROMPT_MS, 'the poll', reader.poll(wants, 10, LONG_WAIT_MS))
      await publisher.publish([record(topic, 'a key')])
      const found = await polling
      assert.equal(found.length, 1)
      wants = afterAll(wants, found)
    }
  },

  async 'a poll that finds nothing lasts as long as it was asked to'({ topic, transport, other }) {
    const wants = await wantsOf(transport, topic, 2)
    const elsewhere = `${topic}-elsewhere`
    await Promise.all([transport, other].map((via) => via.ensureTopics([topic, elsewhere], 2)))
    const from = performance.now()
    const polling = transport.reader().poll(wants, 10, 300)
    await transport.publish([record(elsewhere, 'a key')])
    await other.publish([record(elsewhere, 'a key')])
    assert.deepEqual(await polling, [])
    assert.ok(performance.now() - from >= 295, 'news of another topic ended it')
  },

  async 'wake ends the poll that waits, or else the next one'({ topic, transport }) {
    const wants = await wantsOf(transport, topic, 1)
    const reader = transport.reader()
    const polling = reader.poll(wants, 10, LONG_WAIT_MS)
    setImmediate(() => reader.wake())
    assert.deepEqual(await within(PROMPT_MS, 'the woken poll', polling), [])
    reader.wake()
    assert.deepEqual(await within(PROMPT_MS, 'the poll after wake', reader.poll(wants, 10, LONG_WAIT_MS)), [])
    await transport.publish([record(topic, 'a key')])
    assert.equal((await reader.poll(wants, 10, LONG_WAIT_MS)).length, 1, 'the reader goes on')
  },

  async 'a closed reader does not wait'({ topic, transport }) {
    const wants = await wantsOf(transport, topic, 1)
    const reader = transport.reader()
    const polling = reader.poll(wants, 10, LONG_WAIT_MS)
    setImmediate(() => void reader.close())
    assert.deepEqual(await within(PROMPT_MS, 'the closed poll', polling), [])
    await reader.close()
  },

  async 'a hint reaches every other process and not the sender'({ topic, transport, other, another }) {
    const others = [other, await another()]
    for (const via of [transport, ...others]) await via.ensureTopics([topic], 1)
    const text = `${topic} "'\n\\{},;: žluťoučký 🐴`
    const heard = [transport, ...others].map((via) => {
      const texts: string[] = []
      const end = via.onHint((hint) => hint.startsWith(topic) && texts.push(hint))
      return { texts, end }
    })
    await until('both others have heard the hint', () => {
      // Best effort: said again until it is heard.
      if (!heard.slice(1).every(({ texts }) => texts.length > 0)) transport.hint(text)
      return heard.slice(1).every(({ texts }) => texts.length > 0)
    })
    for (const { texts } of heard.slice(1)) for (const hint of texts) assert.equal(hint, text)
    assert.deepEqual(heard[0]!.texts, [], 'the sender hears nothing of its own')
    heard[1]!.end()
    const count = heard[1]!.texts.length
    const before = heard[2]!.texts.length
    await until('the one that still listens has heard another', () => {
      if (heard[2]!.texts.length === before) transport.hint(text)
      return heard[2]!.texts.length > before
    })
    assert.equal(heard[1]!.texts.length, count, 'the one that ended it hears no more')
    for (const { end } of heard) end()
  },

  async 'hints that are repeated, or mean nothing, do no harm'({ topic, transport, other }) {
    const wants = await wantsOf(transport, topic, 2)
    await other.ensureTopics([topic], 2)
    const reader = transport.reader()
    const reading = readAll(reader, wants, 40)
    for (let i = 0; i < 4; i++) {
      for (const text of ['', 'h1:999999', 'h', 't', '\n', 'x'.repeat(2000), topic]) {
        other.hint(text)
        other.hint(text)
      }
      await (i % 2 ? other : transport).publish(numbered(topic, 10))
    }
    const found = await reading
    assert.equal(new Set(found.map(({ id }) => id)).size, 40)
    assert.deepEqual(await reader.poll(afterAll(wants, found), 10, 0), [])
  },

  async 'topics may be ensured again and at once'({ topic, transport, other }) {
    const all = await Promise.all(
      Array.from({ length: 8 }, (_, i) => (i % 2 ? other : transport).ensureTopics([topic, `${topic}-b`], 5)),
    )
    for (const states of all) {
      assert.deepEqual([...states.keys()].toSorted(), [topic, `${topic}-b`])
      assert.deepEqual(states, all[0])
      assert.equal(states.get(topic)!.first.length, 5)
      assert.ok(states.get(topic)!.logId)
    }
    await transport.publish(numbered(topic, 10))
    const again = await other.ensureTopics([topic], 5)
    assert.equal((await readAll(other.reader(), wantsFrom(topic, again.get(topic)!), 10)).length, 10)
    assert.deepEqual(await transport.ensureTopics([], 5), new Map())
  },

  async 'a topic keeps its number of partitions, whoever asks for another'({ topic, transport, other, another }) {
    const changed = { code: 'SAGA_PARTITIONS_CHANGED' }
    // At once, so that neither may see half of what the other makes.
    const outcomes = await Promise.allSettled([transport.ensureTopics([topic], 2), other.ensureTopics([topic], 6)])
    assert.deepEqual(outcomes.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected'])
    const [right, wrong] = outcomes[0]!.status === 'fulfilled' ? [2, 6] : [6, 2]
    for (const via of [transport, other, await another()]) {
      await assert.rejects(via.ensureTopics([topic], wrong), changed)
      await assert.rejects(via.ensureTopics([topic], right + 1), changed)
      assert.equal((await via.ensureTopics([topic], right)).get(topic)!.first.length, right)
    }
  },

  async 'bodies may be large'({ topic, transport, other }) {
    const wants = await wantsOf(transport, topic, 1)
    const records = Array.from({ length: 3 }, (_, n) => record(topic, 'a key', { n, text: 'žabka"\\'.repeat(50_000) }))
    await transport.publish(records)
    for (const via of [transport, other]) {
      await via.ensureTopics([topic], 1)
      assert.deepEqual((await readAll(via.reader(), wants, 3)).map(withoutPlace), records)
    }
  },

  async 'keys, types and bodies may hold any text'({ topic, transport, other }) {
    const wants = await wantsOf(transport, topic, 3)
    const records = ODD.flatMap((text) => [
      record(topic, text, { text }),
      { ...record(topic, 'type'), type: text },
      { ...record(topic, text), body: JSON.stringify(text) },
    ])
    await transport.publish(records)
    for (const via of [transport, other]) {
      await via.ensureTopics([topic], 3)
      const found = await readAll(via.reader(), wants, records.length)
      assert.deepEqual(byId(found.map(withoutPlace)), byId(records))
      for (const { key, partition } of found) assert.equal(partition, partitionOf(key, 3))
    }
  },

  async 'a record can be located'({ topic, transport, other }) {
    const wants = await wantsOf(transport, topic, 2)
    await other.ensureTopics([topic], 2)
    await transport.publish(numbered(topic, 10))
    const found = await readAll(transport.reader(), wants, 10)
    for (const via of [transport, other])
      for (const { id, partition, offset } of found.slice(0, 4)) {
        assert.equal(await via.locate({ topic, partition, id, time: Date.now() }), offset)
        assert.equal(await via.locate({ topic, partition: 1 - partition, id, time: Date.now() }), undefined)
      }
    const id = randomUUIDv7()
    assert.equal(await transport.locate({ topic, partition: 0, id, time: Date.now() }), undefined)
  },

  async 'ends tells where the next record of each partition will stand'({ topic, transport, other }) {
    const wants = await wantsOf(transport, topic, 3)
    assert.deepEqual(
      (await transport.ends([topic])).get(topic),
      wants.map(({ next }) => next),
    )
    await transport.publish(numbered(topic, 30))
    const after = afterAll(wants, await readAll(transport.reader(), wants, 30)).map(({ next }) => next)
    await other.ensureTopics([topic], 3)
    for (const via of [transport, other]) assert.deepEqual((await via.ends([topic])).get(topic), after)
  },

  async 'a log that answers, answers a ping'({ transport, other }) {
    await transport.ping()
    await other.ping()
  },

  async 'close ends what waits, and may be called again'({ topic, transport, another }) {
    const wants = await wantsOf(transport, topic, 2)
    const other = await another()
    await other.ensureTopics([topic], 2)
    const polling = [other.reader(), other.reader()].map((reader) => reader.poll(wants, 10, LONG_WAIT_MS))
    setImmediate(() => void other.close())
    for (const found of await within(PROMPT_MS, 'the polls', Promise.all(polling))) assert.deepEqual(found, [])
    await Promise.all([other.close(), other.close()])
    await transport.publish([record(topic, 'a key')])
    assert.equal((await readAll(transport.reader(), wants, 1)).length, 1, 'the others go on')
  },
}

const ODD = [
  '',
  ' ',
  'NULL',
  'null',
  '{}',
  '{a,b}',
  'a,b',
  '"quoted"',
  `it's`,
  'back\\slash',
  '\\N',
  'line\nbreak',
  'carriage\r\nreturn',
  'tab\tulator',
  '\u001e\u001f\u0001',
  'žluťoučký kůň',
  '植物',
  '🌱🌿',
  '\u2028\u2029\ufeff',
  'e\u0301',
  '%s $1 :x ?',
  'x'.repeat(1000),
]

function record(topic: string, key: string, data: unknown = null): LogRecord {
  return { id: randomUUIDv7(), topic, key, type: 'conformance.made', body: JSON.stringify({ data }) }
}

/** Records of ten keys, numbered. */
const numbered = (topic: string, count: number): LogRecord[] =>
  Array.from({ length: count }, (_, n) => record(topic, `key ${n % 10}`, { n }))

/** A key for each of so many partitions. */
function keysOfPartitions(partitions: number): string[] {
  const keys: string[] = []
  for (let i = 0; keys.filter(Boolean).length < partitions; i++)
    keys[partitionOf(`key ${i}`, partitions)] ??= `key ${i}`
  return keys
}

async function wantsOf(transport: Transport, topic: string, partitions: number): Promise<Want[]> {
  return wantsFrom(topic, (await transport.ensureTopics([topic], partitions)).get(topic)!)
}

const wantsFrom = (topic: string, { first }: TopicState): Want[] =>
  first.map((next, partition) => ({ topic, partition, next }))

/** Where to go on after these records; asserts that they follow one another without a gap, from the wanted offsets on. */
function afterAll(wants: readonly Want[], found: readonly PlacedRecord[]): Want[] {
  const next = new Map(wants.map((want) => [want.partition, want.next]))
  for (const { topic, partition, offset } of found) {
    assert.equal(topic, wants[0]!.topic)
    assert.equal(offset, next.get(partition), `the next offset of partition ${partition}`)
    next.set(partition, offset + 1)
  }
  return wants.map((want) => ({ ...want, next: next.get(want.partition)! }))
}

/** Reads from the wanted offsets on, as a consumer does, until there are so many records; more are an error. */
async function readAll(reader: LogReader, wants: readonly Want[], count: number): Promise<PlacedRecord[]> {
  const found: PlacedRecord[] = []
  const deadline = Date.now() + DEADLINE_MS
  let at: readonly Want[] = wants
  while (found.length < count) {
    assert.ok(Date.now() < deadline, `read ${found.length} of ${count} records before the deadline`)
    const records = await reader.poll(at, 100, DEADLINE_MS)
    at = afterAll(at, records)
    found.push(...records)
  }
  assert.equal(found.length, count)
  return found
}

/** Asks again and again, until it is so. */
async function until(what: string, isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS
  while (!isSo()) {
    assert.ok(Date.now() < deadline, `waited in vain: ${what}`)
    await pause(5)
  }
}

async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  const from = performance.now()
  const result = await promise
  const took = Math.round(performance.now() - from)
  assert.ok(took < ms, `${what} took ${took} ms`)
  return result
}

const withoutPlace = ({ id, topic, key, type, body }: PlacedRecord): LogRecord => ({ id, topic, key, type, body })
const byId = (records: readonly LogRecord[]): LogRecord[] => records.toSorted((a, b) => (a.id < b.id ? -1 : 1))
const byPlace = (records: readonly PlacedRecord[]): PlacedRecord[] =>
  records.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)
