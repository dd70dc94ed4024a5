// What the variables of the environment may look like.
import { createPrivateKey } from 'node:crypto'
import { isIP } from 'node:net'
import { logLevels } from './log.ts'

/** A kind of variable: `is` ends the sentence "it must be …", `show` is how an error repeats the value: `="…"`. */
export interface Value<T> {
  readonly is: string
  /** undefined: not legal. */
  readonly parse: (text: string) => T | undefined
  readonly show: (text: string) => string
}

const quote = (text: string): string => `=${JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)}`
const hide = (): string => ' (its value is not shown)'

function value<T>(is: string, parse: Value<T>['parse'], show = quote): Value<T> {
  return { is, parse, show }
}

/** Decimal digits, both ends included. */
export function wholeNumber(min: number, max: number, unit = ''): Value<number> {
  return value(`a whole number from ${min} to ${max} ${unit}`.trimEnd(), (text) => {
    const number = /^\d{1,15}$/.test(text) ? Number(text) : NaN
    return number >= min && number <= max ? number : undefined
  })
}

function oneOf<T extends string>(choices: readonly T[]): Value<T> {
  return value(`one of ${choices.join(', ')}`, (text) => choices.find((choice) => choice === text))
}

export const anything = value('any text', (text) => text)
export const port = wholeNumber(0, 65535, '(0 = a free port)')
export const portOrOff = value(`${port.is}, or off`, (text) => (text === 'off' ? text : port.parse(text)))
export const onOrOff = value('on or off', (text) => (text === 'on' ? true : text === 'off' ? false : undefined))
export const logLevel = oneOf(logLevels)
export const notYet = value<never>('unset, because events go through PostgreSQL in this version', () => undefined)

export const host = value('an IP address or a host name, without a port', (text) =>
  isIP(text) || (/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i.test(text) && /[a-z]/i.test(text)) ? text : undefined,
)

// 40 leaves room for `_notification` in the 63 bytes of a PostgreSQL name.
export const identifier = value('1 to 40 of a-z, 0-9 and _, a letter first', (text) =>
  /^[a-z][a-z0-9_]{0,39}$/.test(text) ? text : undefined,
)

export const username = value('3 to 30 of a-z, 0-9, dot, _ and -', (text) =>
  /^[a-z0-9._-]{3,30}$/.test(text) ? text : undefined,
)

export const password = value(
  '10 to 200 characters',
  (text) => {
    const { length } = Array.from(text)
    return length >= 10 && length <= 200 ? text : undefined
  },
  hide,
)

export const origin = value('an http or https origin like http://127.0.0.1:8103', parseOrigin)

export const origins = value('http or https origins like https://pando.example, separated by commas', (text) => {
  const all = text.split(',').map((part) => parseOrigin(part.trim()))
  return all.every((one) => one !== undefined) ? all : undefined
})

export const signingKey = value(
  'an Ed25519 private key in PEM, not encrypted',
  (text) => {
    // Files of variables often cannot hold a line break and write \n instead.
    const pem = text.replaceAll('\\n', '\n')
    try {
      return createPrivateKey(pem).asymmetricKeyType === 'ed25519' ? pem : undefined
    } catch {
      return undefined
    }
  },
  hide,
)

export const databaseUrl = value(
  'an address like postgres://user:password@host:5432/database',
  (text) => {
    const url = URL.parse(text)
    if (!url || !['postgres:', 'postgresql:'].includes(url.protocol)) return undefined
    if (url.hostname === '' && !url.searchParams.has('host')) return undefined
    return isDecodable(url.username) && isDecodable(url.password) && isDecodable(url.pathname) ? text : undefined
  },
  // Where the password stands is known only in a legal address, so one that has room for a password is not repeated at all.
  (text) => (/[:@=]/.test(text) ? hide() : quote(text)),
)

function parseOrigin(text: string): string | undefined {
  const url = URL.parse(text)
  if (!url || !['http:', 'https:'].includes(url.protocol)) return undefined
  return url.href === `${url.origin}/` ? url.origin : undefined
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
