import { useEffect, useId, useRef } from 'react'
import { uploadImage } from '../api.ts'
import type { Image } from '../contract.ts'
import { useSay } from '../language.ts'
import { Icon } from '../parts/icon.tsx'
import { Picture } from '../parts/picture.tsx'
import { problemText } from '../parts/problem.tsx'

export interface Photo {
  key: string
  /** What the server has. */
  image?: Image
  /** What it does not have yet. */
  file?: File
  /** From 0 to 1. */
  share?: number
  error?: unknown
}

const AT_MOST = 10

/** Photos are uploaded as they are chosen, each by itself: one that fails can be tried again or left out. */
export function PhotoPicker({
  photos,
  onPhotos,
}: {
  photos: Photo[]
  onPhotos: (change: (before: Photo[]) => Photo[]) => void
}) {
  const say = useSay()
  const id = useId()
  const leaving = useRef(new AbortController())
  useEffect(() => {
    const controller = (leaving.current = new AbortController())
    return () => controller.abort()
  }, [])

  const change = (key: string, changes: Partial<Photo>): void =>
    onPhotos((before) =>
      before.map((photo) => {
        if (photo.key !== key) return photo
        const { error: _, ...rest } = photo
        return { ...rest, ...changes }
      }),
    )
  const upload = async (key: string, file: File): Promise<void> => {
    change(key, { share: 0 })
    try {
      change(key, { image: await uploadImage(file, (share) => change(key, { share }), leaving.current.signal) })
    } catch (error) {
      change(key, { error })
    }
  }
  const add = (files: FileList): void => {
    const added = [...files].slice(0, AT_MOST - photos.length).map((file) => ({ key: crypto.randomUUID(), file }))
    onPhotos((before) => [...before, ...added])
    for (const { key, file } of added) void upload(key, file)
  }
  const move = (from: number, to: number): void =>
    onPhotos((before) => {
      const after = before.toSpliced(from, 1)
      return after.toSpliced(to, 0, before[from]!)
    })

  return (
    <div className="photos">
      <ul>
        {photos.map(({ key, image, file, share = 0, error }, i) => {
          const name = say('post.photo', { number: i + 1 })
          return (
            <li key={key} aria-label={name}>
              <div className="photo">
                {image ? (
                  <Picture image={image} alt={name} sizes="8rem" first />
                ) : error === undefined ? (
                  <progress max={1} value={share} aria-label={say('photo.uploading', { number: i + 1 })} />
                ) : (
                  <p role="alert">{problemText(error, say)}</p>
                )}
              </div>
              <div className="photo-actions">
                {error !== undefined && file && (
                  <button
                    type="button"
                    className="icon-button"
                    aria-label={say('retry')}
                    onClick={() => void upload(key, file)}
                  >
                    <Icon name="retry" small />
                  </button>
                )}
                {i > 0 && (
                  <button
                    type="button"
                    className="icon-button"
                    aria-label={say('photo.earlier', { number: i + 1 })}
                    onClick={() => move(i, i - 1)}
                  >
                    <Icon name="back" small />
                  </button>
                )}
                {i < photos.length - 1 && (
                  <button
                    type="button"
                    className="icon-button"
                    aria-label={say('photo.later', { number: i + 1 })}
                    onClick={() => move(i, i + 1)}
                  >
                    <Icon name="forward" small />
                  </button>
                )}
                <button
                  type="button"
                  className="icon-button"
                  aria-label={say('photo.remove', { number: i + 1 })}
                  onClick={() => onPhotos((before) => before.filter((photo) => photo.key !== key))}
                >
                  <Icon name="close" small />
                </button>
              </div>
            </li>
          )
        })}
        {photos.length < AT_MOST && (
          <li className="add">
            <label htmlFor={id}>
              <Icon name="image" />
              <span>{say('field.photos')}</span>
              <small aria-hidden="true">
                {photos.length} / {AT_MOST}
              </small>
            </label>
            <input
              id={id}
              type="file"
              accept="image/jpeg,image/png,image/webp"
              multiple
              aria-label={say('field.photos')}
              onChange={({ currentTarget }) => {
                if (currentTarget.files) add(currentTarget.files)
                currentTarget.value = ''
              }}
            />
          </li>
        )}
      </ul>
    </div>
  )
}
