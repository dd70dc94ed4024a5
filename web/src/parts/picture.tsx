import type { Image } from '../contract.ts'
import { Icon } from './icon.tsx'

const address = (id: string, width: 320 | 960): string => `/api/images/${id}?w=${width}`

/** A picture in a box of its final size; a leaf where there is none. */
export function Picture({
  image,
  alt = '',
  sizes,
  first = false,
}: {
  image: (Pick<Image, 'id'> & Partial<Image>) | undefined
  alt?: string
  sizes: string
  /** Among the first that are seen. */
  first?: boolean
}) {
  if (!image)
    return (
      <span className="no-picture">
        <Icon name="leaf" />
      </span>
    )
  return (
    <img
      src={address(image.id, 320)}
      srcSet={`${address(image.id, 320)} 320w, ${address(image.id, 960)} 960w`}
      sizes={sizes}
      width={image.width}
      height={image.height}
      alt={alt}
      loading={first ? 'eager' : 'lazy'}
      fetchPriority={first ? 'high' : 'auto'}
      decoding="async"
    />
  )
}
