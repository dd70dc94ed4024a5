import '../styles/post-form.css'
import { useMutation } from '@tanstack/react-query'
import { useEffect, useId, useState } from 'react'
import { CATEGORIES, type Category, type Image, type PostDraft } from '../contract.ts'
import { type Key, useSay } from '../language.ts'
import { problemText } from '../parts/problem.tsx'
import { TextField } from '../parts/text-field.tsx'
import { type Photo, PhotoPicker } from './photo-picker.tsx'

/** A post as it is written. */
export interface PostContent {
  title: string
  content: string
  price: string
  category: Category | ''
  images: Image[]
}

export const EMPTY_POST: PostContent = { title: '', content: '', price: '', category: '', images: [] }
const DEAREST = 100_000_000

type Fault = Partial<Record<'title' | 'content' | 'price', Key>>

function faultsOf({ title, content, price }: PostContent): Fault {
  const length = (text: string): number => Array.from(text.trim()).length
  const won = Number(price)
  return {
    ...((length(title) < 1 || length(title) > 100) && { title: 'bad.title' as const }),
    ...((!/^\d+$/.test(price) || won > DEAREST) && { price: 'bad.price' as const }),
    ...((length(content) < 1 || length(content) > 5000) && { content: 'bad.content' as const }),
  }
}

export function PostForm({
  first,
  button,
  onChange,
  onSubmit,
}: {
  first: PostContent
  button: string
  onChange?: (content: PostContent) => void
  onSubmit: (body: PostDraft) => Promise<void>
}) {
  const say = useSay()
  const [content, setContent] = useState(first)
  const [photos, setPhotos] = useState<Photo[]>(() => first.images.map((image) => ({ key: image.id, image })))
  const [hasTried, setTried] = useState(false)
  const [isWaiting, setWaiting] = useState(false)
  const ids = { text: useId(), category: useId() }
  const saving = useMutation({ mutationFn: onSubmit })
  const faults = faultsOf(content)
  const isUploading = photos.some(({ image, error }) => !image && error === undefined)
  const isFailed = photos.some(({ error }) => error !== undefined)
  const images = photos.flatMap(({ image }) => (image ? [image] : []))
  const set = (change: Partial<PostContent>): void => setContent((before) => ({ ...before, ...change }))

  const kept = JSON.stringify({ ...content, images })
  useEffect(() => {
    if (onChange && kept !== JSON.stringify(first)) onChange(JSON.parse(kept) as PostContent)
    // oxlint-disable-next-line react/exhaustive-deps -- what it does is the same, however often it is made
  }, [kept])
  const submit = (): void => {
    setTried(true)
    if (Object.keys(faults).length > 0 || isFailed || saving.isPending) return
    if (isUploading) return setWaiting(true)
    setWaiting(false)
    saving.mutate({
      title: content.title.trim(),
      content: content.content.trim(),
      price: Number(content.price),
      category: content.category || null,
      imageIds: images.map(({ id }) => id),
    })
  }
  useEffect(() => {
    if (isWaiting && !isUploading) submit()
    // oxlint-disable-next-line react/exhaustive-deps -- once, when the last photo is there
  }, [isWaiting, isUploading])

  const errorOf = (field: keyof Fault): string | undefined => {
    const key = hasTried ? faults[field] : undefined
    return key && say(key)
  }
  const contentError = errorOf('content')
  return (
    <form
      noValidate
      className="post-form"
      onSubmit={(event) => {
        event.preventDefault()
        submit()
      }}
    >
      <PhotoPicker photos={photos} onPhotos={setPhotos} />
      <TextField
        label={say('field.title')}
        value={content.title}
        onText={(title) => set({ title })}
        error={errorOf('title')}
      />
      <TextField
        label={say('field.price')}
        inputMode="numeric"
        value={content.price}
        onText={(price) => set({ price: price.replaceAll(/[\s,]/g, '') })}
        hint={say('hint.price')}
        error={errorOf('price')}
      />
      <div className="field">
        <label htmlFor={ids.category}>{say('field.category')}</label>
        <select
          id={ids.category}
          value={content.category}
          onChange={({ currentTarget }) => set({ category: currentTarget.value as Category | '' })}
        >
          <option value="">{say('category.none')}</option>
          {CATEGORIES.map((one) => (
            <option key={one} value={one}>
              {say(`category.${one}`)}
            </option>
          ))}
        </select>
      </div>
      <div className={`field${contentError ? ' wrong' : ''}`}>
        <label htmlFor={ids.text}>{say('field.content')}</label>
        <textarea
          id={ids.text}
          value={content.content}
          aria-invalid={contentError !== undefined}
          aria-describedby={contentError && `${ids.text}-hint`}
          onChange={({ currentTarget }) => set({ content: currentTarget.value })}
        />
        {contentError && (
          <p className="bad" id={`${ids.text}-hint`} role="alert">
            {contentError}
          </p>
        )}
      </div>
      {(saving.error ?? (hasTried && isFailed)) && (
        <p className="wrong-form" role="alert">
          {saving.error ? problemText(saving.error, say) : say('photo.someFailed')}
        </p>
      )}
      <button className="button wide" aria-disabled={saving.isPending || isWaiting}>
        {isWaiting ? say('photo.waiting') : button}
      </button>
    </form>
  )
}
