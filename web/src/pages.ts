// Where each page is, and its code: a file of its own, which is fetched when somebody goes there.
import type { ComponentType } from 'react'

export type LoadPage = () => Promise<{ Page: ComponentType }>

/** By address, as in addresses.ts. */
export const PAGES = {
  '/': () => import('./pages/home.tsx'),
  '/sign-up': () => import('./pages/sign-up.tsx'),
  '/log-in': () => import('./pages/log-in.tsx'),
  '/account-deletion': () => import('./pages/account-deletion.tsx'),
  '/posts/new': () => import('./pages/new-post.tsx'),
  '/posts/:id': () => import('./pages/post.tsx'),
  '/posts/:id/edit': () => import('./pages/edit-post.tsx'),
  '/rooms': () => import('./pages/rooms.tsx'),
  '/rooms/:id': () => import('./pages/room.tsx'),
  '/notifications': () => import('./pages/notifications.tsx'),
  '/friends': () => import('./pages/friends.tsx'),
  '/me': () => import('./pages/me.tsx'),
  '/settings': () => import('./pages/settings.tsx'),
  '/admin': () => import('./admin/operations.tsx'),
  '/admin/sagas': () => import('./admin/sagas.tsx'),
  '/admin/sagas/:type/:id': () => import('./admin/saga.tsx'),
  '/admin/parked': () => import('./admin/parked.tsx'),
  '/admin/lag': () => import('./admin/lag.tsx'),
} satisfies Record<string, LoadPage>
export type Address = keyof typeof PAGES
export const loadNotFound: LoadPage = () => import('./pages/not-found.tsx')
