import assert from 'node:assert/strict'
import { test } from 'node:test'
import { partitionOf } from '../src/partition.ts'

// What org.apache.kafka.common.utils.Utils.murmur2 gives (from Kafka's own UtilsTest). Of 2^31 partitions the hash without its sign is left.
const MURMUR2: [string, number][] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
]

test('a key goes where the default partitioner of Kafka puts it', () => {
  for (const [key, hash] of MURMUR2) {
    assert.equal(partitionOf(key, 2 ** 31), hash & 0x7fffffff, key)
    for (const partitions of [1, 3, 16, 1000])
      assert.equal(partitionOf(key, partitions), (hash & 0x7fffffff) % partitions)
  }
})

test('keys are spread over all partitions', () => {
  const counts = new Map<number, number>()
  for (let i = 0; i < 16_000; i++) {
    const partition = partitionOf(`key ${i}`, 16)
    counts.set(partition, (counts.get(partition) ?? 0) + 1)
  }
  assert.equal(counts.size, 16)
  for (const count of counts.values()) assert.ok(count > 800 && count < 1200, `${count} of about 1000`)
})

test('a key is hashed by its bytes in UTF-8', () => {
  assert.notEqual(partitionOf('ž', 2 ** 31), partitionOf('z', 2 ** 31))
  // A lone surrogate has no bytes of its own: in the log it is the replacement character, and lies where that lies.
  assert.equal(partitionOf('\ud800', 2 ** 31), partitionOf('\ufffd', 2 ** 31))
})
