import type { Hub, Transport } from '@pando/saga'

/** The open streams of sessions, in all processes. */
export interface SessionStreams {
  /** Ends the streams of a user, or of one of its sessions, here and, best effort, in all other processes. */
  end(userId: string, sessionId?: string): void
  /** Hears no more of other processes. */
  stop(): void
}

/** One for each process: it ends what others say has ended, whichever services run here. */
export function createSessionStreams({ hub, transport }: { hub: Hub; transport: Transport }): SessionStreams {
  return {
    end(userId, sessionId) {
      hub.end(userId, sessionId)
      transport.hint(`session-ended ${userId} ${sessionId ?? ''}`)
    },
    stop: transport.onHint((text) => {
      const [what, userId, sessionId] = text.split(' ')
      if (what === 'session-ended' && userId) hub.end(userId, sessionId || undefined)
    }),
  }
}
