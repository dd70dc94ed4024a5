// The whole topology on one page. Every process reads it: who there is, where its events go, how they are spread.

/** Every topic has so many partitions. Fixed once a log exists: a key's order lives in its partition. */
export const PARTITIONS = 16

/** Each service owns one database (`<prefix>_<name>`) and publishes to one topic, both of its name. */
export const SERVICES = {
  user: {
    port: 8101,
    paths: ['/api/users', '/api/usernames', '/api/sessions', '/api/me', '/api/sagas', '/api/.well-known'],
  },
  customer: { port: 8102, paths: ['/api/me/wallet'] },
  chat: { port: 8103, paths: ['/api/friends', '/api/blocks', '/api/rooms'] },
  market: {
    port: 8104,
    paths: ['/api/posts', '/api/me/wishes', '/api/me/keywords', '/api/images', '/api/sagas/post-deletion'],
  },
  notification: { port: 8105, paths: ['/api/notifications', '/api/presence', '/api/stream'] },
} as const satisfies Record<string, { port: number; paths: readonly string[] }>

export type ServiceName = keyof typeof SERVICES

/** The database of the PostgreSQL transport's log, after the prefix. */
export const LOG_DATABASE = 'log'
