import type { Presence, User } from '../contract.ts'

const TINTS = ['green', 'sand', 'lilac', 'sky', 'rose']

/** The first letter of the name on a leaf. The name itself stands beside it. */
export function Avatar({
  user,
  name = user?.displayName ?? '',
  id = user?.id ?? name,
  presence,
  size,
}: {
  user?: Pick<User, 'id' | 'displayName'> | null
  name?: string
  id?: string
  presence?: Presence | undefined
  size?: 'small' | 'large'
}) {
  const sum = Array.from(id).reduce((total, letter) => total + letter.codePointAt(0)!, 0)
  return (
    <span className={`avatar ${TINTS[sum % TINTS.length]}${size ? ` ${size}` : ''}`} aria-hidden="true">
      {Array.from(name)[0]?.toUpperCase() ?? '·'}
      {presence?.online && <span className="online" />}
    </span>
  )
}
