// The bytes of an event stream, read as WHATWG HTML §9.2.6 tells browsers to.

/** More than any event has; what goes on longer without an end is no event stream. */
const LONGEST_CHARS = 4 * 1024 * 1024

export interface ParserHandlers {
  /** `id` is undefined unless this very event has one. */
  event(type: string, data: string, id: string | undefined): void
  retry(ms: number): void
}

/**
 * Returns what takes the stream piece by piece, cut anywhere. What no empty line ends is never an event. Throws RangeError when an event
 * is longer than 4 Mi characters.
 */
export function createParser(on: ParserHandlers): (bytes: Uint8Array) => void {
  // Removes a BOM at the start, and keeps a character that is cut in two.
  const decoder = new TextDecoder()
  let rest = ''
  let endedInCr = false
  let chars = 0
  let type = ''
  let id: string | undefined
  let data: string[] = []

  function readLine(line: string): void {
    if (line === '') {
      if (data.length > 0) on.event(type || 'message', data.join('\n'), id)
      type = ''
      id = undefined
      data = []
      chars = 0
      return
    }
    const colon = line.indexOf(':')
    if (colon === 0) return
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'event') type = value
    else if (field === 'data') data.push(value)
    else if (field === 'id' && !value.includes('\0')) id = value
    else if (field === 'retry' && /^[0-9]+$/.test(value)) on.retry(Number(value))
  }

  return (bytes) => {
    let text = decoder.decode(bytes, { stream: true })
    if (text === '') return
    // A CR has ended its line at once; the LF of a CRLF that was cut in two ends no other.
    if (endedInCr && text.startsWith('\n')) text = text.slice(1)
    endedInCr = text.endsWith('\r')
    chars += text.length
    const lines = (rest + text).split(/\r\n|\n|\r/)
    rest = lines.pop() ?? ''
    for (const line of lines) readLine(line)
    if (chars > LONGEST_CHARS) throw new RangeError(`an event of more than ${LONGEST_CHARS} characters`)
  }
}
