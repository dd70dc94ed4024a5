import { marketImageStored } from '@pando/events'
import { append, type Cause, type Queryable, type Tx } from '@pando/saga'
import { type Fault, isUuid, Problem } from '@pando/service'
import { WIDTHS, type Width } from './image-processing.ts'
import { claimBytes } from './image-quota.ts'

/** What a post shows of an image. */
export interface ImageView {
  readonly id: string
  readonly width: number
  readonly height: number
}

/** Where the store has an image. By its end, which is random: its beginning is the time. */
export const keyOf = (id: string, width: Width): string => `${id.slice(-2)}/${id}-${width}.webp`
export const keysOf = (id: string): string[] => WIDTHS.map((width) => keyOf(id, width))

/**
 * Who may see an image: everybody, or this viewer; or perhaps this viewer in a moment, since the chat may have told them of the image, or
 * brought them into its room, before the market has heard of that; or not they.
 */
export type Access = 'public' | 'private' | 'perhaps' | 'none'

/** Images of posts are everybody's, those of a room its members' alone, and the others their owners'. A viewer of null is nobody known. */
export async function accessTo(db: Queryable, id: string, viewerId: string | null): Promise<Access> {
  const [image] = await db.query<{ access: Access }>(
    `select case
       when i.scope = 'post' then 'public'
       when i.scope = 'room' and exists (select from market.room_member m where m.room_id = i.place_id and m.user_id = $2::uuid) then 'private'
       when i.scope is null and i.owner_id = $2 then 'private'
       when $2 is not null and (i.scope = 'room' or i.created_at > now() - interval '1 hour') then 'perhaps'
       else 'none' end as access
     from market.image i where i.id = $1 and i.state = 'stored'`,
    [id, viewerId],
  )
  return image?.access ?? 'none'
}

/** Notes an image whose files are about to be stored. Throws conflict when its owner has too many. */
export async function announceImage(
  tx: Tx,
  { id, ownerId, width, height, bytes }: ImageView & { ownerId: string; bytes: number },
): Promise<void> {
  await claimBytes(tx, ownerId, bytes)
  tx.send('insert into market.image (id, owner_id, width, height, bytes) values ($1, $2, $3, $4, $5)', [
    id,
    ownerId,
    width,
    height,
    bytes,
  ])
}

/** Notes that all files of an image are stored, and tells of it. False when it was given up meanwhile. */
export async function confirmImage(
  tx: Tx,
  { imageId, ownerId }: { imageId: string; ownerId: string },
  cause: Cause,
): Promise<boolean> {
  const confirmed = await tx.query(
    `update market.image set state = 'stored' where id = $1 and state = 'storing' returning id`,
    [imageId],
  )
  if (confirmed.length === 0) return false
  append(tx, marketImageStored({ imageId, ownerId }), cause)
  return true
}

/**
 * Makes these the images of a post, in this order; what it had beside them is given up. Locks rows in the order of their ids. Throws
 * validation_failed naming /imageIds/N for each that is not there, is another's, belongs to another post, or is named twice.
 */
export async function attachImages(
  tx: Tx,
  ownerId: string,
  imageIds: readonly string[],
  postId: string,
): Promise<ImageView[]> {
  const rows = await tx.query<ImageView & { scope: string | null; placeId: string | null }>(
    `select id, width, height, scope, place_id as "placeId" from market.image
     where (id = any($1::uuid[]) and owner_id = $2 or place_id = $3) and state = 'stored' order by id for update`,
    [imageIds.filter(isUuid), ownerId, postId],
  )
  const found = new Map(rows.map((row) => [row.id, row]))
  const errors = imageIds.flatMap((id, i): Fault[] => {
    const image = found.get(id)
    const path = `/imageIds/${i}`
    if (!image) return [{ path, message: 'is no image of yours' }]
    if (image.placeId !== null && image.placeId !== postId)
      return [{ path, message: `belongs to ${image.scope === 'room' ? 'a room' : 'another post'}` }]
    return imageIds.indexOf(id) < i ? [{ path, message: 'is there already' }] : []
  })
  if (errors.length > 0) throw new Problem('validation_failed', { errors })
  tx.send(`${RELEASE} where place_id = $1 and id <> all($2::uuid[])`, [postId, imageIds])
  tx.send(
    `update market.image i set scope = 'post', place_id = $2, position = w.n
     from unnest($1::uuid[]) with ordinality w(id, n) where i.id = w.id`,
    [imageIds, postId],
  )
  return imageIds.map((id) => {
    const { width, height } = found.get(id)!
    return { id, width, height }
  })
}

/** The images of a post, in their order. */
export async function imageIdsOf(db: Queryable, postId: string): Promise<string[]> {
  const rows = await db.query<{ id: string }>('select id from market.image where place_id = $1 order by position', [
    postId,
  ])
  return rows.map(({ id }) => id)
}

/** The column `images` of a query for posts: those of the post whose id is `post`, in their order, as ImageView. */
export const imagesColumn = (post: string): string =>
  `(select coalesce(json_agg(json_build_object('id', i.id, 'width', i.width, 'height', i.height) order by i.position), '[]')
    from market.image i where i.place_id = ${post}) as images`

/** Gives up the images that a condition behind it finds: nobody sees them any more, and the hourly cleaning removes their files. */
export const RELEASE = `update market.image set state = 'released', scope = null, place_id = null, position = null`

/** Gives up the images of posts that are deleted. */
export async function releaseImagesOfPosts(tx: Tx, postIds: readonly string[]): Promise<void> {
  await tx.query(
    `${RELEASE} where id in (select id from market.image where place_id = any($1::uuid[]) order by id for update)`,
    [postIds],
  )
}

/** Gives up all images of users whose accounts are deleted, and forgets what they have uploaded. */
export async function releaseImagesOfUsers(tx: Tx, userIds: readonly string[]): Promise<void> {
  await tx.query(
    `${RELEASE} where id in (select id from market.image where owner_id = any($1::uuid[]) order by id for update)`,
    [userIds],
  )
  tx.send('delete from market.image_upload where owner_id = any($1::uuid[])', [userIds])
}
