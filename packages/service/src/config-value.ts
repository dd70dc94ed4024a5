// What the variables of the environment may look like.
import { createPrivateKey } from 'node:crypto'
import { accessSync, constants } from 'node:fs'
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
// It may be a password that makes an address illegal.
const quoteAddress = (text: string): string => (text.includes('@') ? hide() : quote(text))

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

const BROKER = /^(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?):(\d{1,5})$/i
export const brokers = value('host:port of brokers, separated by commas', (text) => {
  const all = text.split(',').map((part) => part.trim())
  return all.every((broker) => port.parse(BROKER.exec(broker)?.[3] ?? '')) ? all : undefined
})
const MECHANISMS = { plain: 'PLAIN', 'scram-sha-256': 'SCRAM-SHA-256', 'scram-sha-512': 'SCRAM-SHA-512' } as const
const names = Object.keys(MECHANISMS) as (keyof typeof MECHANISMS)[]
export const saslMechanism = value(`one of ${names.join(', ')}`, (text) => {
  const name = names.find((choice) => choice === text)
  return name && MECHANISMS[name]
})
export const secret = value('any text', (text) => text, hide)
export const readableFile = value('the path of a file that can be read', (text) => {
  try {
    accessSync(text, constants.R_OK)
    return text
  } catch {
    return undefined
  }
})

export const bucket = value('3 to 63 of a-z, 0-9, dot and -, a letter or digit at both ends', (text) =>
  /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(text) ? text : undefined,
)
export const region = value('1 to 40 of a-z, 0-9 and -, say us-east-1', (text) =>
  /^[a-z0-9-]{1,40}$/.test(text) ? text : undefined,
)

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

export const origin = value('an http or https origin like http://127.0.0.1:8103', parseOrigin, quoteAddress)

export const origins = value('http or https origins like https://pando.example, separated by commas', (text) => {
  const all = text.split(',').map((part) => parseOrigin(part.trim()))
  return all.every((one) => one !== undefined) ? all : undefined
})

export const collectorUrl = value(
  'an http or https address like http://127.0.0.1:4318, without a password or a query',
  (text) => {
    const url = URL.parse(text)
    if (!url || !['http:', 'https:'].includes(url.protocol)) return undefined
    return url.username === '' && url.password === '' && url.search === '' && url.hash === '' ? url.href : undefined
  },
  quoteAddress,
)

export const share = value('a number from 0 to 1', (text) =>
  /^(0|1|(0|1)?\.\d{1,15})$/.test(text) && Number(text) <= 1 ? Number(text) : undefined,
)

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
