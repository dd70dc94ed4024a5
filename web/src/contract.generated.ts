// Written by `npm run client` from the OpenAPI document of the services, and checked against it by the tests. Do not edit it: change the
// schema of the route.

export type Category = 'foliage' | 'flowering' | 'succulent' | 'herb' | 'tree' | 'seed' | 'supplies' | 'other'

export interface Device {
  id: string
  createdAt: string
  lastUsedAt: string
  userAgent: string
  current: boolean
}

export interface HistoryEvent {
  eventId: string
  type: string
  version: number
  service: string
  causationId: string | null
  recordedAt: string
  receivedAt: string
  attempt: number
  topic: string
  partition: number
  offset: number | null
  data: unknown
}

export interface Image {
  id: string
  width: number
  height: number
}

export interface Lag {
  service: string
  outbox: { rows: number; oldestMs: number }
  partitions: { group: string; topic: string; partition: number; next: number; behind: number }[]
}

export type Language = 'ko' | 'en'

export interface Message {
  roomId: string
  seq: number
  sender: Sender | null
  kind: 'text' | 'image' | 'system'
  text: string | null
  imageId?: string
  system?: SystemText
  clientMessageId?: string
  createdAt: string
  deletedAt: string | null
}

export interface Notification {
  id: string
  type: 'keyword_matched' | 'post_wished' | 'post_sold' | 'room_opened' | 'room_deleted' | 'friend_added'
  data: Record<string, unknown>
  url: string
  createdAt: string
  readAt: string | null
}

export interface OwnedSaga {
  id: string
  type: string
  status: SagaStatus
  version: number
  steps: Record<string, Step>
  reason: string | null
  startedAt: string
  deadline: string
  endedAt: string | null
  ownerId: string | null
}

export interface Parked {
  service: string
  key: string
  since: string
  error: string
  attempts: number
  events: { id: string; type: string; time: string | null; data: unknown }[]
}

export interface Person {
  user: User
  since: string
}

export interface Post {
  id: string
  seller: User
  title: string
  content: string
  price: number
  category: Category | null
  images: Image[]
  status: PostStatus
  views: number
  wishes: number
  wished: boolean
  createdAt: string
  updatedAt: string
}

export interface PostDraft {
  title: string
  content: string
  price: number
  category?: Category | null
  imageIds?: string[]
}

export type PostStatus = 'open' | 'reserved' | 'sold'

export interface PostSummary {
  id: string
  title: string
  status: PostStatus
}

export interface Presence {
  userId: string
  online: boolean
  lastSeenAt: string | null
}

export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  code:
    | 'validation_failed'
    | 'malformed_json'
    | 'unauthenticated'
    | 'invalid_credentials'
    | 'forbidden'
    | 'origin_refused'
    | 'not_found'
    | 'method_not_allowed'
    | 'conflict'
    | 'username_taken'
    | 'email_taken'
    | 'idempotency_mismatch'
    | 'post_not_open'
    | 'payload_too_large'
    | 'unsupported_media_type'
    | 'rate_limited'
    | 'internal'
    | 'unavailable'
  errors?: { path: string; message: string }[]
  requestId?: string
}

export interface Profile {
  id: string
  username: string
  displayName: string
  email: string
  statusMessage: string
  locale: Language
  role: 'user' | 'admin'
  createdAt: string
}

export interface Room {
  id: string
  type: 'direct' | 'group' | 'trade'
  name: string | null
  post?: PostSummary
  members: { user: User; lastReadSeq: number }[]
  lastMessage: Message | null
  lastSeq: number
  lastReadSeq: number
  unread: number
  muted: boolean
}

export interface Saga {
  id: string
  type: string
  status: SagaStatus
  version: number
  steps: Record<string, Step>
  reason: string | null
  startedAt: string
  deadline: string
  endedAt: string | null
}

export type SagaStatus = 'running' | 'completed' | 'compensating' | 'failed'

export interface SagaWithHistory {
  id: string
  type: string
  status: SagaStatus
  version: number
  steps: Record<string, Step>
  reason: string | null
  startedAt: string
  deadline: string
  endedAt: string | null
  ownerId: string | null
  history: HistoryEvent[]
}

export interface Sender {
  id: string
  displayName: string
}

export interface Session {
  user: Profile
  accessToken: string
  expiresAt: string
}

export interface SignedUp {
  id: string
  type: string
  status: SagaStatus
  version: number
  steps: Record<string, Step>
  reason: string | null
  startedAt: string
  deadline: string
  endedAt: string | null
  userId: string
}

export type Sort = 'latest' | 'price' | 'popular'

export interface Step {
  status: StepStatus
  reason?: string
  detail?: Record<string, unknown>
}

export type StepStatus = 'pending' | 'done' | 'failed' | 'undone' | 'skipped'

export interface SystemText {
  code: 'member_joined' | 'member_left' | 'post_reserved' | 'post_sold' | 'post_reopened'
  users: Sender[]
  by?: Sender
}

export interface User {
  id: string
  username: string
  displayName: string
  statusMessage: string
}

