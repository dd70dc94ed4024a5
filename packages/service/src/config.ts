import { resolve } from 'node:path'
import type { KafkaConnection } from '@pando/saga/kafka'
import * as legal from './config-value.ts'
import { StartError } from './errors.ts'
import type { LogLevel } from './log.ts'

const SERVICES = ['user', 'customer', 'chat', 'market', 'notification'] as const
export type ServiceName = (typeof SERVICES)[number]

/** A bucket of an S3-compatible store. */
export interface S3Access {
  /** Its origin; the bucket is the first part of the path. */
  readonly endpoint: string
  readonly bucket: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

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
  readonly kafka?: KafkaConnection | undefined
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
  /** Where images are kept. Unset: under DATA_DIR. */
  readonly s3?: S3Access | undefined
  /** Where traces go, and which share of those that begin here. Unset: there are none. */
  readonly tracing?: { readonly endpoint: string; readonly ratio: number } | undefined
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
    kafka: readKafka(read),
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
    s3: readS3(read),
    tracing: readTracing(read),
  })
}

function readKafka(read: Read): Config['kafka'] {
  const brokers = read('KAFKA_BROKERS', legal.brokers)
  const isTls = read('KAFKA_TLS', legal.onOrOff) ?? false
  const ca = read('KAFKA_TLS_CA', legal.readableFile)
  const mechanism = read('KAFKA_SASL_MECHANISM', legal.saslMechanism)
  const username = read('KAFKA_USERNAME', legal.secret)
  const password = read('KAFKA_PASSWORD', legal.secret)
  const lone = (name: string, needs: string): ConfigError =>
    new ConfigError(`${name} is set without ${needs}: set both or neither.`)
  if (ca !== undefined && !isTls) throw lone('KAFKA_TLS_CA', 'KAFKA_TLS=on')
  if (mechanism !== undefined && username === undefined) throw lone('KAFKA_SASL_MECHANISM', 'KAFKA_USERNAME')
  if (username !== undefined && password === undefined) throw lone('KAFKA_USERNAME', 'KAFKA_PASSWORD')
  if (password !== undefined && username === undefined) throw lone('KAFKA_PASSWORD', 'KAFKA_USERNAME')
  if (username !== undefined && mechanism === undefined) throw lone('KAFKA_USERNAME', 'KAFKA_SASL_MECHANISM')
  if (brokers === undefined) {
    if (isTls) throw lone('KAFKA_TLS', 'KAFKA_BROKERS')
    if (mechanism !== undefined) throw lone('KAFKA_SASL_MECHANISM', 'KAFKA_BROKERS')
    return undefined
  }
  return {
    brokers,
    ...(isTls && { tls: { ca } }),
    ...(mechanism && { sasl: { mechanism, username: username!, password: password! } }),
  }
}

function readServiceUrls(read: Read): Config['serviceUrls'] {
  const urls: Partial<Record<ServiceName, string>> = {}
  for (const service of SERVICES) {
    const url = read(`${service.toUpperCase()}_URL`, legal.origin)
    if (url !== undefined) urls[service] = url
  }
  return urls
}

function readS3(read: Read): Config['s3'] {
  const endpoint = read('S3_ENDPOINT', legal.origin)
  const bucket = read('S3_BUCKET', legal.bucket)
  const region = read('S3_REGION', legal.region)
  const accessKeyId = read('S3_ACCESS_KEY_ID', legal.secret)
  const secretAccessKey = read('S3_SECRET_ACCESS_KEY', legal.secret)
  if (endpoint && bucket && region && accessKeyId && secretAccessKey)
    return { endpoint, bucket, region, accessKeyId, secretAccessKey }
  const variables = Object.entries({
    S3_ENDPOINT: endpoint,
    S3_BUCKET: bucket,
    S3_REGION: region,
    S3_ACCESS_KEY_ID: accessKeyId,
    S3_SECRET_ACCESS_KEY: secretAccessKey,
  })
  const set = variables.find(([, value]) => value !== undefined)
  if (!set) return undefined
  const missing = variables.filter(([, value]) => value === undefined).map(([name]) => name)
  throw new ConfigError(`${set[0]} is set without ${missing.join(', ')}: set all five S3_ variables or none.`)
}

function readTracing(read: Read): Config['tracing'] {
  const endpoint = read('OTEL_EXPORTER_OTLP_ENDPOINT', legal.collectorUrl)
  const ratio = read('OTEL_TRACES_SAMPLER_ARG', legal.share) ?? 1
  return endpoint === undefined ? undefined : { endpoint, ratio }
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
