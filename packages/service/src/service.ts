import type { Database, Hub, Trace, Transport, Worker } from '@pando/saga'
import type { FastifyPluginAsync } from 'fastify'
import type { Config } from './config.ts'
import type { Ephemeral } from './ephemeral.ts'
import type { Logger } from './log.ts'
import type { OriginPolicy } from './origin.ts'
import type { SessionStreams } from './session-streams.ts'
import type { Identity, Verifier } from './verifier.ts'

/** What a service is given; nothing of it is made by itself, so that one process can hold one service or all. */
export interface ServiceOptions {
  db: Database
  transport: Transport
  /** Partitions of every topic. */
  partitions: number
  hub: Hub
  ephemeral: Ephemeral
  sessionStreams: SessionStreams
  verifier: Verifier
  origins: OriginPolicy
  config: Config
  log: Logger
  /** Undefined: there are no traces. */
  trace: Trace | undefined
}

/** A figure that a service alone has, for the metrics; read when somebody asks. */
export interface ServiceGauge {
  readonly name: string
  readonly help: string
  read(): number
}

/** A service: mounted in a process by its routes, alive between start and stop. */
export interface Service {
  readonly name: string
  readonly db: Database
  readonly worker: Worker
  readonly routes: FastifyPluginAsync
  readonly gauges?: readonly ServiceGauge[]
  /** Whether the user of a good token is still there: tokens outlive accounts. */
  isLive(identity: Identity): Promise<boolean>
  /** Migrates and starts everything that runs. Rejects when it cannot. */
  start(): Promise<void>
  stop(): Promise<void>
}
