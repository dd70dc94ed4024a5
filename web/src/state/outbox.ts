// Messages that the server does not have yet. Each is kept on this device under the id that it is sent with, as often as it takes: sent
// twice, it is one message. One room's go one after the other, in the order in which they were written.
import { applyToMessages } from '@pando/live'
import { notifyManager } from '@tanstack/react-query'
import { useSyncExternalStore } from 'react'
import { api, ApiError } from '../api.ts'
import type { Sending } from '../contract.ts'
import { type Messages, messagesKey } from './messages.ts'
import { onceCached, queries } from './queries.ts'

export interface Outgoing {
  roomId: string
  sending: Sending
  /** By the clock of this device. */
  at: number
  /** `waiting`: for its turn or the network. `refused`: the server does not want it, for the reason `code`. */
  state: 'waiting' | 'sending' | 'refused'
  code?: string
}

const PAUSES_MS = [1_000, 2_000, 5_000, 10_000, 30_000]

let userId = ''
let entries: readonly Outgoing[] = []
const listeners = new Set<() => void>()
/** Rooms whose messages are being sent. */
const busy = new Map<string, { wake: () => void }>()

const prefix = (): string => `pando.outbox.${userId}.`
const keyOf = ({ sending }: Outgoing): string => prefix() + sending.clientMessageId

function set(next: readonly Outgoing[]): void {
  entries = next
  listeners.forEach((tell) => tell())
}

function change(entry: Outgoing, changes: Partial<Outgoing>): void {
  set(entries.map((one) => (isSame(one, entry) ? keep({ ...one, ...changes }) : one)))
}

function keep(entry: Outgoing): Outgoing {
  localStorage.setItem(
    keyOf(entry),
    JSON.stringify({ ...entry, state: entry.state === 'sending' ? 'waiting' : entry.state }),
  )
  return entry
}

const isSame = (a: Outgoing, b: Outgoing): boolean => a.sending.clientMessageId === b.sending.clientMessageId

/** Takes up what this user has written on this device and the server does not have. Returns what ends that. */
export function startOutbox(ofUser: string): () => void {
  userId = ofUser
  const kept = Object.keys(localStorage)
    .filter((key) => key.startsWith(prefix()))
    .map((key) => JSON.parse(localStorage.getItem(key)!) as Outgoing)
  set(kept.toSorted((a, b) => a.at - b.at))
  for (const { roomId } of entries) void work(roomId)
  window.addEventListener('online', hurry)
  return () => {
    window.removeEventListener('online', hurry)
    userId = ''
    set([])
    hurry()
  }
}

/** Tries at once what waits for the network. */
const hurry = (): void => busy.forEach(({ wake }) => wake())

const subscribe = (listener: () => void): (() => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** What is under way, oldest first. */
export const useOutbox = (): readonly Outgoing[] => useSyncExternalStore(subscribe, () => entries)

export function send(roomId: string, content: { text: string } | { imageId: string }): void {
  const sending = { clientMessageId: crypto.randomUUID(), ...content }
  set([...entries, keep({ roomId, sending, at: Date.now(), state: 'waiting' })])
  void work(roomId)
}

/** Sends what was refused once more, with those of the room that were refused before it. */
export function sendAgain(entry: Outgoing): void {
  for (const one of entries)
    if (one.roomId === entry.roomId && one.state === 'refused' && one.at <= entry.at) change(one, { state: 'waiting' })
  void work(entry.roomId)
}

/** Gives it up. */
export function removeOutgoing(entry: Outgoing): void {
  localStorage.removeItem(keyOf(entry))
  set(entries.filter((one) => !isSame(one, entry)))
}

async function work(roomId: string): Promise<void> {
  if (busy.has(roomId)) return
  const turn = { wake: () => {} }
  busy.set(roomId, turn)
  for (let failures = 0; ;) {
    const entry = entries.find((one) => one.roomId === roomId && one.state === 'waiting')
    if (!entry) break
    const mayGoOn = await attempt(entry)
    if (mayGoOn === true) {
      failures = 0
      continue
    }
    const ms = Math.max(mayGoOn, PAUSES_MS[Math.min(failures++, PAUSES_MS.length - 1)]!)
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      turn.wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
  busy.delete(roomId)
}

/** Returns true when this one is done with, one way or the other; else for how many milliseconds the server wants to be left alone. */
async function attempt(entry: Outgoing): Promise<true | number> {
  const by = userId
  change(entry, { state: 'sending' })
  try {
    const message = await api('POST /api/rooms/{id}/messages', { path: { id: entry.roomId }, body: entry.sending })
    queries.setQueryData<Messages>(messagesKey(entry.roomId), (known) => {
      const event = { type: 'message.created', data: message, id: undefined } as const
      return known && { ...known, items: applyToMessages(known.items, event, entry.roomId) }
    })
    localStorage.removeItem(`pando.outbox.${by}.${entry.sending.clientMessageId}`)
    removeWhenShown(entry, message.seq)
    return true
  } catch (error) {
    if (userId !== by) return true
    if (!(error instanceof ApiError) || error.isTransient || error.status === 401) {
      change(entry, { state: 'waiting' })
      return error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0
    }
    change(entry, { state: 'refused', code: error.code })
    return true
  }
}

/** It stays until the message itself is there: others may have been faster, and the stream tells of them first. */
function removeWhenShown(entry: Outgoing, seq: number): void {
  const isShown = (): boolean =>
    (queries.getQueryData<Messages>(messagesKey(entry.roomId))?.items.at(-1)?.seq ?? Infinity) >= seq
  // Those who show messages are told of them a moment later: not to be left without both, this waits for its turn behind that.
  const remove = (): void => notifyManager.schedule(() => removeOutgoing(entry))
  onceCached(isShown, remove)
}
