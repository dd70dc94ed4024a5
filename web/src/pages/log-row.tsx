import { memo, useEffect, useId, useState } from 'react'
import type { Message } from '../contract.ts'
import { clockOf, dayOf, fullTimeOf } from '../format.ts'
import { useLanguage, useSay } from '../language.ts'
import { Avatar } from '../parts/avatar.tsx'
import { Icon } from '../parts/icon.tsx'
import { Picture } from '../parts/picture.tsx'
import { problemText } from '../parts/problem.tsx'
import { ApiError } from '../api.ts'
import { useOffline } from '../shell/connection.tsx'
import { type Outgoing, removeOutgoing, sendAgain } from '../state/outbox.ts'
import { DeleteMessage } from './delete-message.tsx'
import type { Row } from './log-rows.ts'
import { systemText } from './system-text.ts'

const SAY_SENDING_AFTER_MS = 300

interface LogRowProps {
  row: Row
  myId: string
  isGroup: boolean
  /** How many others have read it, where that is shown. */
  readers: number
  /** Tab leads to what can be done with it. */
  isTabStop: boolean
}

/** Drawn again only when what it shows has changed: rows are made anew with each message that comes. */
export const LogRow = memo(function LogRow({ row, myId, isGroup, readers, isTabStop }: LogRowProps) {
  const say = useSay()
  const language = useLanguage()
  const seq = 'message' in row ? row.message.seq : undefined
  const isDivider = row.kind === 'day' || row.kind === 'line'
  return (
    <div className="log-row" data-key={row.key} data-seq={seq} data-divider={isDivider || undefined}>
      {row.kind === 'day' ? (
        <p className="day">{dayOf(row.at, language)}</p>
      ) : row.kind === 'line' ? (
        <p className="unread-line">{say('room.unreadLine')}</p>
      ) : row.kind === 'system' ? (
        <p className="system">
          <span>{systemText(row.message, myId, say)}</span>
        </p>
      ) : row.kind === 'message' ? (
        <Bubble {...row} myId={myId} isGroup={isGroup} readers={readers} isTabStop={isTabStop} />
      ) : (
        <OutgoingBubble entry={row.entry} isFirst={row.isFirst} />
      )}
    </div>
  )
}, isSame)

function isSame({ row, ...rest }: LogRowProps, { row: nextRow, ...nextRest }: LogRowProps): boolean {
  return isShallowEqual(row, nextRow) && isShallowEqual(rest, nextRest)
}

function isShallowEqual<T extends object>(a: T, b: T): boolean {
  const keys = Object.keys(a) as (keyof T)[]
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key])
}

function Bubble({
  message,
  isFirst,
  isLast,
  myId,
  isGroup,
  readers,
  isTabStop,
}: Omit<LogRowProps, 'row'> & { message: Message; isFirst: boolean; isLast: boolean }) {
  const say = useSay()
  const language = useLanguage()
  const id = useId()
  const { sender, text, imageId, kind, createdAt, deletedAt } = message
  const isMine = sender?.id === myId
  const name = sender?.displayName ?? say('room.nobody')
  return (
    <div className={`message${isMine ? ' mine' : ''}${isFirst ? ' first' : ''}`}>
      {!isMine && (isFirst ? <Avatar user={sender} size="small" name={name} /> : <span />)}
      <div className="line">
        <div className="said" id={id}>
          {!isMine && isFirst && <span className={isGroup ? 'name' : 'hush'}>{name}</span>}
          {deletedAt !== null ? (
            <div className="bubble gone">{say('room.deleted')}</div>
          ) : kind === 'image' && imageId ? (
            <a className="photo-message" href={`/api/images/${imageId}`} target="_blank" rel="noreferrer">
              <Picture image={{ id: imageId }} alt={say('room.photoOf', { name })} sizes="12rem" />
            </a>
          ) : (
            <div className="bubble">{text}</div>
          )}
        </div>
        {isLast && (
          <span className="when" title={fullTimeOf(createdAt, language)}>
            {readers > 0 && <span>{isGroup ? say('room.readBy', { count: readers }) : say('room.read')}</span>}
            <time dateTime={createdAt}>{clockOf(createdAt, language)}</time>
          </span>
        )}
        {isMine && deletedAt === null && <DeleteMessage message={message} isTabStop={isTabStop} describedBy={id} />}
      </div>
    </div>
  )
}

function OutgoingBubble({ entry, isFirst }: { entry: Outgoing; isFirst: boolean }) {
  const say = useSay()
  const isOffline = useOffline()
  const [isLate, setLate] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), SAY_SENDING_AFTER_MS)
    return () => clearTimeout(timer)
  }, [])
  const { sending, state, code = '' } = entry
  const isRefused = state === 'refused'
  return (
    <>
      <div className={`message mine${isFirst ? ' first' : ''}${isRefused ? ' refused' : ''}`}>
        <div className="line">
          <div className="said">
            {'text' in sending ? (
              <div className="bubble">{sending.text}</div>
            ) : (
              <div className="photo-message">
                <Picture image={{ id: sending.imageId }} alt={say('room.photo')} sizes="12rem" />
              </div>
            )}
          </div>
          {!isRefused && isLate && (
            <span className="when">
              <span>
                <Icon name="clock" small /> {say(isOffline ? 'room.later' : 'room.sending')}
              </span>
            </span>
          )}
        </div>
      </div>
      {isRefused && (
        <div className="refusal" role="alert">
          <span>
            <Icon name="alert" small />
            {say('room.notSent')} {problemText(new ApiError(code, { status: 400 }), say)}
          </span>
          <button type="button" className="button tiny" onClick={() => sendAgain(entry)}>
            {say('room.again')}
          </button>
          <button type="button" className="button quiet tiny" onClick={() => removeOutgoing(entry)}>
            {say('room.remove')}
          </button>
        </div>
      )}
    </>
  )
}
