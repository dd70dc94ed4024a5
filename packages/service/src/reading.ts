import { asError } from '@pando/saga'

/**
 * What `read` tells, for all who ask meanwhile. However often it is asked, it reads once at a time: one that hangs must not pile up.
 * Resolves with undefined when that fails or takes longer than `patienceMs`; `onError` is told why.
 */
export function createReading<T>(
  read: () => Promise<T>,
  { patienceMs, onError }: { patienceMs: number; onError: (error: Error) => void },
): () => Promise<T | undefined> {
  let running: Promise<T> | undefined
  let asked: Promise<T | undefined> | undefined

  async function readPatiently(): Promise<T | undefined> {
    running ??= read().finally(() => (running = undefined))
    const { promise: tooLate, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => reject(new Error(`no answer in ${patienceMs} ms`)), patienceMs)
    try {
      return await Promise.race([running, tooLate])
    } catch (thrown) {
      onError(asError(thrown))
      return undefined
    } finally {
      clearTimeout(timer)
    }
  }

  return () => (asked ??= readPatiently().finally(() => (asked = undefined)))
}
