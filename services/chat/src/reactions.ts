import {
  chatMemberAdded,
  chatMemberRefused,
  chatMemberRemoved,
  chatMemberRestored,
  chatMemberSuspended,
  chatMessageCreated,
  chatPostRoomsDeleted,
  chatRoomChanged,
  chatRoomDeleted,
  marketImageStored,
  marketPostChanged,
  marketPostCreated,
  marketPostDeletionStarted,
  marketPostStatusChanged,
  userDeleted,
  userDeletionRefused,
  userDeletionStarted,
  userProfileChanged,
  userSignUpFailed,
  userSignUpStarted,
} from '@pando/events'
import { append, type NewEvent, on, type Reaction } from '@pando/saga'
import { type Decision, occurrence, participate } from '@pando/service'
import { addChores, type ChoreBell } from './chore.ts'
import { saveImages } from './images.ts'
import { holdings, saveMembers, saveProfiles } from './members.ts'
import { lockPosts, type Post, savePosts } from './posts.ts'
import { type PostNews, tellRooms } from './trade.ts'

/** The chat's part in the sagas of users. Whoever is deleted is no member from here on; the rest of them is left to a chore. */
export const members = (chores: ChoreBell): Reaction =>
  on(
    [userSignUpStarted, userSignUpFailed, userDeletionStarted, userDeletionRefused, userDeleted],
    async (events, tx) => {
      const occurrences = events.map(occurrence)
      const before = await holdings.load(tx, occurrences)
      const { decisions, changes } = participate(before, occurrences)
      const newcomers = events.filter((event) => event.type === userSignUpStarted.type)
      saveMembers(tx, changes, new Map(newcomers.map(({ data }) => [data.userId, data])))
      const gone = events.filter((_, i) => isErasing(decisions[i]))
      addChores(
        tx,
        chores,
        'erase',
        gone.map((event) => ({ about: event.data.userId, cause: event })),
      )
      events.forEach((event, i) => {
        const answer = answerOf(event.data.userId, decisions[i])
        if (answer) append(tx, answer, { causedBy: event })
      })
    },
    { emits: [chatMemberAdded, chatMemberRefused, chatMemberSuspended, chatMemberRestored, chatMemberRemoved] },
  )

/** Keeps the names of members up to date; their rooms are shown anew by a chore. */
export const profiles = (chores: ChoreBell): Reaction =>
  on([userProfileChanged], async (events, tx) => {
    // The last of a user's changes is the one that holds.
    const last = new Map(events.map((event) => [event.data.userId, event]))
    const known = await saveProfiles(
      tx,
      [...last.values()].map(({ data }) => data),
    )
    addChores(
      tx,
      chores,
      'show',
      known.map((userId) => ({ about: userId, cause: last.get(userId)! })),
    )
  })

/**
 * Keeps what rooms show of posts up to date, and says in them what has become of the post. One that is deleted takes its rooms with it:
 * from here on nobody opens one or writes in one; the deletion itself, and the answer, are left to a chore.
 */
export const posts = (chores: ChoreBell): Reaction =>
  on(
    [marketPostCreated, marketPostChanged, marketPostStatusChanged, marketPostDeletionStarted],
    async (events, tx) => {
      const known = await lockPosts(
        tx,
        events.map(({ data }) => data.postId),
      )
      const news: PostNews[] = []
      for (const event of events) {
        const { postId: id, sellerId } = event.data
        const before = known.get(id)
        // What comes after the deletion does nothing; and that leaves its mark even if it is the first that is heard of the post.
        if (before?.deleted) continue
        const now: Partial<Post> =
          event.type === 'market.post-deletion-started'
            ? { deleted: true }
            : { title: event.data.title, status: event.data.status }
        const post: Post = { title: '', status: 'open', deleted: false, ...before, ...now, id, sellerId }
        known.set(id, post)
        const isStatus = post.status !== before?.status
        if (before && (isStatus || post.title !== before.title)) news.push({ post, isStatus, event })
      }
      savePosts(tx, [...known.values()])
      const deleted = events.filter(({ type }) => type === marketPostDeletionStarted.type)
      addChores(
        tx,
        chores,
        'cascade',
        deleted.map((event) => ({ about: event.data.postId, cause: event })),
      )
      const told = news.filter(({ post }) => !known.get(post.id)!.deleted)
      if (told.length > 0) await tellRooms(tx, told)
    },
    { emits: [chatMessageCreated, chatRoomChanged, chatRoomDeleted, chatPostRoomsDeleted] },
  )

/** Keeps the images that may be sent. */
export const images: Reaction = on([marketImageStored], async (events, tx) => {
  await saveImages(
    tx,
    events.map(({ data: { imageId: id, ownerId }, time }) => ({ id, ownerId, storedAt: time })),
  )
})

const isErasing = (decision: Decision): boolean =>
  decision !== undefined && 'effect' in decision && decision.effect === 'erase'

function answerOf(userId: string, decision: Decision): NewEvent | undefined {
  if (!decision) return undefined
  if ('refuse' in decision) return chatMemberRefused({ userId, reason: decision.refuse })
  switch (decision.effect) {
    case 'create':
      return chatMemberAdded({ userId })
    case 'hold':
      return chatMemberSuspended({ userId })
    case 'release':
      return chatMemberRestored({ userId })
    case 'undo':
      return chatMemberRemoved({ userId })
    case 'erase':
      return undefined
  }
}
