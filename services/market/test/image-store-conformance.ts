// What every store of images must do.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { buffer } from 'node:stream/consumers'
import type { ImageStore } from '../src/image-store.ts'

export interface StoreUnderTest {
  store: ImageStore
  /** The keys of all that is kept, whoever looks. */
  keys(): Promise<string[]>
}

/** Runs the suite on stores that `open` makes, each an empty one. */
export function imageStoreConformance(name: string, open: (t: TestContext) => Promise<StoreUnderTest>): void {
  const read = async (store: ImageStore, key: string): Promise<Buffer | undefined> => {
    const file = await store.get(key)
    if (!file) return undefined
    const data = await buffer(file.stream)
    assert.equal(file.size, data.length)
    return data
  }

  test(`${name}: what was put is there, byte for byte, and nothing else`, async (t) => {
    const { store, keys } = await open(t)
    const files = new Map([1, 1000, 3 << 20].map((size) => [`${size % 7}/a-${size}.webp`, randomBytes(size)]))
    for (const [key, data] of files) await store.put(key, data)
    for (const [key, data] of files) assert.ok(data.equals((await read(store, key))!))
    assert.deepEqual((await keys()).toSorted(), [...files.keys()].toSorted())
  })

  test(`${name}: a key is put again, by many at once too: one of them is there, whole`, async (t) => {
    const { store, keys } = await open(t)
    const versions = Array.from({ length: 8 }, (_, i) => Buffer.alloc(200_000, i))
    await Promise.all(versions.map((data) => store.put('3f/x.webp', data)))
    const found = await read(store, '3f/x.webp')
    assert.ok(versions.some((data) => data.equals(found!)))
    await store.put('3f/x.webp', Buffer.from('last'))
    assert.equal(String(await read(store, '3f/x.webp')), 'last')
    assert.deepEqual(await keys(), ['3f/x.webp'])
  })

  test(`${name}: what is not there, before and after`, async (t) => {
    const { store, keys } = await open(t)
    assert.equal(await store.get('3f/x.webp'), undefined)
    await store.remove('3f/x.webp')
    await store.put('3f/x.webp', Buffer.from('x'))
    await store.put('3f/y.webp', Buffer.from('y'))
    await store.remove('3f/x.webp')
    assert.equal(await store.get('3f/x.webp'), undefined)
    assert.deepEqual(await keys(), ['3f/y.webp'])
  })

  test(`${name}: whoever gets a file keeps it to its end, though it is removed meanwhile`, async (t) => {
    const { store } = await open(t)
    const data = randomBytes(1 << 20)
    await store.put('3f/x.webp', data)
    const file = await store.get('3f/x.webp')
    await store.remove('3f/x.webp')
    assert.ok(data.equals(await buffer(file!.stream)))
  })
}
