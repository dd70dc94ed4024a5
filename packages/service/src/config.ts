import { resolve } from 'node:path'
import * as legal from './config-value.ts'
import { StartError } from './errors.ts'
import type { LogLevel } from './log.ts'

const SERVICES = ['user', 'customer', 'chat', 'market', 'notification'] as const
export type ServiceName = (typeof SERVICES)[number]

/** What the environment says. */
export interface Config {
  readonly port: number
  readonly host: string
  readonly metricsPort: number | 'off'
  /** Absolute. */
  readonly dataDir: string
  /** Unset: the embedded PostgreSQL. */
  readonly databaseUrl?: string | undefined
  readonly databasePrefix: string
  /** Unset: events go through PostgreSQL. */
  readonly kafkaBrokers?: readonly string[] | undefined
  /** Origins of the services that run elsewhere. */
  readonly serviceUrls: Readonly<Partial<Record<ServiceName, string>>>
  readonly signingKeyPem?: string | undefined
  readonly admin?: { readonly username: string; readonly password: string } | undefined
  readonly passwordHash: { readonly memoryKib: number; readonly passes: number }
  readonly signUpDeadlineMs: number
  /** Unset: the gateway's own. */
  readonly publicOrigins?: readonly string[] | undefined
  readonly logLevel: LogLevel
  readonly rateLimit: boolean
}

/** A variable that is not legal. The message is one line: the variable, its value unless that may be a secret, what is legal. */
export class ConfigError extends StartError {
  constructor(message: string) {
    super('PANDO_CONFIG', message)
    this.name = 'ConfigError'
  }
}

/** Reads one variable; undefined when it is unset. */
type Read = <T>(name: string, value: legal.Value<T>) => T | undefined

/**
 * Reads and checks every variable there is; an empty one counts as unset.
 * @throws {ConfigError} for the first one that is not legal
 */
export function loadConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const read: Read = (name, { parse, show, is }) => {
    const text = env[name]
    if (text === undefined || text === '') return undefined
    const value = parse(text)
    if (value === undefined) throw new ConfigError(`${name}${show(text)} is not legal: it must be ${is}.`)
    return value
  }
  return Object.freeze({
    port: read('PORT', legal.port) ?? 8080,
    host: read('HOST', legal.host) ?? '127.0.0.1',
    metricsPort: read('METRICS_PORT', legal.portOrOff) ?? 9464,
    dataDir: resolve(read('DATA_DIR', legal.anything) ?? 'data'),
    databaseUrl: read('DATABASE_URL', legal.databaseUrl),
    databasePrefix: read('DATABASE_PREFIX', legal.identifier) ?? 'pando',
    kafkaBrokers: read('KAFKA_BROKERS', legal.notYet),
    serviceUrls: readServiceUrls(read),
    signingKeyPem: read('SIGNING_KEY', legal.signingKey),
    admin: readAdmin(read),
    passwordHash: {
      memoryKib: read('PASSWORD_HASH_MEMORY_KIB', legal.wholeNumber(8, 4_194_304, 'KiB')) ?? 19_456,
      passes: read('PASSWORD_HASH_PASSES', legal.wholeNumber(1, 100)) ?? 2,
    },
    signUpDeadlineMs: read('SIGN_UP_DEADLINE_MS', legal.wholeNumber(1, 86_400_000, 'milliseconds')) ?? 30_000,
    publicOrigins: read('PUBLIC_ORIGIN', legal.origins),
    logLevel: read('LOG_LEVEL', legal.logLevel) ?? 'info',
    rateLimit: read('RATE_LIMIT', legal.onOrOff) ?? true,
  })
}

function readServiceUrls(read: Read): Config['serviceUrls'] {
  const urls: Partial<Record<ServiceName, string>> = {}
  for (const service of SERVICES) {
    const url = read(`${service.toUpperCase()}_URL`, legal.origin)
    if (url !== undefined) urls[service] = url
  }
  return urls
}

function readAdmin(read: Read): Config['admin'] {
  const username = read('ADMIN_USERNAME', legal.username)
  const password = read('ADMIN_PASSWORD', legal.password)
  if (username !== undefined && password !== undefined) return { username, password }
  if (username !== undefined)
    throw new ConfigError('ADMIN_USERNAME is set without ADMIN_PASSWORD: set both or neither.')
  if (password !== undefined)
    throw new ConfigError('ADMIN_PASSWORD is set without ADMIN_USERNAME: set both or neither.')
  return undefined
}
