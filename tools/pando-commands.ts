// What the operator's command line can do, each by one request or a list of pages.
import type { ParseArgsOptionsConfig } from 'node:util'
import type { HistoryEntry } from '@pando/saga'
import type { Lag, Parked, SagaWithOwner } from '@pando/service'
import type { AdminClient } from './admin-client.ts'
import { Misuse } from './command-line.ts'
import { duration, table, visible } from './table.ts'

const DEFAULT_LIMIT = 30

export interface Values {
  url?: string
  help?: boolean
  json?: boolean
  all?: boolean
  limit?: string
  type?: string
  status?: string
  reason?: string
}

export interface Command {
  /** Beside `--url`, `--json` and `--help`. */
  options: ParseArgsOptionsConfig
  positionals: readonly string[]
  summary: string
  /** Its own options, as the help shows them. */
  details?: string
  run(client: AdminClient, positionals: string[], values: Values): Promise<Shown>
}

/** What there is to show: as the API says it, and for people; `note` is no part of either. */
interface Shown {
  json?: unknown
  text: string
  note?: string | undefined
}

const string = { type: 'string' } as const
const paging = { all: { type: 'boolean' }, limit: string } as const
const PAGING = `  --limit N        at most so many (default ${DEFAULT_LIMIT})\n  --all            all of them\n`

export const commands: Readonly<Record<string, Command>> = {
  sagas: {
    summary: 'The sagas, failed and overdue ones first, newest first in each part',
    details: `  --type TYPE      only of this type, say sign-up\n  --status STATUS  only running, completed, compensating or failed\n${PAGING}`,
    positionals: [],
    options: { type: string, status: string, ...paging },
    async run(client, _, { type, status, ...values }) {
      const query = { ...(type !== undefined && { type }), ...(status !== undefined && { status }) }
      const { items, more } = await client.list<SagaWithOwner>('/api/admin/sagas', query, mostOf(values))
      const rows = items.map(({ type: of, id, status: is, startedAt, ownerId, steps, reason }) => {
        const at = Object.entries(steps).map(([step, { status: it }]) => `${step} ${it}`)
        return [of, id, is, startedAt, ownerId ?? '-', at.join(', ') + (reason === null ? '' : ` (${reason})`)]
      })
      const text = table(['TYPE', 'ID', 'STATUS', 'STARTED', 'OWNER', 'STEPS'], rows)
      return { json: items, text: items.length > 0 ? text : 'No saga.', note: more ? MORE : undefined }
    },
  },
  saga: {
    summary: 'One saga, with the events it is made of in causal order',
    positionals: ['TYPE', 'ID'],
    options: {},
    async run(client, [type, id]) {
      const saga = await client.get<SagaWithOwner & { history: HistoryEntry[] }>(
        `/api/admin/sagas/${encodeURIComponent(type!)}/${encodeURIComponent(id!)}`,
      )
      const { history, steps, ...rest } = saga
      const head = Object.entries(rest).map(([name, value]) => [name, value ?? '-'])
      const at = Object.entries(steps).map(([step, { status, reason }]) => [step, status, reason ?? ''])
      const made = history.map((event) => [
        event.recordedAt,
        `${event.type} v${event.version}`,
        event.eventId,
        event.causationId ?? '-',
        event.attempt,
        `${event.topic}/${event.partition}/${event.offset ?? 'unsent'}`,
        JSON.stringify(event.data),
      ])
      return {
        json: saga,
        text: [
          table(['SAGA', ''], head),
          table(['STEP', 'STATUS', 'REASON'], at),
          table(['RECORDED', 'EVENT', 'ID', 'CAUSED BY', 'TRIES', 'AT', 'DATA'], made),
        ].join('\n\n'),
      }
    },
  },
  parked: {
    summary: 'Keys whose events wait for a person, those that wait longest first',
    details: PAGING,
    positionals: [],
    options: paging,
    async run(client, _, values) {
      const { items, more } = await client.list<Parked>('/api/admin/parked', {}, mostOf(values))
      const rows = items.map(({ service, key, since, attempts, events, error }) => [
        service,
        key,
        since,
        attempts,
        events.length < 100 ? events.length : '100+',
        events[0]?.type ?? '-',
        error,
      ])
      const text = table(['SERVICE', 'KEY', 'SINCE', 'TRIES', 'EVENTS', 'FIRST', 'ERROR'], rows)
      return { json: items, text: items.length > 0 ? text : 'Nothing is parked.', note: more ? MORE : undefined }
    },
  },
  lag: {
    summary: 'How far behind each service is: events not sent, and events not handled',
    positionals: [],
    options: {},
    async run(client) {
      const { items } = await client.list<Lag>('/api/admin/lag', {}, Infinity)
      const rows = items.map(({ service, outbox, partitions }) => {
        const behind = partitions.filter((one) => one.behind > 0)
        const at = behind.map((one) => `${one.topic}/${one.partition} ${one.behind}`).join(', ')
        const all = behind.reduce((sum, one) => sum + one.behind, 0)
        return [service, outbox.rows, outbox.rows > 0 ? duration(outbox.oldestMs) : '-', all, at || '-']
      })
      return { json: items, text: table(['SERVICE', 'UNSENT', 'OLDEST', 'BEHIND', 'IN'], rows) }
    },
  },
  redrive: {
    summary: 'Runs the events of a parked key again, in order',
    details: `  A key that begins with "-" goes behind "--".\n`,
    positionals: ['SERVICE', 'KEY'],
    options: {},
    async run(client, [service, key]) {
      await client.post(`${keyPath(service!, key!)}/redrive`)
      return {
        text: `The events of key "${visible(key!)}" in ${visible(service!)} run again; what fails stays parked.`,
      }
    },
  },
  discard: {
    summary: 'Gives the events of a parked key up; they are kept with the reason',
    details: `  --reason TEXT    why; required\n  A key that begins with "-" goes behind "--".\n`,
    positionals: ['SERVICE', 'KEY'],
    options: { reason: string },
    async run(client, [service, key], { reason }) {
      await client.post(`${keyPath(service!, key!)}/discard`, { reason })
      return { text: `The events of key "${visible(key!)}" in ${visible(service!)} are given up.` }
    },
  },
}

const MORE = 'There are more: --limit N or --all.'
const keyPath = (service: string, key: string): string =>
  `/api/admin/parked/${encodeURIComponent(service)}/${encodeURIComponent(key)}`

function mostOf({ all, limit }: Values): number {
  if (all) return Infinity
  const most = limit === undefined ? DEFAULT_LIMIT : /^\d+$/.test(limit) ? Number(limit) : 0
  if (most < 1) throw new Misuse(`--limit must be a whole number from 1 on, not "${limit}".`)
  return most
}
