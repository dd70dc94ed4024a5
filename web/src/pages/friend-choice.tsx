import type { Person } from '../contract.ts'
import { useSay } from '../language.ts'
import { Avatar } from '../parts/avatar.tsx'

/** Friends to choose from. */
export function FriendChoice({
  friends,
  chosen,
  onChosen,
}: {
  friends: readonly Person[]
  chosen: readonly string[]
  onChosen: (userIds: string[]) => void
}) {
  const say = useSay()
  return (
    <fieldset className="choice">
      <legend>{say('shell.friends')}</legend>
      {friends.map(({ user }) => (
        <label key={user.id} className="person">
          <Avatar user={user} />
          <span>{user.displayName}</span>
          <input
            type="checkbox"
            checked={chosen.includes(user.id)}
            onChange={({ currentTarget }) =>
              onChosen(currentTarget.checked ? [...chosen, user.id] : chosen.filter((id) => id !== user.id))
            }
          />
        </label>
      ))}
    </fieldset>
  )
}
