import { SagaViewSchema, Time } from '@pando/service'
import { Type } from 'typebox'
import type { Account } from './accounts.ts'

// `$` matches nothing but the end in these expressions, and lengths count Unicode code points.
export const USERNAME = '^[a-z0-9._-]{3,30}$'
const Username = Type.String({ pattern: USERNAME })
export const Password = Type.String({ minLength: 10, maxLength: 200 })
export const DisplayName = Type.String({ minLength: 1, maxLength: 40 })
/** One local part, one @, a domain with a dot; whether it exists only a message to it could tell. */
const Email = Type.String({ maxLength: 254, pattern: '^[^\\s@<>()\\[\\]",;:\\\\]+@[^\\s@.]+(\\.[^\\s@.]+)+$' })

export const NewcomerSchema = Type.Object({
  username: Username,
  password: Password,
  displayName: DisplayName,
  email: Email,
})
/** A password that is presented: whatever was accepted once may come. */
export const PresentedPassword = Type.String({ minLength: 1, maxLength: 200 })

export const Locale = Type.Enum(['ko', 'en'], { title: 'Language' })

export const ProfileSchema = Type.Object(
  {
    id: Type.String(),
    username: Type.String(),
    displayName: Type.String(),
    email: Type.String(),
    statusMessage: Type.String(),
    locale: Locale,
    role: Type.Enum(['user', 'admin']),
    createdAt: Time,
  },
  { title: 'Profile' },
)
export const PublicProfileSchema = Type.Pick(ProfileSchema, ['id', 'username', 'displayName', 'statusMessage'], {
  title: 'User',
})

export const SessionSchema = Type.Object(
  { user: ProfileSchema, accessToken: Type.String(), expiresAt: Time },
  { title: 'Session' },
)
export const DeviceSchema = Type.Object(
  {
    id: Type.String(),
    createdAt: Time,
    lastUsedAt: Time,
    userAgent: Type.String(),
    current: Type.Boolean(),
  },
  { title: 'Device' },
)

export const SignedUpSchema = Type.Object(
  { ...SagaViewSchema.properties, userId: Type.String() },
  { title: 'SignedUp' },
)

export const KeysSchema = Type.Object({
  keys: Type.Array(
    Type.Object({
      kty: Type.String(),
      crv: Type.String(),
      x: Type.String(),
      kid: Type.String(),
      alg: Type.String(),
      use: Type.String(),
    }),
  ),
})

/** An account as the profile that answers show: without anything else that the row may hold. */
export const profileOf = ({ createdAt, ...account }: Account) => ({ ...account, createdAt: createdAt.toISOString() })
