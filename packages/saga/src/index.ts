export {
  type Connection,
  createDatabase,
  type Database,
  type DatabaseOptions,
  type Leased,
  type Queryable,
  type Row,
} from './database.ts'
export { checkChoreography, type Choreography, type ServiceChoreography } from './choreography.ts'
export { renderChoreography } from './choreography-page.ts'
export { type Consumer, type ConsumerStats, createConsumer } from './consumer.ts'
export { ensureDays } from './days.ts'
export { asError, isTransient, SagaError, type SagaErrorCode } from './errors.ts'
export {
  type Cause,
  type DataOf,
  type DataSchema,
  defineEvent,
  type Envelope,
  type EventKind,
  type EventType,
  type NewEvent,
  type Received,
  type ReceivedOf,
  type StandardSchema,
} from './event.ts'
export { createHub, type Hub, type HubOptions, type OpenOptions } from './hub.ts'
export { createBell, createHourly, createLoop, type Bell, type Running } from './loop.ts'
export { createMemoryLog, createMemoryTransport, type Faults, type MemoryLog } from './memory.ts'
export { migrate } from './migrate.ts'
export { append, outboxLag } from './outbox.ts'
export { countParked, discardParked, listParked, type ParkedKey } from './parked.ts'
export { partitionOf } from './partition.ts'
export { createPostgresTransport } from './postgres.ts'
export { each, on, type Reaction } from './reaction.ts'
export { createRelay, type Relay } from './relay.ts'
export {
  begin,
  defineSaga,
  evolve,
  type SagaDefinition,
  type SagaInput,
  type SagaState,
  type SagaStatus,
  type SagaView,
  type Step,
  type StepDefinition,
  type StepStatus,
} from './saga.ts'
export {
  countOpenSagas,
  type HistoryEntry,
  listSagas,
  type OpenSagas,
  type SagaPlace,
  type SagaQuery,
} from './saga-views.ts'
export { forgetSagas, type SagaHooks, type Sagas, type SagaVersion, type StartItem } from './sagas.ts'
export {
  appendToStreams,
  closedAmong,
  createStreams,
  createStreamSource,
  type Cursor,
  formatCursor,
  type NewStreamEvent,
  parseCursor,
  purgeStreams,
  type StoredEvent,
  type StreamedEvent,
  type StreamHead,
  type Streams,
  type StreamSource,
} from './streams.ts'
export type { Operation, Span, Subject, Trace } from './trace.ts'
export { retryOnConflict, transaction, type Tx } from './transaction.ts'
export type { LogReader, LogRecord, PlacedRecord, TopicState, Transport, Want } from './transport.ts'
export { createWorker, type Worker } from './worker.ts'
