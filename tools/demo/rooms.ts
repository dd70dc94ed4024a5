import { numberOf, uuidOf } from './chance.ts'
import { type Ask, listAll } from './client.ts'
import type { Offered } from './market.ts'
import { type Member, pairsOf } from './members.ts'
import type { Language } from './people.ts'
import type { Outcome, Progress } from './progress.ts'
import { directTalk, GROUPS, groupTalk, type Line, tradeTalk } from './talks.ts'

/** What is said in a room; the first voice has opened it. */
export interface Talk {
  /** Names it in seeds. */
  seed: string
  roomId: string
  voices: readonly Member[]
  lines: readonly Line[]
}

// What somebody has changed since, by hand, is respected: a block, a sale.
const CHANGED = ['forbidden', 'not_found', 'post_not_open']

const outcomeOf = ({ status, code }: { status: number; code?: string }): Outcome =>
  code !== undefined ? 'left out' : status === 201 ? 'new' : 'there'

const languageOf = (one: Member, other: Member): Language => (one.language === other.language ? one.language : 'en')

/** Direct rooms, of every third pair of friends. */
export async function openDirects(ask: Ask, progress: Progress, members: readonly Member[]): Promise<Talk[]> {
  const talks: Talk[] = []
  const pairs = pairsOf(members).filter((_, i) => i % 3 === 0)
  await progress.each('direct rooms', pairs, async (voices) => {
    const [one, other] = voices
    const answer = await ask<{ id: string }>('POST', '/api/rooms', {
      token: one.token,
      body: { type: 'direct', userId: other.id },
      allow: CHANGED,
    })
    const seed = `direct ${one.username} ${other.username}`
    if (answer.code === undefined)
      talks.push({ seed, roomId: answer.body.id, voices, lines: directTalk(seed, languageOf(one, other)) })
    return outcomeOf(answer)
  })
  return talks
}

/** Groups of somebody and those who stand next to them; a group is known by its name among the rooms of who opened it. */
export async function openGroups(ask: Ask, progress: Progress, members: readonly Member[]): Promise<Talk[]> {
  const talks: Talk[] = []
  await progress.each('groups', GROUPS, async ({ name, language, owner }) => {
    const at = (step: number): Member => members[(owner + step + members.length) % members.length]!
    const voices = [...new Set([0, 1, -1, 2, -2].map(at))]
    const [{ token }, ...others] = voices as [Member, ...Member[]]
    const rooms = await listAll<{ id: string; type: string; name: string | null }>(ask, '/api/rooms', token)
    const there = rooms.find((room) => room.type === 'group' && room.name === name)
    const body = { type: 'group', name, userIds: others.map(({ id }) => id) }
    const answer = there
      ? { status: 200, body: there }
      : await ask<{ id: string }>('POST', '/api/rooms', { token, body, allow: CHANGED })
    if (!('code' in answer))
      talks.push({ seed: `group ${name}`, roomId: answer.body.id, voices, lines: groupTalk(language) })
    return outcomeOf(answer)
  })
  return talks
}

/** Rooms about posts: about all that will be reserved or sold, and some others. Also tells who was first to ask for each. */
export async function openTrades(
  ask: Ask,
  progress: Progress,
  members: readonly Member[],
  posts: readonly Offered[],
): Promise<{ talks: Talk[]; firstOf: Map<Offered, Member> }> {
  const talks: Talk[] = []
  const firstOf = new Map<Offered, Member>()
  const wanted = posts
    .filter(({ number, status }) => status !== 'open' || numberOf(`trade ${number}`, 5) === 0)
    .flatMap((post) => buyersOf(post, members).map((buyer) => ({ post, buyer })))
  await progress.each('trade rooms', wanted, async ({ post, buyer }) => {
    const answer = await ask<{ id: string }>('POST', '/api/rooms', {
      token: buyer.token,
      body: { type: 'trade', postId: post.id },
      allow: CHANGED,
    })
    if (answer.code === undefined) {
      const seed = `trade ${post.number} ${buyer.username}`
      const lines = tradeTalk(seed, languageOf(buyer, post.seller))
      talks.push({ seed, roomId: answer.body.id, voices: [buyer, post.seller], lines })
      if (!firstOf.has(post)) firstOf.set(post, buyer)
    }
    return outcomeOf(answer)
  })
  return { talks, firstOf }
}

/** One, or for every third post two. */
function buyersOf({ number, seller }: Offered, members: readonly Member[]): Member[] {
  const others = members.filter((one) => one !== seller)
  const first = numberOf(`buyer ${number}`, others.length)
  return others.filter((_, i) => i === first || (number % 3 === 0 && i === (first + 1) % others.length))
}

/** Says all that is said, and lets most of those who listen read it. */
export async function talk(ask: Ask, progress: Progress, talks: readonly Talk[]): Promise<void> {
  const said = talks.flatMap((one) => one.lines.map((line, i) => ({ ...one, line, i })))
  await progress.each('messages', said, async ({ seed, roomId, voices, lines, line, i }) => {
    const by = voices[line.by % voices.length]!
    const answer = await ask<{ seq: number }>('POST', `/api/rooms/${roomId}/messages`, {
      token: by.token,
      body: { clientMessageId: uuidOf(`${seed} line ${i}`), text: line.text },
      allow: CHANGED,
    })
    if (i === lines.length - 1 && answer.status === 201)
      for (const one of voices.filter((other) => other !== by && numberOf(`${seed} read ${other.username}`, 3) > 0))
        await ask('PUT', `/api/rooms/${roomId}/read`, { token: one.token, body: { seq: answer.body.seq } })
    return outcomeOf(answer)
  })
}
