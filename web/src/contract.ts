// What the server takes and answers, and the little of it that the OpenAPI document does not say.
import type * as told from './contract.generated.ts'

export type * from './contract.generated.ts'

/** A page of a list. */
export interface Page<Item> {
  items: Item[]
  next: string | null
}

export type PostQuery = NonNullable<told.Endpoints['GET /api/posts']['query']>

/** A message to be sent: a text or an image. */
export type Sending = { clientMessageId: string } & ({ text: string } | { imageId: string })

/** The values of `Told`, which does not compile while one of them is not among `Listed`. */
type All<Listed, Told extends Listed> = Told

export const CATEGORIES = [
  'foliage',
  'flowering',
  'succulent',
  'herb',
  'tree',
  'seed',
  'supplies',
  'other',
] as const satisfies readonly told.Category[]
export type Category = All<(typeof CATEGORIES)[number], told.Category>
export const SORTS = ['latest', 'popular', 'price'] as const satisfies readonly told.Sort[]
export type Sort = All<(typeof SORTS)[number], told.Sort>
