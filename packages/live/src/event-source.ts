import type { StreamEventType } from '@pando/events/stream'
import type { Connect } from './connection.ts'
import { refusalOf } from './fetch.ts'

const CLOSED = 2

/** What to listen for, since an EventSource tells only of what is named; and whether it has an id of its own. */
const TYPES: Record<StreamEventType | 'reset' | 'busy' | 'hb', boolean> = {
  'message.created': true,
  'message.deleted': true,
  'room.opened': true,
  'room.changed': true,
  'room.read': true,
  'room.deleted': true,
  'post.changed': true,
  'notification.created': true,
  'notification.read': true,
  'saga.changed': true,
  reset: true,
  typing: false,
  presence: false,
  busy: false,
  hb: false,
}

/**
 * A connection by the browser's EventSource, with the page's cookies; it can carry no token. It sees less than `byFetch`: no comments, not
 * what `retry` the server wishes, and no types that were invented later, each of which is then a hole after which the state is fetched anew.
 */
export const byEventSource: Connect = ({ url, lastEventId, token }, on) => {
  if (token !== undefined) throw new TypeError('an EventSource cannot send a token: connect by fetch, or by cookie')
  const id =
    lastEventId === undefined ? '' : `${url.includes('?') ? '&' : '?'}lastEventId=${encodeURIComponent(lastEventId)}`
  const source = new EventSource(url + id)
  const asking = new AbortController()
  source.onopen = () => on.open()
  source.onerror = () => {
    const isRefused = source.readyState === CLOSED
    // It would come back by itself, without waiting longer each time.
    source.close()
    if (isRefused) void ask()
    else on.end()
  }
  for (const [type, hasId] of Object.entries(TYPES))
    source.addEventListener(type, (event) => {
      const { data, lastEventId: last } = event as MessageEvent
      on.alive()
      on.event(type, String(data), hasId ? last : undefined)
    })

  // An EventSource does not say why it was refused, so the same is asked in a way that does.
  async function ask(): Promise<void> {
    try {
      const response = await fetch(url, { headers: { accept: 'text/event-stream' }, signal: asking.signal })
      asking.abort()
      on.end(refusalOf(response))
    } catch (error) {
      on.end({ error })
    }
  }

  return () => {
    source.close()
    asking.abort()
  }
}
