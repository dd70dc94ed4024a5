import '../styles/notices.css'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { Link, useNavigate } from 'react-router'
import { api } from '../api.ts'
import type { Notification } from '../contract.ts'
import { isSameDay } from '../format.ts'
import { type Key, useSay } from '../language.ts'
import { Avatar } from '../parts/avatar.tsx'
import { Badge } from '../parts/badge.tsx'
import { Empty } from '../parts/empty.tsx'
import { Heading } from '../parts/heading.tsx'
import { Icon, type IconName } from '../parts/icon.tsx'
import { RowSkeletons } from '../parts/late.tsx'
import { More } from '../parts/more.tsx'
import { problemText } from '../parts/problem.tsx'
import { Time } from '../parts/time.tsx'
import { toast } from '../shell/toasts.tsx'
import {
  hideNotification,
  loadOlderNotifications,
  readAllNotifications,
  readNotification,
  useNotifications,
} from '../state/notifications.ts'

const KINDS = ['all', 'trade', 'news'] as const
type Kind = (typeof KINDS)[number]

const DAY_MS = 86_400_000

/** What one may have to act on, apart from what is good to know. */
const TRADE: ReadonlySet<Notification['type']> = new Set(['room_opened', 'post_sold', 'room_deleted'])
const ICONS: Record<Notification['type'], IconName> = {
  room_opened: 'chat',
  keyword_matched: 'tag',
  post_wished: 'heart',
  friend_added: 'users',
  post_sold: 'check',
  room_deleted: 'trash',
}
const isOf = (kind: Kind, { type }: Notification): boolean => kind === 'all' || TRADE.has(type) === (kind === 'trade')

export function Page() {
  const say = useSay()
  const { data } = useNotifications()
  const [kind, setKind] = useState<Kind>('all')
  const more = useMutation({ mutationFn: loadOlderNotifications })
  const all = useMutation({ mutationFn: readAllNotifications, onError: (error) => toast(problemText(error, say)) })
  const shown = data?.items.filter((item) => isOf(kind, item))
  const unreadOf = (one: Kind): number =>
    one === 'all'
      ? (data?.unread ?? 0)
      : (data?.items.filter((item) => isOf(one, item) && item.readAt === null).length ?? 0)
  return (
    <main id="main" className="wrap page notices">
      <div className="head">
        <Heading title={say('shell.notifications')} />
        <button
          type="button"
          className="button quiet tiny"
          aria-disabled={!data?.unread || all.isPending}
          onClick={() => all.mutate()}
        >
          <Icon name="check" small />
          {say('notices.readAll')}
        </button>
      </div>
      <div className="segments" role="group" aria-label={say('notices.kinds')}>
        {KINDS.map((one) => (
          <button key={one} type="button" aria-pressed={one === kind} onClick={() => setKind(one)}>
            {say(`notices.${one}`)} <Badge count={unreadOf(one)} />
          </button>
        ))}
      </div>
      {!shown ? (
        <RowSkeletons label={say('loading')} />
      ) : shown.length === 0 ? (
        <Empty title={say('notices.none')} text={say('notices.noneText')}>
          <Link className="button" to="/me?tab=keywords">
            {say('keyword.change')}
          </Link>
        </Empty>
      ) : (
        <ul aria-label={say('shell.notifications')}>
          {shown.map((item, i) => (
            <li key={item.id}>
              {(i === 0 || !isSameDay(shown[i - 1]!.createdAt, item.createdAt)) && <Day at={item.createdAt} />}
              <Notice notification={item} />
            </li>
          ))}
        </ul>
      )}
      {data?.next && <More busy={more.isPending} onMore={() => more.mutate()} />}
    </main>
  )
}

function Day({ at }: { at: string }) {
  const say = useSay()
  const [now] = useState(Date.now)
  return (
    <h2 className="day-title">
      {isSameDay(at, now) ? (
        say('notices.today')
      ) : isSameDay(at, now - DAY_MS) ? (
        say('notices.yesterday')
      ) : (
        <Time at={at} />
      )}
    </h2>
  )
}

/** What a notification says, in words; of its data only what is known to be there. */
function useText({ type, data }: Notification): { text: string; name: string } {
  const say = useSay()
  const text = (value: unknown): string => (typeof value === 'string' ? value : '')
  const memberOf = (value: unknown, member: string): string =>
    typeof value === 'object' && value !== null ? text((value as Record<string, unknown>)[member]) : ''
  const name = [data.user, data.by, data.buyer].map((one) => memberOf(one, 'displayName')).find(Boolean) ?? ''
  const title = text(data.title) || memberOf(data.post, 'title') || text(data.roomName)
  const key: Key =
    type !== 'room_opened'
      ? `notice.${type}`
      : data.roomType === 'group'
        ? 'notice.room_opened.group'
        : title
          ? 'notice.room_opened'
          : 'notice.room_opened.alone'
  const values = {
    name: name || say('notice.somebody'),
    title: title || say('notice.somePost'),
    keyword: text(data.keyword),
  }
  return { text: say(key, values), name }
}

function Notice({ notification }: { notification: Notification }) {
  const say = useSay()
  const navigate = useNavigate()
  const { id, type, url, createdAt, readAt, data } = notification
  const postId = data.postId ?? (data.post as { id?: unknown } | null | undefined)?.id
  const { text, name } = useText(notification)
  const read = (): void => {
    if (readAt === null) readNotification(id).catch(() => {})
  }
  const remove = (): void => {
    const putBack = hideNotification(id)
    toast(say('notice.removed'), {
      undo: putBack,
      commit: (onLeave) =>
        void api('DELETE /api/notifications/{id}', { path: { id }, keepalive: onLeave }).catch(putBack),
    })
  }
  return (
    <article className={`notice${readAt === null ? ' new' : ''}`}>
      <span className="notice-picture">
        {name ? (
          <Avatar name={name} size="large" />
        ) : (
          <span className="avatar green large">
            <Icon name="leaf" />
          </span>
        )}
        <span className="kind">
          <Icon name={ICONS[type]} small />
        </span>
      </span>
      <div>
        <p>
          <Link to={url} onClick={read}>
            {readAt === null && <span className="hush">{say('notice.new')} </span>}
            {text}
          </Link>
        </p>
        <small>
          <Time at={createdAt} />
        </small>
        {type === 'room_opened' && (
          <div className="actions">
            <button
              type="button"
              className="button tiny"
              onClick={() => {
                read()
                void navigate(url)
              }}
            >
              {say('notice.reply')}
            </button>
            {typeof postId === 'string' && (
              <Link className="button quiet tiny" to={`/posts/${postId}`}>
                {say('notice.post')}
              </Link>
            )}
          </div>
        )}
      </div>
      {readAt === null && <span className="dot" />}
      <button type="button" className="icon-button" aria-label={say('notice.remove')} onClick={remove}>
        <Icon name="close" small />
      </button>
    </article>
  )
}
