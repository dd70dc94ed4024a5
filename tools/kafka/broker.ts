import { execFile } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { createLog, lockDataDir, type Logger, makeDataDir, StartError } from '@pando/service'
import { type BrokerProcess, endBroker, endOrphan, isReady, javaEnvironment, launch, logOf } from './broker-process.ts'
import { javaProgram, kafkaJars } from './jars.ts'

const HOST = '127.0.0.1'
const SCRAP = 'scrap-'
const SETTINGS = join(import.meta.dirname, 'server.properties')
const FLAGS = [
  '-Xmx256m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  // Its files in the temporary folder would outlive a SIGKILL.
  '-XX:-UsePerfData',
  `-Dlog4j2.configurationFile=${join(import.meta.dirname, 'log4j2.properties')}`,
]

export interface KafkaOptions {
  /** Topics and records are in `kafka/log` below it, what the broker says in `kafka/broker.log`. */
  dataDir: string
  /** Default: a free one. */
  port?: number
  /** Forgets the topics and records that are there. */
  fresh?: boolean
  /** One more that it listens on, like `SASL_SSL://127.0.0.1:9094`, and the settings of server.properties that it takes. */
  also?: { listener: string; settings: Readonly<Record<string, string>> }
  log?: Logger
  /** Cuts the start short, which then rejects. */
  signal?: AbortSignal
}

export interface Kafka {
  /** `host:port`, as KAFKA_BROKERS wants it. */
  readonly brokers: string
  /** Of the Java process. */
  readonly pid: number
  /** Resolves when the broker is gone and `dataDir` free, whoever ended it, with how that was. */
  readonly ended: Promise<string>
  /** Ends the broker as it should be. May be called again. */
  stop(): Promise<void>
  /** SIGKILL. What was acknowledged is there after the next start on the same `dataDir`. */
  kill(): Promise<void>
}

/**
 * A real Apache Kafka of a single node, on the loopback interface only, that takes requests when this resolves. It starts on whatever
 * an earlier one left in `dataDir`, however that ended; after a SIGKILL it takes two seconds longer, for so long is the dead one's session
 * (server.properties).
 * @throws {StartError} when Java or Maven are missing, `dataDir` is in use or cannot be used, the port is taken, Kafka does not start
 */
export async function startKafka(options: KafkaOptions): Promise<Kafka> {
  const { port = 0, log = createLog({ level: 'silent', name: 'kafka' }), signal } = options
  const jars = join(await kafkaJars({ log, signal }), '*')
  const dataDir = makeDataDir(resolve(options.dataDir))
  const unlock = lockDataDir(dataDir, 'Kafka')
  try {
    const folder = join(dataDir, 'kafka')
    await endOrphan(folder, log)
    if (port !== 0) await assertFree(port)
    mkdirSync(folder, { recursive: true })
    const isMade = existsSync(join(folder, 'log'))
    if (isMade && options.fresh) renameSync(join(folder, 'log'), mkdtempSync(join(folder, SCRAP)))
    if (!isMade || options.fresh) await format(folder, jars, signal)
    const { broker, pid, brokers } = await launchReady(folder, jars, port, options.also, signal)
    const ended = broker.ended.finally(unlock)
    return {
      brokers,
      pid,
      ended,
      async stop() {
        await endBroker(broker)
        await ended
      },
      async kill() {
        if (broker.howItEnded() === undefined) process.kill(pid, 'SIGKILL')
        await ended
      },
    }
  } catch (err) {
    unlock()
    throw err
  }
}

/** Nothing carries the name `log` while it is made or removed, so an interrupted start leaves no half of it. */
async function format(folder: string, jars: string, signal: AbortSignal | undefined): Promise<void> {
  for (const name of readdirSync(folder).filter((entry) => entry.startsWith(SCRAP)))
    rmSync(join(folder, name), { recursive: true, force: true })
  const unfinished = mkdtempSync(join(folder, SCRAP))
  const id = randomBytes(16).toString('base64url')
  const command = ['-cp', jars, 'kafka.tools.StorageTool', 'format', `--cluster-id=${id}`, '--config', SETTINGS]
  try {
    await promisify(execFile)(javaProgram(), [...FLAGS, ...command], {
      cwd: unfinished,
      env: javaEnvironment(),
      signal,
    })
    renameSync(join(unfinished, 'log'), join(folder, 'log'))
  } catch (err) {
    signal?.throwIfAborted()
    throw new StartError('PANDO_KAFKA', `Kafka cannot make its data in ${folder} (${(err as Error).message}).`, {
      cause: err,
    })
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
}

async function launchReady(
  folder: string,
  jars: string,
  port: number,
  also: KafkaOptions['also'],
  signal: AbortSignal | undefined,
): Promise<{ broker: BrokerProcess; pid: number; brokers: string }> {
  for (;;) {
    const own = port === 0 ? await freePort() : port
    const controller = await freePort(own)
    const listeners = [`PLAINTEXT://${HOST}:${own}`, `CONTROLLER://${HOST}:${controller}`, also?.listener ?? []].flat()
    const settings = {
      listeners: listeners.join(','),
      'controller.quorum.voters': `1@${HOST}:${controller}`,
      ...also?.settings,
    }
    const overrides = Object.entries(settings).flatMap(([name, value]) => ['--override', `${name}=${value}`])
    const broker = launch(folder, javaProgram(), [...FLAGS, '-cp', jars, 'kafka.Kafka', SETTINGS, ...overrides])
    try {
      const ready = await isReady(broker, folder, signal)
      if (ready && broker.pid !== undefined) return { broker, pid: broker.pid, brokers: `${HOST}:${own}` }
    } catch (err) {
      await endBroker(broker)
      throw err
    }
    const said = readFileSync(logOf(folder), 'utf8')
    const lost = Number(/failed to bind to \S+:(\d+): Address already in use/.exec(said)?.[1])
    if (lost === port) throw portTaken(port)
    // Somebody was faster to take a port that was chosen here: choose again.
    if (lost === own || lost === controller) continue
    const lastWords = /^[\w.$]+(?:Exception|Error): (.*)/m.exec(said)?.[1] ?? broker.howItEnded()
    throw new StartError('PANDO_KAFKA', `Kafka does not start (${lastWords}): see ${logOf(folder)}.`)
  }
}

/**
 * Not one that the system would choose (those begin at 32,768 or later): while a broker is down, the system may give its port to any
 * outgoing connection, even to one that looks for that broker and then has found itself, and the broker could not come back.
 */
export async function freePort(but?: number): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 30_000)
    if (port !== but && (await whyNotFree(port)) === undefined) return port
  }
}

async function assertFree(port: number): Promise<void> {
  const why = await whyNotFree(port)
  if (why === 'EADDRINUSE') throw portTaken(port)
  if (why !== undefined) throw new StartError('PANDO_KAFKA', `Port ${port} of ${HOST} cannot be listened on (${why}).`)
}

async function whyNotFree(port: number): Promise<string | undefined> {
  const probe = createServer().listen(port, HOST)
  try {
    await once(probe, 'listening')
  } catch (err) {
    return (err as NodeJS.ErrnoException).code ?? String(err)
  }
  probe.close()
  await once(probe, 'close')
  return undefined
}

function portTaken(port: number): StartError {
  return new StartError(
    'PANDO_KAFKA',
    `Port ${port} of ${HOST} is taken: end the process that listens there, or choose another port (0 = a free one).`,
  )
}
