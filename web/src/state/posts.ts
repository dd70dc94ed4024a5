import { infiniteQueryOptions, queryOptions, useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query'
import { api } from '../api.ts'
import { CATEGORIES, type Category, type Page, type Post, type PostQuery, type Sort, SORTS } from '../contract.ts'
import { queries } from './queries.ts'

/** A blank leaves it open. */
interface Asked {
  query: string
  category: Category | ''
  status: 'open' | ''
  sort: Sort
}
type Pages = { pages: Page<Post>[]; pageParams: unknown[] }

const POSTS = ['posts'] as const
/** The market finds words of two characters or more. */
const WORD_AT_LEAST = 2

const itemOf = (id: string) =>
  queryOptions({
    queryKey: ['post', id],
    queryFn: ({ signal }) => api('GET /api/posts/{id}', { path: { id }, signal }),
    staleTime: 30_000,
  })

export const usePost = (id: string) => useQuery(itemOf(id))

/** Begins to fetch a post, unless it is there. */
export const askPost = (id: string): void => void queries.prefetchQuery(itemOf(id))

const listOf = (query: PostQuery) =>
  infiniteQueryOptions({
    queryKey: [...POSTS, query],
    queryFn: ({ pageParam, signal }) =>
      api('GET /api/posts', { query: { ...query, cursor: pageParam, limit: 24 }, signal }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next ?? undefined,
    // Nothing moves under a finger: a list is fetched anew when one asks for it.
    staleTime: Infinity,
  })

/** A list of posts, page by page. */
export const usePosts = (query: PostQuery, enabled = true) => useInfiniteQuery({ ...listOf(query), enabled })

/** Begins to fetch the list of this address, unless it is there. */
export function askPosts(address: URLSearchParams): void {
  const asked = askedIn(address)
  if (!isShort(asked.query)) void queries.prefetchInfiniteQuery(listOf(asked))
}

/** What the address of a list asks for. */
export function askedIn(address: URLSearchParams): Asked {
  return {
    query: address.get('query') ?? '',
    category: CATEGORIES.find((one) => one === address.get('category')) ?? '',
    status: address.get('status') === 'open' ? 'open' : '',
    sort: SORTS.find((one) => one === address.get('sort')) ?? 'latest',
  }
}

/** Whether no word of it is long enough to be found. */
export const isShort = (query: string): boolean =>
  query !== '' && !query.split(/\s+/).some((word) => Array.from(word).length >= WORD_AT_LEAST)

export const useWishedPosts = () =>
  useInfiniteQuery({
    queryKey: ['wishes'],
    queryFn: ({ pageParam, signal }) => api('GET /api/me/wishes', { query: { cursor: pageParam, limit: 24 }, signal }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next ?? undefined,
  })

/** All pages as one list, each post once: what moved between two pages may be on both. */
export function postsOf(data: { pages: Page<Post>[] } | undefined): Post[] {
  const all = data?.pages.flatMap(({ items }) => items) ?? []
  return [...new Map(all.map((post) => [post.id, post])).values()]
}

/** Changes a post wherever it is shown. */
export function changePost(id: string, change: (post: Post) => Post): void {
  const inPages = (data: Pages | undefined) =>
    data && {
      ...data,
      pages: data.pages.map((page) => ({
        ...page,
        items: page.items.map((post) => (post.id === id ? change(post) : post)),
      })),
    }
  queries.setQueryData<Post>(['post', id], (post) => post && change(post))
  queries.setQueriesData<Pages>({ queryKey: POSTS }, inPages)
  queries.setQueriesData<Pages>({ queryKey: ['wishes'] }, inPages)
}

/** The lists are out of date: there is a new post, or one less. */
export function forgetPosts(): void {
  queries.removeQueries({ queryKey: POSTS })
}

/** Wishes for the post, or not any more; shown at once, and taken back when it fails. */
export const useWish = ({ id }: Post) =>
  useMutation({
    mutationKey: ['wish', id],
    scope: { id: `wish ${id}` },
    mutationFn: (wish: boolean) =>
      api(wish ? 'PUT /api/posts/{id}/wish' : 'DELETE /api/posts/{id}/wish', { path: { id } }),
    onMutate: (wish) => show(id, wish),
    onError: (_error, wish) => show(id, !wish),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ['wishes'], refetchType: 'none' }),
  })

function show(id: string, wish: boolean): void {
  changePost(id, (post) =>
    post.wished === wish ? post : { ...post, wished: wish, wishes: Math.max(0, post.wishes + (wish ? 1 : -1)) },
  )
}
