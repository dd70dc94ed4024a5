import { createBell } from '@pando/saga'

/** Turns calls for one item into calls for many. */
export type Batched<Item, Result> = (item: Item) => Promise<Result>

/**
 * Collects what is asked while an earlier batch is under way, and does it in one go: alone a call waits for nobody, under load one
 * transaction serves many. `run` returns one result for each item, in order; an Error among them rejects that item's call alone. When
 * `run` throws, all calls of the batch reject. A batch has at most `max` items; with `gather` one that is not full waits so many `ms`
 * for more, `while`, with so many gathered, they are known to be on their way.
 */
export function createBatcher<Item, Result>(
  run: (items: Item[]) => Promise<(Result | Error)[]>,
  { max = 200, gather }: { max?: number; gather?: { ms: number; while: (gathered: number) => boolean } } = {},
): Batched<Item, Result> {
  type Call = { item: Item; resolve: (result: Result) => void; reject: (error: unknown) => void }
  const waiting: Call[] = []
  const complete = createBell()
  let running = false
  const isComplete = (): boolean => waiting.length >= max || !gather?.while(waiting.length)

  async function work(): Promise<void> {
    running = true
    while (waiting.length > 0) {
      if (gather && !isComplete()) await complete.wait(gather.ms)
      const calls = waiting.splice(0, max)
      try {
        const results = await run(calls.map(({ item }) => item))
        calls.forEach(({ resolve, reject }, i) => {
          const result = results[i]
          if (result instanceof Error) reject(result)
          else resolve(result as Result)
        })
      } catch (error) {
        for (const { reject } of calls) reject(error)
      }
    }
    running = false
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject })
      if (gather && isComplete()) complete.ring()
      // On the next turn of the event loop, so that calls that came together go together.
      if (!running) {
        running = true
        setImmediate(() => void work())
      }
    })
}
