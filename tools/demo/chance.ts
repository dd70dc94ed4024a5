// Chance that is the same in every run: what a second run makes is what the first one made.
import { createHash } from 'node:crypto'

/** A whole number from 0 to `below` − 1, always the same for a seed. */
export const numberOf = (seed: string, below: number): number => digest(seed).readUInt32BE() % below

/** One of them, always the same for a seed. */
export const oneOf = <T>(seed: string, some: readonly T[]): T => some[numberOf(seed, some.length)]!

/** A UUID of version 8 (RFC 9562, 5.8), always the same for a seed. */
export function uuidOf(seed: string): string {
  const bytes = digest(seed).subarray(0, 16)
  bytes[6] = 0x80 | (bytes[6]! & 0x0f)
  bytes[8] = 0x80 | (bytes[8]! & 0x3f)
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

const digest = (seed: string): Buffer => createHash('sha256').update(seed).digest()
