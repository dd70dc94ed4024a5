// Follows a saga's stream to its end. `EventSource` reconnects by itself and resumes by id, but gives up for good on any answer
// that is not a stream, and notices nothing when a connection goes silent; this adds the two.
import { api } from './api.js'

const SILENCE_MS = 75_000
const GRACE_MS = 2_000
const GRACE_BUSY_MS = 60_000
const LONGEST_PAUSE_MS = 15_000

export const hasEnded = (view) => view.status === 'completed' || view.status === 'failed'

/**
 * Calls `onView(view)` with newer and newer versions, the last one once, `onFrame({ event, id, view })` for every frame, `onLink('up' | 'down')`
 * when the connection has been gone for two seconds and when it is back, `onGone()` when there is no such saga (any more).
 * Returns a function that stops it.
 */
export function follow(location, { onView, onFrame, onLink, onGone }) {
  let source
  let lastId = ''
  let version = 0
  let failures = 0
  let isBusy = false
  let isDown = false
  let isOver = false
  const timers = {}
  const wait = (name, ms, fn) => {
    clearTimeout(timers[name])
    timers[name] = setTimeout(() => fn(), ms)
  }

  function open() {
    source?.close()
    if (isOver) return
    source = new EventSource(location + '/events' + (lastId && `?lastEventId=${encodeURIComponent(lastId)}`))
    for (const name of ['saga', 'reset', 'busy', 'hb']) source.addEventListener(name, (event) => receive(name, event))
    source.onopen = () => {
      listen()
      if (!isBusy) up()
    }
    source.onerror = () => {
      timers.grace ??= setTimeout(down, isBusy ? GRACE_BUSY_MS : GRACE_MS)
      if (source.readyState === EventSource.CLOSED) wait('retry', pause(), recover)
    }
    listen()
  }

  function listen() {
    wait('silence', SILENCE_MS, open)
  }

  function receive(name, event) {
    listen()
    if (event.lastEventId) lastId = event.lastEventId
    const view = name === 'saga' ? JSON.parse(event.data) : undefined
    onFrame({ event: name, id: event.lastEventId, view })
    isBusy = name === 'busy'
    if (isBusy) return
    up()
    if (view) take(view)
    if (name === 'reset') void recover()
  }

  function take(view) {
    if (isOver || view.version <= version) return
    version = view.version
    if (hasEnded(view)) stop()
    onView(view)
  }

  // What the stream could not say, a plain request can: the saga is gone, it ended meanwhile, or the server is away.
  async function recover() {
    try {
      take((await api('GET', location)).body)
    } catch (problem) {
      if (isOver) return
      if (problem.status === 404 || problem.status === 401) {
        stop()
        return onGone(problem)
      }
    }
    if (source.readyState === EventSource.CLOSED) open()
  }

  const pause = () => Math.min(LONGEST_PAUSE_MS, 500 * 2 ** failures++) * (0.5 + Math.random())

  function down() {
    isDown = true
    onLink('down')
  }

  function up() {
    failures = 0
    clearTimeout(timers.grace)
    timers.grace = undefined
    if (isDown) onLink('up')
    isDown = false
  }

  function stop() {
    isOver = true
    source?.close()
    Object.values(timers).forEach(clearTimeout)
    if (isDown) onLink('up')
  }

  open()
  return stop
}
