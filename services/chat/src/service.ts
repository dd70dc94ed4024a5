import { createWorker, migrate } from '@pando/saga'
import type { Service, ServiceOptions } from '@pando/service'
import { isMember } from './members.ts'
import { members, profiles } from './reactions.ts'

/** Members for now; friends, rooms and messages come here. */
export function createChatService({ db, transport, partitions, hub, log }: ServiceOptions): Service {
  const worker = createWorker({
    topic: 'chat',
    db,
    transport,
    partitions,
    hub,
    reactions: [members, profiles],
    onError: (err) => log.warn({ err }, 'chat'),
  })
  return {
    name: 'chat',
    db,
    worker,
    isLive: ({ userId }) => isMember(db, userId),
    routes: async () => {},
    async start() {
      await migrate(db, { schema: 'chat', directory: new URL('../sql/', import.meta.url) })
      await worker.start()
    },
    stop: () => worker.stop(),
  }
}
