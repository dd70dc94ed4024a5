import { Refusal } from '../admin-client.ts'
import { type Ask, listAll } from './client.ts'
import { keywordsOf } from './posts.ts'
import { type Character, PEOPLE } from './people.ts'
import type { Progress } from './progress.ts'

/** Of all of them, so that people can log in as anybody. */
export const PASSWORD = 'pando-demo-garden'

/** Somebody who is logged in. */
export interface Member extends Character {
  id: string
  token: string
}

/** Signs them up, or finds them, and logs them in. */
export async function joinAll(ask: Ask, progress: Progress, count: number): Promise<Member[]> {
  const members: Member[] = []
  await progress.each('people', PEOPLE.slice(0, count), async (one) => {
    const isNew = await signUp(ask, one)
    members.push(await logIn(ask, one))
    return isNew ? 'new' : 'there'
  })
  return members
}

async function signUp(ask: Ask, { username, displayName }: Character): Promise<boolean> {
  const { code, text } = await ask('POST', '/api/users', {
    body: { username, displayName, password: PASSWORD, email: `${username}@example.com` },
    allow: ['username_taken'],
    stream: true,
  })
  if (code !== undefined) return false
  const frames = [...text.matchAll(/^data: (.+)$/gm)]
  const last = JSON.parse(frames.at(-1)?.[1] ?? '{}') as { status?: string; reason?: string | null }
  if (last.status !== 'completed')
    throw new Refusal(`POST /api/users: the sign-up of ${username} did not complete: ${last.reason ?? last.status}.`)
  return true
}

async function logIn(ask: Ask, one: Character): Promise<Member> {
  const { username, language: locale, statusMessage } = one
  const { code, body } = await ask<{ accessToken: string; user: { id: string; statusMessage: string } }>(
    'POST',
    '/api/sessions',
    { body: { username, password: PASSWORD }, allow: ['invalid_credentials'] },
  )
  if (code !== undefined)
    throw new Refusal(`POST /api/sessions: there is a ${username} with another password, who is not of the demo.`)
  const { accessToken: token, user } = body
  if (user.statusMessage === '') await ask('PATCH', '/api/me', { token, body: { locale, statusMessage } })
  return { ...one, id: user.id, token }
}

/** Everybody waits for two words. */
export async function addKeywords(ask: Ask, progress: Progress, members: readonly Member[]): Promise<void> {
  const wanted: { token: string; keyword: string; isThere: boolean }[] = []
  for (const { token, username, language } of members) {
    const there = new Set(await listAll<string>(ask, '/api/me/keywords', token))
    for (const keyword of keywordsOf(username, language)) wanted.push({ token, keyword, isThere: there.has(keyword) })
  }
  await progress.each('keywords', wanted, async ({ token, keyword, isThere }) => {
    if (isThere) return 'there'
    await ask('PUT', `/api/me/keywords/${encodeURIComponent(keyword)}`, { token })
    return 'new'
  })
}

/** Who are friends: everybody with the next, the one after and the fifth. */
export function pairsOf(members: readonly Member[]): [Member, Member][] {
  const pairs = new Map<string, [Member, Member]>()
  for (const [i, one] of members.entries())
    for (const step of [1, 2, 5]) {
      const other = members[(i + step) % members.length]!
      if (other !== one) pairs.set([one.id, other.id].toSorted().join(), [one, other])
    }
  return [...pairs.values()]
}

export async function addFriends(ask: Ask, progress: Progress, members: readonly Member[]): Promise<void> {
  const friends = new Map<Member, Set<string>>()
  for (const one of members) {
    const list = await listAll<{ user: { id: string } }>(ask, '/api/friends', one.token)
    friends.set(one, new Set(list.map(({ user }) => user.id)))
  }
  await progress.each('friends', pairsOf(members), async ([one, other]) => {
    if (friends.get(one)!.has(other.id)) return 'there'
    const { code } = await ask('PUT', `/api/friends/${other.id}`, { token: one.token, allow: ['forbidden'] })
    return code === undefined ? 'new' : 'left out'
  })
}
