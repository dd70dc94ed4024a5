import { useRef, useState } from 'react'
import { api, uploadImage } from '../api.ts'
import type { Profile, Room } from '../contract.ts'
import { useSay } from '../language.ts'
import { Icon } from '../parts/icon.tsx'
import { problemText } from '../parts/problem.tsx'
import { toast } from '../shell/toasts.tsx'
import { keepDraft, useDraft } from '../state/drafts.ts'
import { send } from '../state/outbox.ts'

const LONGEST = 4_000
const TYPING_EVERY_MS = 3_000
/** Where Enter on the keyboard is the only way to break a line. */
const isTouch = (): boolean => matchMedia('(pointer: coarse)').matches

export function Composer({ room: { id }, me }: { room: Room; me: Profile }) {
  const say = useSay()
  const [text, setText] = useDraft(me.id, `room/${id}`)
  const [share, setShare] = useState<number>()
  const area = useRef<HTMLTextAreaElement>(null)
  const file = useRef<HTMLInputElement>(null)
  const toldTypingAt = useRef(0)
  const length = Array.from(text.trim()).length

  const submit = (): void => {
    if (length === 0 || length > LONGEST) return
    // In the outbox it is kept like the draft was, until the server has it.
    send(id, { text: text.trim() })
    keepDraft(me.id, `room/${id}`, '')
    setText('')
    toldTypingAt.current = 0
    area.current?.focus()
  }
  const attach = async (image: File): Promise<void> => {
    setShare(0)
    try {
      const { id: imageId } = await uploadImage(image, setShare, new AbortController().signal)
      send(id, { imageId })
    } catch (error) {
      toast(problemText(error, say))
    }
    setShare(undefined)
  }
  const tellTyping = (): void => {
    if (Date.now() - toldTypingAt.current < TYPING_EVERY_MS) return
    toldTypingAt.current = Date.now()
    // Nothing depends on it.
    api('POST /api/rooms/{id}/typing', { path: { id } }).catch(() => {})
  }
  return (
    <>
      <form
        className="composer"
        onSubmit={(event) => {
          event.preventDefault()
          submit()
        }}
      >
        <input
          ref={file}
          type="file"
          accept="image/jpeg,image/png,image/webp"
          hidden
          onChange={({ currentTarget }) => {
            const [image] = currentTarget.files ?? []
            if (image) void attach(image)
            currentTarget.value = ''
          }}
        />
        <button
          type="button"
          className="icon-button"
          aria-label={say('room.attach')}
          aria-disabled={share !== undefined}
          onClick={() => file.current?.click()}
        >
          <Icon name="image" />
        </button>
        <div className="box">
          <textarea
            ref={area}
            rows={1}
            aria-label={say('field.message')}
            placeholder={say('field.message')}
            value={text}
            enterKeyHint={isTouch() ? 'enter' : 'send'}
            onChange={({ currentTarget }) => {
              setText(currentTarget.value)
              if (currentTarget.value.trim() !== '') tellTyping()
            }}
            onKeyDown={(event) => {
              // 229: the key belongs to an input method, which may still be writing the last syllable.
              if (event.nativeEvent.isComposing || event.keyCode === 229) return
              if (event.key !== 'Enter' || event.shiftKey || isTouch()) return
              event.preventDefault()
              submit()
            }}
          />
          <button
            className="go"
            aria-label={say('room.send')}
            aria-disabled={length === 0 || length > LONGEST}
            onPointerDown={(event) => event.preventDefault()}
          >
            <Icon name="send" />
          </button>
        </div>
      </form>
      <p className="keys">
        {share !== undefined ? (
          <progress max={1} value={share} aria-label={say('room.uploading')} />
        ) : length > LONGEST ? (
          <span className="bad" role="alert">
            {say('room.tooLong', { count: length - LONGEST })}
          </span>
        ) : (
          <span className="only-wide">{say('room.keys')}</span>
        )}
      </p>
    </>
  )
}
