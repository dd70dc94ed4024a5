import { createBrowserRouter, type RouteObject } from 'react-router'
import { type Address, type LoadPage, loadNotFound, PAGES } from './pages.ts'
import { Members } from './shell/members.tsx'
import { RouteProblem } from './shell/route-problem.tsx'
import { Shell } from './shell/shell.tsx'
import { askPost, askPosts } from './state/posts.ts'

const shown = (load: LoadPage) => async () => ({ Component: (await load()).Page })

/** `ask` begins to fetch what the page shows while its code is on its way. */
const page = (path: Address, ask?: (address: URLSearchParams, id: string) => void): RouteObject => ({
  path,
  lazy: shown(PAGES[path]),
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
          page('/', askPosts),
          page('/posts/:id', (_, id) => askPost(id)),
          page('/sign-up'),
          page('/log-in'),
          page('/account-deletion'),
          {
            element: <Members />,
            children: [
              page('/posts/new'),
              page('/posts/:id/edit'),
              { path: '/rooms', lazy: shown(PAGES['/rooms']), children: [page('/rooms/:id')] },
              page('/notifications'),
              page('/friends'),
              page('/me'),
              page('/settings'),
              {
                path: '/admin',
                lazy: shown(PAGES['/admin']),
                children: [
                  page('/admin/sagas'),
                  page('/admin/sagas/:type/:id'),
                  page('/admin/parked'),
                  page('/admin/lag'),
                ],
              },
            ],
          },
          { path: '*', lazy: shown(loadNotFound) },
        ],
      },
    ],
  },
])
