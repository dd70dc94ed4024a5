const PATHS = {
  alert: 'M12 4 2.8 19.5h18.4L12 4ZM12 10v4.5M12 17v.2',
  back: 'M15 5l-7 7 7 7',
  bell: 'M6 16.5V11a6 6 0 1 1 12 0v5.5l1.5 1.5h-15L6 16.5ZM10 20.5h4',
  chat: 'M4 12a8 7.5 0 1 1 4.2 6.6L4 20l1.2-4A7.3 7.3 0 0 1 4 12Z',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  clock: 'M4 12a8 8 0 1 0 16 0a8 8 0 1 0 -16 0M12 7.5V12l3 2',
  down: 'M12 5v14M6 13l6 6 6-6',
  heart: 'M12 20S4 15.4 4 9.5A4.3 4.3 0 0 1 12 7.3 4.3 4.3 0 0 1 20 9.5C20 15.4 12 20 12 20Z',
  home: 'M12 21V10.5M12 15c-5 0-7.5-2.6-7.5-8 5 0 7.5 2.6 7.5 8Zm0-3.5c0-4.6 2.2-7 6.8-7.5.4 5.2-2 7.9-6.8 7.5Z',
  image:
    'M6.5 4.5h11a3 3 0 0 1 3 3v9a3 3 0 0 1 -3 3h-11a3 3 0 0 1 -3 -3v-9a3 3 0 0 1 3 -3ZM7.4 10a1.6 1.6 0 1 0 3.2 0a1.6 1.6 0 1 0 -3.2 0M5 18l5-4.5 3 2.5 3.2-3.2L20 16',
  person: 'M8.3 8.2a3.7 3.7 0 1 0 7.4 0a3.7 3.7 0 1 0 -7.4 0M4.8 20c.7-4 3.4-6 7.2-6s6.5 2 7.2 6',
  more: 'M4.6 12a0.9 0.9 0 1 0 1.8 0a0.9 0.9 0 1 0 -1.8 0M11.1 12a0.9 0.9 0 1 0 1.8 0a0.9 0.9 0 1 0 -1.8 0M17.6 12a0.9 0.9 0 1 0 1.8 0a0.9 0.9 0 1 0 -1.8 0',
  mute: 'M4 10v4h3.5L12 18V6L7.5 10H4ZM16 9.5l5 5M21 9.5l-5 5',
  forward: 'M9 5l7 7-7 7',
  off: 'M3 3l18 18M8.5 16a5 5 0 0 1 6.3-.6M5.3 12.6A10 10 0 0 1 9 10.3M2.5 9A15 15 0 0 1 7 6.2M12 5c3.6 0 7 1.4 9.5 4M14.5 10.4a10 10 0 0 1 4.2 2.2M12 19.5v.1',
  plus: 'M12 5v14M5 12h14',
  retry: 'M19.5 12a7.5 7.5 0 1 1-2.3-5.4M19.5 4v4h-4',
  search: 'M4.5 11a6.5 6.5 0 1 0 13 0a6.5 6.5 0 1 0 -13 0M20 20l-4.2-4.2',
  send: 'M12 20V5M5.5 11.5 12 5l6.5 6.5',
  tag: 'M4 12.5V4.5h8l8 8-8 8-8-8ZM7.3 9a1.2 1.2 0 1 0 2.4 0a1.2 1.2 0 1 0 -2.4 0',
  trash: 'M5 7h14M10 7V5h4v2M7 7l1 12.5h8L17 7',
  undo: 'M8.5 5 4 9.5 8.5 14M4.5 9.5H14a5 5 0 0 1 0 10h-3',
  up: 'M12 19V5M6 11l6-6 6 6',
  users:
    'M5.8 8.5a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0 -6.4 0M3 19c.5-3.4 2.7-5 6-5s5.5 1.6 6 5M15.5 5.6a3.2 3.2 0 0 1 0 5.8M17.5 14.3c2 .6 3.2 2.2 3.5 4.7',
  close: 'M6 6l12 12M18 6 6 18',
  minus: 'M5 12h14',
  leaf: 'M5 19C5 9 11 5 20 5c0 9-4 15-13 14M5 19c3-5 6-7.500 10-9',
} as const
export type IconName = keyof typeof PATHS

/** A drawing without words: what it says stands beside it, or in a label. */
export function Icon({ name, small = false, spins = false }: { name: IconName; small?: boolean; spins?: boolean }) {
  return (
    <svg className={`icon${small ? ' small' : ''}${spins ? ' spins' : ''}`} viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  )
}
