import { defineEvent, type EventType } from '@pando/saga'
import { type Static, type TObject, Type } from 'typebox'
import { Compile } from 'typebox/compile'

/** The user that nearly every event is about; its id is the key, so that everything about a user keeps its order. */
export const User = { userId: Type.String({ format: 'uuid' }) }
export const Refusal = { ...User, reason: Type.String({ minLength: 1, maxLength: 64 }) }

/** Declares version 1 of an event about a user, whose id is the key. */
export function userEvent<const Name extends string, S extends TObject>(
  name: Name,
  schema: S,
): EventType<Name, Static<S> & { userId: string }> {
  return declare<Name, Static<S> & { userId: string }>(name, schema, ({ userId }) => userId)
}

/** Declares version 1 of an event about a room. */
export function roomEvent<const Name extends string, S extends TObject>(
  name: Name,
  schema: S,
  key: (data: Static<S>) => string,
): EventType<Name, Static<S>> {
  return declare<Name, Static<S>>(name, schema, key)
}

/** Declares version 1 of an event about a post, whose id is the key. */
export function postEvent<const Name extends string, S extends TObject>(
  name: Name,
  schema: S,
): EventType<Name, Static<S> & { postId: string }> {
  return declare<Name, Static<S> & { postId: string }>(name, schema, ({ postId }) => postId)
}

/** Declares version 1 of an event about an image, whose id is the key. */
export function imageEvent<const Name extends string, S extends TObject>(
  name: Name,
  schema: S,
): EventType<Name, Static<S> & { imageId: string }> {
  return declare<Name, Static<S> & { imageId: string }>(name, schema, ({ imageId }) => imageId)
}

/**
 * Readers keep the members that the schema names and ignore all others; nothing is converted. The topic is the service's name, the part
 * of the event's name before the dot.
 */
function declare<const Name extends string, Data>(
  name: Name,
  schema: TObject,
  key: (data: Data) => string,
): EventType<Name, Data> {
  const check = Compile(schema)
  const members = Object.keys(schema.properties)
  return defineEvent<Name, Data>({
    name,
    version: 1,
    topic: name.slice(0, name.indexOf('.')),
    key,
    data(value): Data {
      if (!check.Check(value)) {
        const [error] = check.Errors(value)
        throw new Error(error ? `${error.instancePath || '/'} ${error.message}` : 'not valid')
      }
      const source = value as Record<string, unknown>
      return Object.fromEntries(
        members.filter((member) => member in source).map((member) => [member, source[member]]),
      ) as Data
    },
  })
}
