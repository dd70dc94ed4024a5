import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { ConfigError, loadConfig } from '../src/config.ts'

const pem = (type: 'ed25519' | 'x25519') =>
  generateKeyPairSync(type as 'ed25519')
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString()
const key = pem('ed25519')

const DEFAULTS = {
  port: 8080,
  host: '127.0.0.1',
  metricsPort: 9464,
  dataDir: resolve('data'),
  databaseUrl: undefined,
  databasePrefix: 'pando',
  kafka: undefined,
  serviceUrls: {},
  signingKeyPem: undefined,
  admin: undefined,
  passwordHash: { memoryKib: 19456, passes: 2 },
  signUpDeadlineMs: 30000,
  publicOrigins: undefined,
  logLevel: 'info',
  rateLimit: true,
  s3: undefined,
  tracing: undefined,
}

const S3 = {
  S3_ENDPOINT: 'https://s3.example/',
  S3_BUCKET: 'pando-images',
  S3_REGION: 'us-east-1',
  S3_ACCESS_KEY_ID: 'AKIA1',
  S3_SECRET_ACCESS_KEY: 'hush-hush',
}

test('nothing set, or set to nothing: the defaults', () => {
  assert.deepEqual(loadConfig({}), DEFAULTS)
  const names = [
    'PORT',
    'HOST',
    'METRICS_PORT',
    'DATA_DIR',
    'DATABASE_URL',
    'KAFKA_BROKERS',
    'USER_URL',
    'ADMIN_PASSWORD',
  ]
  assert.deepEqual(loadConfig(Object.fromEntries(names.map((name) => [name, '']))), DEFAULTS)
})

const LEGAL: [Record<string, string>, object][] = [
  [{ PORT: '0' }, { port: 0 }],
  [{ PORT: '65535' }, { port: 65535 }],
  [{ HOST: '::1' }, { host: '::1' }],
  [{ HOST: 'localhost' }, { host: 'localhost' }],
  [{ METRICS_PORT: 'off' }, { metricsPort: 'off' }],
  [{ METRICS_PORT: '0' }, { metricsPort: 0 }],
  [{ DATA_DIR: '/var/lib/pando' }, { dataDir: '/var/lib/pando' }],
  [{ DATA_DIR: 'here' }, { dataDir: resolve('here') }],
  [{ DATABASE_URL: 'postgres://u:p%40ss@db:5432/x' }, { databaseUrl: 'postgres://u:p%40ss@db:5432/x' }],
  [{ DATABASE_URL: 'postgresql:///x?host=/run' }, { databaseUrl: 'postgresql:///x?host=/run' }],
  [{ DATABASE_PREFIX: 'pando_2' }, { databasePrefix: 'pando_2' }],
  [{ KAFKA_BROKERS: 'a:9092, [::1]:9093' }, { kafka: { brokers: ['a:9092', '[::1]:9093'] } }],
  [
    { KAFKA_BROKERS: 'a:9092', KAFKA_TLS: 'on', KAFKA_TLS_CA: import.meta.filename },
    { kafka: { brokers: ['a:9092'], tls: { ca: import.meta.filename } } },
  ],
  [
    {
      KAFKA_BROKERS: 'a:9092',
      KAFKA_SASL_MECHANISM: 'scram-sha-512',
      KAFKA_USERNAME: 'pando',
      KAFKA_PASSWORD: 'hush-hush',
    },
    {
      kafka: {
        brokers: ['a:9092'],
        sasl: { mechanism: 'SCRAM-SHA-512', username: 'pando', password: 'hush-hush' },
      },
    },
  ],
  [
    { CHAT_URL: 'http://127.0.0.1:8103/', USER_URL: 'https://u.example' },
    { serviceUrls: { chat: 'http://127.0.0.1:8103', user: 'https://u.example' } },
  ],
  [{ SIGNING_KEY: key }, { signingKeyPem: key }],
  [{ SIGNING_KEY: key.replaceAll('\n', '\\n') }, { signingKeyPem: key }],
  [
    { ADMIN_USERNAME: 'root.admin', ADMIN_PASSWORD: 'ten letters' },
    { admin: { username: 'root.admin', password: 'ten letters' } },
  ],
  [{ PASSWORD_HASH_MEMORY_KIB: '1024', PASSWORD_HASH_PASSES: '1' }, { passwordHash: { memoryKib: 1024, passes: 1 } }],
  [{ SIGN_UP_DEADLINE_MS: '200' }, { signUpDeadlineMs: 200 }],
  [
    { PUBLIC_ORIGIN: 'https://a.example, http://b.example:8080' },
    { publicOrigins: ['https://a.example', 'http://b.example:8080'] },
  ],
  [{ LOG_LEVEL: 'silent' }, { logLevel: 'silent' }],
  [{ RATE_LIMIT: 'off' }, { rateLimit: false }],
  [
    S3,
    {
      s3: {
        endpoint: 'https://s3.example',
        bucket: 'pando-images',
        region: 'us-east-1',
        accessKeyId: 'AKIA1',
        secretAccessKey: 'hush-hush',
      },
    },
  ],
  [
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' },
    { tracing: { endpoint: 'http://127.0.0.1:4318/', ratio: 1 } },
  ],
  [
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://otlp.example/in', OTEL_TRACES_SAMPLER_ARG: '0.05' },
    { tracing: { endpoint: 'https://otlp.example/in', ratio: 0.05 } },
  ],
]

for (const [env, expected] of LEGAL)
  test(`legal: ${Object.keys(env).join()} ${JSON.stringify(Object.values(expected)[0]).slice(0, 40)}`, () => {
    assert.deepEqual(loadConfig(env), { ...DEFAULTS, ...expected })
  })

