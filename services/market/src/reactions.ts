import {
  chatImageShared,
  chatImageWithdrawn,
  chatRoomChanged,
  chatRoomDeleted,
  chatRoomOpened,
  marketPostDeletionStarted,
  marketSagaChanged,
  marketSellerRefused,
  marketSellerRestored,
  marketSellerWithdrawn,
  userDeleted,
  userDeletionRefused,
  userDeletionStarted,
  userProfileChanged,
  userSignUpFailed,
  userSignUpStarted,
} from '@pando/events'
import type { Room } from '@pando/events/views'
import { append, on, type Reaction } from '@pando/saga'
import { occurrence, participate } from '@pando/service'
import { releaseImagesOfUsers } from './image.ts'
import { holdings, saveMembers, saveProfiles } from './members.ts'
import { deletePostsOf, type StartDeletions } from './post-deletion.ts'
import { forgetBuyers, saveRooms } from './post-rooms.ts'
import { saveRoomNews } from './room-images.ts'
import { forgetWishes } from './wishes.ts'

/**
 * The market's part in the sagas of users. Names come with the beginning of a sign-up, long before the user can log in, and go with its
 * failure: that is why it needs no step there. Of an account that is being deleted no post is shown, which can be undone; when it is
 * deleted, its posts are, each by a saga of its own.
 */
export const members = (start: StartDeletions): Reaction =>
  on(
    [userSignUpStarted, userSignUpFailed, userDeletionStarted, userDeletionRefused, userDeleted],
    async (events, tx) => {
      const occurrences = events.map(occurrence)
      const before = await holdings.load(tx, occurrences)
      const { decisions, changes } = participate(before, occurrences)
      const newcomers = events.filter((event) => event.type === userSignUpStarted.type)
      saveMembers(tx, changes, new Map(newcomers.map(({ data }) => [data.userId, data])))
      const erased: string[] = []
      for (const [i, event] of events.entries()) {
        const { userId } = event.data
        const decision = decisions[i]
        if (decision === undefined) continue
        if ('refuse' in decision) {
          if (event.type === userDeletionStarted.type)
            append(tx, marketSellerRefused({ userId, reason: decision.refuse }), { causedBy: event })
        } else if (decision.effect === 'hold') append(tx, marketSellerWithdrawn({ userId }), { causedBy: event })
        else if (decision.effect === 'release') append(tx, marketSellerRestored({ userId }), { causedBy: event })
        else if (decision.effect === 'erase') erased.push(userId)
      }
      if (erased.length === 0) return
      await releaseImagesOfUsers(tx, erased)
      await forgetWishes(tx, erased)
      forgetBuyers(tx, erased)
      await deletePostsOf(tx, start, erased)
    },
    {
      emits: [
        marketSellerWithdrawn,
        marketSellerRefused,
        marketSellerRestored,
        marketPostDeletionStarted,
        marketSagaChanged,
      ],
    },
  )

/** Keeps the names beside posts up to date. */
export const profiles: Reaction = on([userProfileChanged], async (events, tx) => {
  // The last of a user's changes is the one that holds.
  saveProfiles(tx, [...new Map(events.map(({ data }) => [data.userId, data])).values()])
})

/** Keeps who has a room for which post: to them it can be sold. And who is in which room, with the room's images. */
export const rooms: Reaction = on(
  [chatRoomOpened, chatRoomChanged, chatRoomDeleted, chatImageShared, chatImageWithdrawn],
  async (events, tx) => {
    const opened = events.filter((event) => event.type === chatRoomOpened.type)
    saveRooms(
      tx,
      opened.flatMap(({ data: { room, by } }) => (room.post ? [{ postId: room.post.id, buyerId: by }] : [])),
    )
    const members = new Map<string, string[]>()
    for (const event of events)
      if (event.type === 'chat.room-opened') members.set(event.key, idsOf(event.data.room))
      else if (event.type === 'chat.room-deleted') members.set(event.key, [])
      // Most changes are of something else.
      else if (event.type === 'chat.room-changed' && event.data.joined.length + event.data.left.length > 0)
        members.set(event.key, idsOf(event.data.room))
    await saveRoomNews(tx, {
      members,
      shared: events.filter((event) => event.type === chatImageShared.type).map(({ data }) => data),
      withdrawn: events.filter((event) => event.type === chatImageWithdrawn.type).map(({ data }) => data),
      deleted: events.filter((event) => event.type === chatRoomDeleted.type).map(({ key }) => key),
    })
  },
)

const idsOf = (room: Room): string[] => room.members.map(({ user }) => user.id)
