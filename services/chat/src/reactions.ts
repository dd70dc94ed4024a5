import {
  chatMemberAdded,
  chatMemberRefused,
  chatMemberRemoved,
  chatMemberRestored,
  chatMemberSuspended,
  userDeleted,
  userDeletionRefused,
  userDeletionStarted,
  userProfileChanged,
  userSignUpFailed,
  userSignUpStarted,
} from '@pando/events'
import { append, type NewEvent, on, type Reaction } from '@pando/saga'
import { type Decision, occurrence, participate } from '@pando/service'
import { loadMembers, saveMembers, saveProfiles } from './members.ts'

/** The chat's part in the sagas of users. */
export const members: Reaction = on(
  [userSignUpStarted, userSignUpFailed, userDeletionStarted, userDeletionRefused, userDeleted],
  async (events, tx) => {
    const occurrences = events.map(occurrence)
    const before = await loadMembers(
      tx,
      occurrences.map(({ userId }) => userId),
      occurrences.map(({ sagaId }) => sagaId),
    )
    const { decisions, changes } = participate(before, occurrences)
    const newcomers = events.filter((event) => event.type === userSignUpStarted.type)
    saveMembers(tx, changes, new Map(newcomers.map(({ data }) => [data.userId, data])))
    events.forEach((event, i) => {
      const answer = answerOf(event.data.userId, decisions[i])
      if (answer) append(tx, answer, { causedBy: event })
    })
  },
  { emits: [chatMemberAdded, chatMemberRefused, chatMemberSuspended, chatMemberRestored, chatMemberRemoved] },
)

/** Keeps the names beside messages up to date. */
export const profiles: Reaction = on([userProfileChanged], async (events, tx) => {
  // The last of a user's changes is the one that holds.
  saveProfiles(tx, [...new Map(events.map(({ data }) => [data.userId, data])).values()])
})

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
    case 'erase':
      return chatMemberRemoved({ userId })
  }
}