export interface Wallet {
  balance: number
  currency: 'KRW'
  entries: { items: { id: number; kind: string; amount: number; createdAt: string }[]; next: string | null }
}

export interface Endpoints {
  /** This document */
  'GET /api/openapi.json': { answer: Record<string, unknown> }
  /** This contract as a page */
  'GET /api/docs': { answerType: 'text/html' }
  /** Whether the process answers */
  'GET /api/health/live': { answer: { status: 'ok' } }
  /** Whether it can do its work */
  'GET /api/health/ready': { answer: { status: 'ok' | 'failed' | 'draining'; checks: Record<string, 'ok' | 'failed'> } }
  /** Sagas, failed and overdue first */
  'GET /api/admin/sagas': {
    query?: {
      cursor?: string | undefined
      limit?: number | undefined
      type?: string | undefined
      status?: SagaStatus | undefined
    }
    answer: { items: OwnedSaga[]; next: string | null }
  }
  /** A saga with the events it is made of */
  'GET /api/admin/sagas/{type}/{id}': { path: { type: string; id: string }; answer: SagaWithHistory }
  /** Keys whose events wait for a person, those that wait longest first */
  'GET /api/admin/parked': {
    query?: { cursor?: string | undefined; limit?: number | undefined }
    answer: { items: Parked[]; next: string | null }
  }
  /** Sends the events of a key again, in order */
  'POST /api/admin/parked/{service}/{key}/redrive': { path: { service: string; key: string } }
  /** Gives the events of a key up; they are kept with the reason */
  'POST /api/admin/parked/{service}/{key}/discard': { path: { service: string; key: string }; body: { reason: string } }
  /** How far behind each service is */
  'GET /api/admin/lag': {
    query?: { cursor?: string | undefined; limit?: number | undefined }
    answer: { items: Lag[]; next: string | null }
  }
  /** Sign up */
  'POST /api/users': {
    body: { username: string; password: string; displayName: string; email: string }
    answer: SignedUp
  }
  /** Users whose username or display name begins with a text */
  'GET /api/users': {
    query: { cursor?: string | undefined; limit?: number | undefined; query: string }
    answer: { items: User[]; next: string | null }
  }
  /** Whether a username is free */
  'GET /api/usernames/{username}': { path: { username: string }; answer: { available: boolean } }
  /** What everybody sees of a user */
  'GET /api/users/{id}': { path: { id: string }; answer: User }
  /** Oneself */
  'GET /api/me': { answer: Profile }
  /** Change what others see, or the language */
  'PATCH /api/me': { body: { displayName?: string; statusMessage?: string; locale?: Language }; answer: Profile }
  /** Delete the account */
  'DELETE /api/me': { body: { password: string }; answer: Saga }
  /** Change the password; other sessions end */
  'PUT /api/me/password': { body: { currentPassword: string; newPassword: string } }
  /** The public keys of access tokens */
  'GET /api/.well-known/jwks.json': {
    answer: { keys: { kty: string; crv: string; x: string; kid: string; alg: string; use: string }[] }
  }
  /** Log in */
  'POST /api/sessions': { body: { username: string; password: string }; answer: Session }
  /** Where one is logged in */
  'GET /api/sessions': {
    query?: { cursor?: string | undefined; limit?: number | undefined }
    answer: { items: Device[]; next: string | null }
  }
  /** Log out here */
  'DELETE /api/sessions': {}
  /** New tokens for the refresh cookie */
  'POST /api/sessions/refresh': { answer: Session }
  /** Log out everywhere */
  'DELETE /api/sessions/all': {}
  /** Log out one device */
  'DELETE /api/sessions/{id}': { path: { id: string } }
  /** A saga as it is */
  'GET /api/sagas/{type}/{id}': { path: { type: string; id: string }; answer: Saga }
  /** A saga as it goes on, as Server-Sent Events */
  'GET /api/sagas/{type}/{id}/events': {
    path: { type: string; id: string }
    query?: { lastEventId?: string | undefined }
    answerType: 'text/event-stream'
  }
  /** One's wallet */
  'GET /api/me/wallet': { query?: { cursor?: string | undefined; limit?: number | undefined }; answer: Wallet }
  /** Messages of a room */
  'GET /api/rooms/{id}/messages': {
    path: { id: string }
    query?: { before?: number | undefined; after?: number | undefined; limit?: number | undefined }
    answer: { items: Message[]; next: number | null }
  }
  /** Send a message */
  'POST /api/rooms/{id}/messages': {
    path: { id: string }
    body: { clientMessageId: string; text?: string; imageId?: string }
    answer: Message
  }
  /** Delete one's own message: a tombstone stays */
  'DELETE /api/rooms/{id}/messages/{seq}': { path: { id: string; seq: string } }
  /** How far one has read; it only goes forward */
  'PUT /api/rooms/{id}/read': { path: { id: string }; body: { seq: number } }
  /** Tell the others that one is typing */
  'POST /api/rooms/{id}/typing': { path: { id: string } }
  /** One's friends */
  'GET /api/friends': {
    query?: { cursor?: string | undefined; limit?: number | undefined }
    answer: { items: Person[]; next: string | null }
  }
  /** Whom one has blocked */
  'GET /api/blocks': {
    query?: { cursor?: string | undefined; limit?: number | undefined }
    answer: { items: Person[]; next: string | null }
  }
  /** Become friends */
  'PUT /api/friends/{userId}': { path: { userId: string } }
  /** End a friendship, for both */
  'DELETE /api/friends/{userId}': { path: { userId: string } }
  /** Block somebody */
  'PUT /api/blocks/{userId}': { path: { userId: string } }
  /** Unblock somebody */
  'DELETE /api/blocks/{userId}': { path: { userId: string } }
  /** One's rooms */
  'GET /api/rooms': {
    query?: { cursor?: string | undefined; limit?: number | undefined }
    answer: { items: Room[]; next: string | null }
  }
  /** Open a room */
  'POST /api/rooms': {
    body: { type: 'direct' | 'group' | 'trade' } & (
      | { type: 'direct'; userId: string }
      | { type: 'group'; name: string; userIds: string[] }
      | { type: 'trade'; postId: string }
    )
    answer: Room
  }
  /** A room that one is in */
  'GET /api/rooms/{id}': { path: { id: string }; answer: Room }
  /** Mute a room for oneself, or not */
  'PATCH /api/rooms/{id}/me': { path: { id: string }; body: { muted: boolean }; answer: Room }
  /** Add friends to a group */
  'POST /api/rooms/{id}/members': { path: { id: string }; body: { userIds: string[] }; answer: Room }
  /** Leave a group */
  'DELETE /api/rooms/{id}/members/me': { path: { id: string } }
  /** Put something up for sale */
  'POST /api/posts': { body: PostDraft; answer: Post }
  /** Posts, all or those that have some words */
  'GET /api/posts': {
    query?: {
      cursor?: string | undefined
      limit?: number | undefined
      query?: string | undefined
      category?:
        | ''
        | 'foliage'
        | 'flowering'
        | 'succulent'
        | 'herb'
        | 'tree'
        | 'seed'
        | 'supplies'
        | 'other'
        | undefined
      status?: '' | 'open' | 'reserved' | 'sold' | undefined
      sellerId?: string | undefined
      sort?: Sort | undefined
    }
    answer: { items: Post[]; next: string | null }
  }
  /** A post; looking at it counts, once for each viewer and day */
  'GET /api/posts/{id}': { path: { id: string }; answer: Post }
  /** Change one's post */
  'PATCH /api/posts/{id}': {
    path: { id: string }
    body: { title?: string; content?: string; price?: number; category?: Category | null; imageIds?: string[] }
    answer: Post
  }
  /** Delete one's post, or as an admin any */
  'DELETE /api/posts/{id}': { path: { id: string }; answer: Saga }
  /** Reserve, sell or reopen one's post */
  'PUT /api/posts/{id}/status': { path: { id: string }; body: { status: PostStatus; buyerId?: string }; answer: Post }
  /** Wish for a post */
  'PUT /api/posts/{id}/wish': { path: { id: string } }
  /** Wish for it no longer */
  'DELETE /api/posts/{id}/wish': { path: { id: string } }
  /** What one wishes for, the newest wish first */
  'GET /api/me/wishes': {
    query?: { cursor?: string | undefined; limit?: number | undefined }
    answer: { items: Post[]; next: string | null }
  }
  /** Words that one wants to hear of when a new title has them */
  'GET /api/me/keywords': {
    query?: { cursor?: string | undefined; limit?: number | undefined }
    answer: { items: string[]; next: string | null }
  }
  /** Want to hear of a word */
  'PUT /api/me/keywords/{keyword}': { path: { keyword: string } }
  /** Hear of it no longer */
  'DELETE /api/me/keywords/{keyword}': { path: { keyword: string } }
  /** Upload an image */
  'POST /api/images': { bodyType: 'multipart/form-data'; answer: Image }
  /** An image as WebP, no wider than asked for and never enlarged */
  'GET /api/images/{id}': { path: { id: string }; query?: { w?: 320 | 960 | undefined }; answerType: 'image/webp' }
  /** One's notifications, newest first */
  'GET /api/notifications': {
    query?: { cursor?: string | undefined; limit?: number | undefined }
    answer: { items: Notification[]; next: string | null }
  }
  /** How many notifications are unread */
  'GET /api/notifications/summary': { answer: { unread: number; cursor: string } }
  /** Mark a notification as read */
  'PUT /api/notifications/{id}/read': { path: { id: string } }
  /** Mark a notification and all older ones as read */
  'PUT /api/notifications/read': { body: { upTo: string } }
  /** Delete a notification */
  'DELETE /api/notifications/{id}': { path: { id: string } }
  /** Who of these users is online */
  'GET /api/presence': { query: { userIds: string }; answer: { items: Presence[] } }
  /** One's stream, as Server-Sent Events */
  'GET /api/stream': { query?: { lastEventId?: string | undefined }; answerType: 'text/event-stream' }
}
