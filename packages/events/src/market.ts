import { Type } from 'typebox'
import type { SagaView } from '@pando/saga'
import { imageEvent, postEvent, Refusal, User, userEvent } from './event.ts'

const Id = Type.String({ format: 'uuid' })
const Status = Type.Enum(['open', 'reserved', 'sold'])

/** What others may keep of a post; the category is null for none. */
const Post = {
  postId: Id,
  sellerId: Id,
  title: Type.String(),
  price: Type.Integer({ minimum: 0 }),
  category: Type.Unsafe<string | null>({ type: ['string', 'null'] }),
  status: Status,
}

/** Something is offered. */
export const marketPostCreated = postEvent('market.post-created', Type.Object(Post))
/** The seller has changed what the post says. */
export const marketPostChanged = postEvent('market.post-changed', Type.Object(Post))
/** The post is open again, reserved or sold; `buyerId`: to whom, when the seller tells. */
export const marketPostStatusChanged = postEvent(
  'market.post-status-changed',
  Type.Object({ postId: Id, sellerId: Id, title: Type.String(), status: Status, buyerId: Type.Optional(Id) }),
)
const Deletion = { postId: Id, sellerId: Id }
/** The post is gone for everybody: whoever keeps something of it removes that for good. Starts the saga `post-deletion`. */
export const marketPostDeletionStarted = postEvent('market.post-deletion-started', Type.Object(Deletion))
/** Nothing is left of the post anywhere. */
export const marketPostDeleted = postEvent('market.post-deleted', Type.Object(Deletion))
/** Somebody else than the seller wishes for the post, and did not before. The name is that of `userId`, if it is known. */
export const marketPostWished = postEvent(
  'market.post-wished',
  Type.Object({
    postId: Id,
    sellerId: Id,
    title: Type.String(),
    userId: Id,
    displayName: Type.Optional(Type.String()),
  }),
)
/** The title of a new post has a keyword of this user's: the longest of them. */
export const marketKeywordMatched = userEvent(
  'market.keyword-matched',
  Type.Object({ userId: Id, keyword: Type.String(), postId: Id, title: Type.String(), sellerId: Id }),
)
/** An image is stored, and nobody's but its owner's until a post or a message shows it. */
export const marketImageStored = imageEvent('market.image-stored', Type.Object({ imageId: Id, ownerId: Id }))
/** Nobody sees this user's posts any more; nothing is removed. */
export const marketSellerWithdrawn = userEvent('market.seller-withdrawn', Type.Object(User))
/** The market cannot withdraw this user's posts. */
export const marketSellerRefused = userEvent('market.seller-refused', Type.Object(Refusal))
/** This user's posts are as before. */
export const marketSellerRestored = userEvent('market.seller-restored', Type.Object(User))
/** The deletion of a post of this user's has a new version, which is shown to them. */
export const marketSagaChanged = userEvent(
  'market.saga-changed',
  Type.Object({
    ...User,
    saga: Type.Unsafe<SagaView>({ type: 'object', required: ['id', 'type', 'status', 'version', 'steps'] }),
  }),
)
