import { useState } from 'react'
import type { Post } from '../contract.ts'
import { useSay } from '../language.ts'
import { Picture } from '../parts/picture.tsx'

/** The photos of a post: one large, the others to choose from; ← and → go through them. */
export function Gallery({ post: { images, title } }: { post: Post }) {
  const say = useSay()
  const [chosen, setChosen] = useState(0)
  const at = Math.min(chosen, Math.max(0, images.length - 1))
  const image = images[at]
  const labelOf = (i: number): string => say('post.photo', { number: i + 1 })
  return (
    <section
      className="gallery"
      aria-label={say('field.photos')}
      onKeyDown={({ key }) => {
        const step = key === 'ArrowRight' ? 1 : key === 'ArrowLeft' ? -1 : 0
        if (step !== 0 && images.length > 1) setChosen((at + step + images.length) % images.length)
      }}
    >
      <div className="photo">
        <Picture image={image} alt={`${title}, ${labelOf(at)}`} sizes="(min-width: 56rem) 36rem, 100vw" first />
        {images.length > 1 && (
          <span className="place">
            {at + 1} / {images.length}
          </span>
        )}
      </div>
      {images.length > 1 && (
        <div className="thumbs">
          {images.map((one, i) => (
            <button
              key={one.id}
              type="button"
              aria-label={labelOf(i)}
              aria-current={i === at ? 'true' : undefined}
              onClick={() => setChosen(i)}
            >
              <Picture image={one} sizes="4.5rem" />
            </button>
          ))}
        </div>
      )}
    </section>
  )
}
