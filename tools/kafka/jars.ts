import { execFile, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify, stripVTControlCharacters } from 'node:util'
import { lockFile, type Logger, StartError } from '@pando/service'

const OLDEST_JAVA = 17
const POLL_MS = 100
const UNFINISHED = 'unfinished-'

const pom = join(import.meta.dirname, 'pom.xml')
const cache = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'pando-kafka')
// Another pom.xml has other jars.
const folder = join(cache, createHash('sha256').update(readFileSync(pom)).digest('hex').slice(0, 12))

/** The Java that Kafka runs on: that of JAVA_HOME, else that of PATH. */
export function javaProgram(): string {
  return process.env.JAVA_HOME ? join(process.env.JAVA_HOME, 'bin', 'java') : 'java'
}

/** What this machine lacks to run Kafka, as a sentence with the way out; undefined when it lacks nothing. */
export function missingForKafka(): string | undefined {
  const { status, stderr } = spawnSync(javaProgram(), ['-version'], { encoding: 'utf8' })
  const version = status === 0 ? Number(/ version "(\d+)/.exec(stderr)?.[1]) : undefined
  if (version === undefined)
    return `Kafka needs Java ${OLDEST_JAVA} or newer, and "${javaProgram()}" cannot be run: install a JRE (on Debian: default-jre-headless).`
  if (!(version >= OLDEST_JAVA))
    return `Kafka needs Java ${OLDEST_JAVA} or newer, and "${javaProgram()}" is older: install a newer JRE, or set JAVA_HOME to one.`
  if (!existsSync(folder) && spawnSync('mvn', ['--version']).status !== 0)
    return 'Kafka is fetched by Maven, and "mvn" cannot be run: install it (on Debian: maven).'
  return undefined
}

/**
 * The folder with the jars of Kafka, which Maven fetches the first time. They get their place when all are there; whoever comes
 * meanwhile waits.
 * @throws {StartError} when Java or Maven are missing, or Maven fails
 */
export async function kafkaJars(options: { log: Logger; signal?: AbortSignal | undefined }): Promise<string> {
  const missing = missingForKafka()
  if (missing !== undefined) throw new StartError('PANDO_KAFKA', missing)
  if (existsSync(folder)) return folder
  mkdirSync(cache, { recursive: true })
  const unlock = await lockCache(options.signal)
  try {
    if (!existsSync(folder)) await fetchJars(options)
    return folder
  } finally {
    unlock()
  }
}

async function lockCache(signal: AbortSignal | undefined): Promise<() => void> {
  for (;;) {
    const unlock = lockFile(join(cache, 'lock'), 0)
    if (unlock) return unlock
    await delay(POLL_MS, undefined, { signal })
  }
}

async function fetchJars({ log, signal }: { log: Logger; signal?: AbortSignal | undefined }): Promise<void> {
  // Of those who were killed.
  for (const name of readdirSync(cache).filter((entry) => entry.startsWith(UNFINISHED)))
    rmSync(join(cache, name), { recursive: true, force: true })
  const unfinished = mkdtempSync(join(cache, UNFINISHED))
  log.info('Maven fetches Kafka, this first time')
  try {
    const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${unfinished}`, '-DincludeScope=runtime']
    await promisify(execFile)('mvn', ['--batch-mode', '--quiet', '--file', pom, ...goal], { signal })
    renameSync(unfinished, folder)
  } catch (err) {
    rmSync(unfinished, { recursive: true, force: true })
    signal?.throwIfAborted()
    throw new StartError('PANDO_KAFKA', `Maven cannot fetch Kafka (${reason(err)}): can it reach Maven Central?`, {
      cause: err,
    })
  }
}

function reason(err: unknown): string {
  const { stdout = '', message } = err as Error & { stdout?: string }
  // Its pointers to help end the line.
  return (/^\[ERROR\] (.*?)(?: -> \[.*)?$/m.exec(stripVTControlCharacters(stdout))?.[1] ?? message).trim()
}