const ILLEGAL: [name: string, value: string, says: RegExp][] = [
  ['PORT', 'abc', /^PORT="abc" is not legal: it must be a whole number from 0 to 65535 \(0 = a free port\)\.$/],
  ['PORT', '70000', /="70000".*65535/],
  ['PORT', '-1', /0 to 65535/],
  ['PORT', '80.5', /whole number/],
  ['PORT', ' 80', /whole number/],
  ['HOST', 'here:80', /without a port/],
  ['HOST', '300.1.1.1', /IP address/],
  ['METRICS_PORT', 'on', /or off/],
  ['DATABASE_URL', 'not a url', /="not a url".*postgres:\/\//],
  ['DATABASE_URL', 'mysql://u:hush-hush@db/x', /not shown/],
  ['DATABASE_URL', 'postgres://u:hush-hush', /not shown/],
  ['DATABASE_URL', 'postgres://u:hush-hush%@db/x', /not shown/],
  ['DATABASE_URL', 'postgres:///x?password=hush-hush', /not shown/],
  ['DATABASE_PREFIX', 'Pando', /a-z/],
  ['DATABASE_PREFIX', 'x"; drop database y', /a-z/],
  ['DATABASE_PREFIX', 'a'.repeat(41), /1 to 40/],
  ['KAFKA_BROKERS', 'broker', /="broker".*host:port/],
  ['KAFKA_BROKERS', 'a:1,,b:2', /host:port/],
  ['KAFKA_BROKERS', 'a:70000', /host:port/],
  ['KAFKA_TLS', 'on', /KAFKA_BROKERS/],
  ['KAFKA_TLS_CA', '/nowhere/ca.pem', /="\/nowhere\/ca\.pem".*can be read/],
  ['KAFKA_TLS_CA', import.meta.filename, /KAFKA_TLS=on/],
  ['KAFKA_SASL_MECHANISM', 'gssapi', /one of plain, scram-sha-256, scram-sha-512/],
  ['KAFKA_SASL_MECHANISM', 'plain', /KAFKA_USERNAME/],
  ['KAFKA_USERNAME', 'hush-hush', /KAFKA_PASSWORD/],
  ['KAFKA_PASSWORD', 'hush-hush', /KAFKA_USERNAME/],
  ['S3_ENDPOINT', 's3.example', /="s3.example".*origin/],
  ['S3_ENDPOINT', 'https://s3.example/bucket', /origin/],
  ['S3_ENDPOINT', 'https://u:hush-hush@s3.example', /origin/],
  ['S3_BUCKET', 'Pando/..', /3 to 63/],
  ['S3_BUCKET', 'pando-images', /S3_ENDPOINT, S3_REGION, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY: set all five/],
  ['S3_REGION', 'us east', /us-east-1/],
  ['S3_ACCESS_KEY_ID', 'hush-hush', /without S3_ENDPOINT/],
  ['S3_SECRET_ACCESS_KEY', 'hush-hush', /without S3_ENDPOINT/],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', '127.0.0.1:4318', /="127.0.0.1:4318".*http:\/\/127\.0\.0\.1:4318/],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://u:hush-hush@otlp.example', /not shown/],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://otlp.example/?key=1', /without a password or a query/],
  ['OTEL_TRACES_SAMPLER_ARG', '1.5', /="1.5".*from 0 to 1/],
  ['OTEL_TRACES_SAMPLER_ARG', '-1', /from 0 to 1/],
  ['OTEL_TRACES_SAMPLER_ARG', '5%', /from 0 to 1/],
  ['USER_URL', '127.0.0.1:8101', /origin/],
  ['CHAT_URL', 'http://127.0.0.1:8103/api', /origin/],
  ['SIGNING_KEY', 'hush-hush', /Ed25519/],
  ['SIGNING_KEY', pem('x25519'), /Ed25519/],
  ['ADMIN_USERNAME', 'Root', /3 to 30/],
  ['ADMIN_USERNAME', 'root', /ADMIN_PASSWORD/],
  ['ADMIN_PASSWORD', 'hush-hush', /10 to 200/],
  ['ADMIN_PASSWORD', 'hush-hush-hush', /ADMIN_USERNAME/],
  ['PASSWORD_HASH_MEMORY_KIB', '-1', /from 8/],
  ['PASSWORD_HASH_MEMORY_KIB', '7', /from 8/],
  ['PASSWORD_HASH_PASSES', '0', /from 1/],
  ['SIGN_UP_DEADLINE_MS', 'soon', /milliseconds/],
  ['PUBLIC_ORIGIN', 'pando.example', /origins/],
  ['PUBLIC_ORIGIN', 'https://a.example,,', /origins/],
  ['LOG_LEVEL', 'loud', /fatal, error, warn/],
  ['LOG_LEVEL', 'a\nb', /="a\\nb"/],
  ['RATE_LIMIT', 'perhaps', /on or off/],
  ['RATE_LIMIT', 'constructor', /on or off/],
]

for (const [name, value, says] of ILLEGAL)
  test(`not legal: ${name}=${JSON.stringify(value).slice(0, 40)}`, () => {
    assert.throws(
      () => loadConfig({ [name]: value }),
      (error: unknown) => {
        assert.ok(error instanceof ConfigError)
        assert.ok(error.message.startsWith(name), error.message)
        assert.match(error.message, says)
        assert.doesNotMatch(error.message, /\n|hush|BEGIN/)
        return true
      },
    )
  })

for (const name of Object.keys(S3))
  test(`a bucket without ${name}`, () => {
    assert.throws(() => loadConfig({ ...S3, [name]: '' }), new RegExp(`^ConfigError: S3_\\w+ is set without ${name}: `))
  })
