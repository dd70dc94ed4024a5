// Kafka's default partitioner (murmur2 of the key's bytes, as in org.apache.kafka.common.utils.Utils), so that producers in other
// languages put a key where ours do.

const M = 0x5bd1e995

function murmur2(bytes: Uint8Array): number {
  let h = 0x9747b28c ^ bytes.length
  let i = 0
  for (; i + 4 <= bytes.length; i += 4) {
    let k = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    k = Math.imul(k, M)
    k ^= k >>> 24
    k = Math.imul(k, M)
    h = Math.imul(h, M) ^ k
  }
  const left = bytes.length - i
  if (left === 3) h ^= bytes[i + 2]! << 16
  if (left >= 2) h ^= bytes[i + 1]! << 8
  if (left >= 1) h = Math.imul(h ^ bytes[i]!, M)
  h ^= h >>> 13
  h = Math.imul(h, M)
  return h ^ (h >>> 15)
}

const encoder = new TextEncoder()

/** The partition of a key among `partitions`: the same for every topic and every transport. */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(encoder.encode(key)) & 0x7fffffff) % partitions
}
