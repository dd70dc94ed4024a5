import { createBrowserRouter, type RouteObject } from 'react-router'
import { Members } from './shell/members.tsx'
import { RouteProblem } from './shell/route-problem.tsx'
import { Shell } from './shell/shell.tsx'
import { askPost, askPosts } from './state/posts.ts'

/** A page of its own chunk. `ask` begins to fetch what it shows while that chunk is on its way. */
const page = (
  path: string,
  load: () => Promise<{ Page: React.ComponentType }>,
  ask?: (address: URLSearchParams, id: string) => void,
): RouteObject => ({
  path,
  lazy: async () => ({ Component: (await load()).Page }),
  ...(ask && {
    loader({ request, params: { id = '' } }) {
      ask(new URL(request.url).searchParams, id)
      return null
    },
  }),
})

export const router = createBrowserRouter([
  {
    element: <Shell />,
    errorElement: <RouteProblem />,
    hydrateFallbackElement: <></>,
    children: [
      {
        errorElement: <RouteProblem />,
        children: [
          page('/', () => import('./pages/home.tsx'), askPosts),
          page(
            '/posts/:id',
            () => import('./pages/post.tsx'),
            (_, id) => askPost(id),
          ),
          page('/sign-up', () => import('./pages/sign-up.tsx')),
          page('/log-in', () => import('./pages/log-in.tsx')),
          page('/account-deletion', () => import('./pages/account-deletion.tsx')),
          {
            element: <Members />,
            children: [
              page('/posts/new', () => import('./pages/new-post.tsx')),
              page('/posts/:id/edit', () => import('./pages/edit-post.tsx')),
              {
                path: '/rooms',
                lazy: async () => ({ Component: (await import('./pages/rooms.tsx')).Page }),
                children: [page(':id', () => import('./pages/room.tsx'))],
              },
              page('/notifications', () => import('./pages/notifications.tsx')),
              page('/friends', () => import('./pages/friends.tsx')),
              page('/me', () => import('./pages/me.tsx')),
              page('/settings', () => import('./pages/settings.tsx')),
              {
                path: '/admin',
                lazy: async () => ({ Component: (await import('./admin/operations.tsx')).Page }),
                children: [
                  page('sagas', () => import('./admin/sagas.tsx')),
                  page('sagas/:type/:id', () => import('./admin/saga.tsx')),
                  page('parked', () => import('./admin/parked.tsx')),
                  page('lag', () => import('./admin/lag.tsx')),
                ],
              },
            ],
          },
          page('*', () => import('./pages/not-found.tsx')),
        ],
      },
    ],
  },
])
