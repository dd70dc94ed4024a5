import { destination, pino } from 'pino'
import type { DestinationStream, Logger } from 'pino'

export type { Logger }

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

const SECRETS = [
  'authorization',
  'cookie',
  'set-cookie',
  'password',
  'currentPassword',
  'newPassword',
  'email',
  'refreshToken',
]
// Three levels reach `req.headers.authorization`; deeper objects have no business in a log line.
const paths = SECRETS.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`])

// Where an error of PostgreSQL quotes the row: `Key (email)=(kim@example.com) already exists.` And the connection that the pool adds
// to it, with the statements under way and their values.
const QUOTED = ['err.detail', 'err.where', 'err.client']

/**
 * A logger of JSON lines that hides credentials and e-mail addresses. Lines go to stderr, because stdout belongs to the
 * ready line, and are written at once, so that the last one before an exit is not lost. `to`: where else, for tests.
 */
export function createLog(
  { level, name }: { level: LogLevel; name: string },
  to: DestinationStream = destination({ fd: 2, sync: true }),
): Logger {
  return pino({ level, name, redact: { paths: [...paths, ...QUOTED], censor: '[redacted]' } }, to)
}
