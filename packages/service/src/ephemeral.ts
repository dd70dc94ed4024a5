import type { Hub, Transport } from '@pando/saga'

/** Less than any transport takes of a hint, also when it writes quotes as two characters. */
const HINT_BYTES = 3_500
const ID_BYTES = 36 + 1

/** What users are told that is stored nowhere, such as who is typing: whoever has no open stream at that moment never hears of it. */
export interface Ephemeral {
  /**
   * Writes an event to the open streams of these users, in this process and, best effort, in all others. `data` is what JSON.stringify
   * makes text of. Throws RangeError, and tells nobody, when there is too much of it for a hint, and for a type that has white space.
   */
  send(userIds: readonly string[], type: string, data: unknown): void
  /** Hears no more of other processes. */
  stop(): void
}

/** One for each process and its hub: with two, every event from elsewhere would be written twice. A user's stream is named by the user's id. */
export function createEphemeral({ hub, transport }: { hub: Hub; transport: Transport }): Ephemeral {
  function sendHere(userIds: readonly string[], type: string, data: unknown): void {
    for (const userId of userIds) hub.send(userId, type, data)
  }
  return {
    send(userIds, type, data) {
      const json = JSON.stringify(data)
      const idsAtOnce = Math.floor((HINT_BYTES - Buffer.byteLength(`send ${type}  ${json}`)) / ID_BYTES)
      if (/\s/.test(type) || idsAtOnce < 1)
        throw new RangeError(
          `an event "${type}" cannot be told by hints: its type has white space, or its data is too long`,
        )
      sendHere(userIds, type, data)
      for (let i = 0; i < userIds.length; i += idsAtOnce)
        transport.hint(`send ${type} ${userIds.slice(i, i + idsAtOnce).join()} ${json}`)
    },
    stop: transport.onHint((text) => {
      const [, type, ids, json] = /^send (\S+) (\S+) (.+)$/.exec(text) ?? []
      if (type && ids && json) sendHere(ids.split(','), type, JSON.parse(json))
    }),
  }
}
