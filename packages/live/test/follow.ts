import type { TestContext } from 'node:test'
import { type LiveServer, type LiveServerOptions, startLiveServer } from '../../../test/support/live-server.ts'
import { until as untilTrue } from '../../../test/support/until.ts'
import { createLive, type LiveEvent, type LiveOptions, type LiveState } from '../src/index.ts'

const STEP_MS = 200
let step = (_ms: number): void => {}

/** A server in a world whose clock and timers, the server's too, move only while the test waits with `until`, and then fast. */
export async function startServer(t: TestContext, options: LiveServerOptions = {}): Promise<LiveServer> {
  const server = await startLiveServer(t, options)
  // The timer that all of Node's fetch shares is made with the first request; it must be a real one, not that of one test.
  await fetch(server.url)
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: Date.now() })
  step = (ms) => t.mock.timers.tick(ms)
  return server
}

/** Resolves when `ask` is true, while time passes. */
export const until = (what: string, ask: () => boolean, stepMs = STEP_MS): Promise<unknown> =>
  untilTrue(what, () => {
    if (ask()) return true
    step(stepMs)
    return false
  })

/** A started client of the server, with what it has got so far; stopped after the test. */
export function follow(t: TestContext, server: LiveServer, options: Partial<LiveOptions> = {}) {
  const events: LiveEvent[] = []
  const states: LiveState[] = []
  const errors: unknown[] = []
  let loads = 0
  const live = createLive({
    url: `${server.url}/api/stream`,
    onState: (state) => states.push(state),
    onError: (error) => errors.push(error),
    ...options,
  })
  live.on('*', (event) => events.push(event))
  live.load(() => void loads++)
  live.start()
  t.after(() => live.stop())
  return {
    live,
    events,
    states,
    errors,
    get loads() {
      return loads
    },
    ids: () => events.flatMap(({ id }) => id ?? []),
    /** Resolves when the stream is open and the state was fetched so many times. */
    loaded: (times: number) => until(`load ${times}`, () => live.state === 'open' && loads >= times),
    got: (id: string) => until(id, () => events.some((event) => event.id === id)),
  }
}
