/** An event as a client of Server-Sent Events gets it. */
export interface ServerEvent {
  event: string
  /** The `id` field of this very event; undefined when it had none. */
  id: string | undefined
  data: string
}

export interface SseHandlers {
  onEvent(event: ServerEvent): void
  onComment?(text: string): void
  onRetry?(ms: number): void
}

/** Reads an event stream as WHATWG HTML §9.2.6 tells browsers to; call it with each piece of text as it comes. */
export function createSseReader({ onEvent, onComment, onRetry }: SseHandlers): (text: string) => void {
  let rest = ''
  let isFirst = true
  let event = ''
  let id: string | undefined
  let data: string[] = []

  function dispatch(): void {
    if (data.length > 0) onEvent({ event: event || 'message', id, data: data.join('\n') })
    event = ''
    id = undefined
    data = []
  }

  function readLine(line: string): void {
    if (line === '') return dispatch()
    if (line.startsWith(':')) return onComment?.(line.slice(1))
    const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? []
    if (field === 'event') event = value
    else if (field === 'data') data.push(value)
    else if (field === 'id' && !value.includes('\0')) id = value
    else if (field === 'retry' && /^[0-9]+$/.test(value)) onRetry?.(Number(value))
  }

  return (text) => {
    rest += text
    if (isFirst && rest !== '') {
      isFirst = false
      if (rest.startsWith('\ufeff')) rest = rest.slice(1)
    }
    // A CR at the end may be half of a CRLF.
    for (let end; (end = /\r\n|\n|\r(?!$)/.exec(rest)); rest = rest.slice(end.index + end[0].length))
      readLine(rest.slice(0, end.index))
  }
}
