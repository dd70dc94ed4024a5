// The drawing beside the page: a wood in autumn, and the grove whose trunks are the steps of what is going on.
// Drawn from numbers on a seed, so that it is the same at every visit and costs a few hundred bytes instead of sixty thousand.
import { createElement } from 'react'

const LEAVES = ['#f4cf3a', '#ecb92c', '#f8df6a', '#d99f25', '#c9c24a']
const FAR_LEAVES = ['#b9962b', '#a8882a', '#c9a738', '#8f7a2a', '#7d8440']
const GROUND = 588
const AT = [118, 300, 482]

type Drawn = React.ReactElement
type Next = () => number
type Place = () => [x: number, y: number]
const draw = (name: string, attributes: Record<string, string | number> = {}, ...children: Drawn[]): Drawn =>
  createElement(name, attributes, ...children)

/** Numbers from 0 to 1, the same ones for the same seed (mulberry32). */
function numbers(seed: number): Next {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const round = (number: number): number => Math.round(number * 10) / 10

function leaf(x: number, y: number, size: number, angle: number): string {
  const at = (along: number, across: number): string =>
    `${round(x + size * (along * Math.cos(angle) - across * Math.sin(angle)))},${round(y + size * (along * Math.sin(angle) + across * Math.cos(angle)))}`
  return `M${at(0, 0)}C${at(0.15, 0.5)} ${at(0.72, 0.44)} ${at(1, 0)}C${at(0.68, -0.5)} ${at(0.12, -0.52)} ${at(0, 0)}Z`
}

/** One path per colour: hundreds of leaves are a handful of elements. */
function leaves(next: Next, count: number, place: Place, colours = LEAVES, size = 11): Drawn[] {
  const paths = colours.map(() => '')
  for (let i = 0; i < count; i++) {
    const [x, y] = place()
    paths[Math.floor(next() ** 1.4 * colours.length)]! += leaf(x, y, size + next() * size * 0.8, next() * 2 * Math.PI)
  }
  return paths.map((d, i) => draw('path', { d, fill: colours[i]! }))
}

const within =
  (next: Next, x: number, y: number, rx: number, ry: number): Place =>
  () => {
    const angle = next() * 2 * Math.PI
    const far = Math.sqrt(next())
    return [x + rx * far * Math.cos(angle), y + ry * far * Math.sin(angle)]
  }

function trunk(next: Next, x: number, ground: number, height: number, width: number): Drawn {
  const lean = next() - 0.5
  const half = (up: number): number => width * (0.28 + 0.34 * (1 - up) + 0.38 * Math.exp(-up * 14))
  const middle = (up: number): number => x + width * 0.35 * lean * up * up
  const heights = Array.from({ length: 15 }, (_, i) => i / 14)
  const edge = (side: number): string[] =>
    heights.map((up) => `${round(middle(up) + side * half(up))},${round(ground - up * height)}`)
  let marks = ''
  for (let i = 0; i < height / 20; i++) {
    const up = 0.06 + next() * 0.9
    const side = next() < 0.5 ? -1 : 1
    const long = half(up) * (0.35 + next() * 0.5)
    marks += `M${round(middle(up) + side * half(up))},${round(ground - up * height)}q${round((-side * long) / 2)},${round(next() * 4 - 2)} ${round(-side * long)},0q${round((side * long) / 2)},3 ${round(side * long)},3z`
  }
  const eyes = [0.3, 0.58].map((up) =>
    draw('ellipse', {
      cx: round(middle(up)),
      cy: round(ground - up * height),
      rx: width / 4.4,
      ry: width / 8,
      fill: '#2c3330',
      opacity: 0.8,
    }),
  )
  return draw(
    'g',
    {},
    draw('polygon', { points: [...edge(-1), ...edge(1).reverse()].join(' '), fill: 'url(#bark)' }),
    draw('path', { d: marks, fill: '#3c4440', opacity: 0.72 }),
    ...eyes,
  )
}

function roots(x: number, ground: number, width: number): Drawn {
  const w = width * 0.62
  const left = `M${x - w},${ground}c0,${width * 1.7} -22,86 -54,94c34,-1 ${54 + w},-20 ${54 + w},-94z`
  const right = `M${x},${ground}c0,74 45,98 80,94c-38,-3 ${w - 80},-42 ${w - 80},-94z`
  return draw('path', { d: left + right, fill: '#e9eee2' })
}

// Wider than the picture, so that it fills a panel of any shape.
function backdrop(next: Next, ground: number, light: number): Drawn[] {
  const gradient = (id: string, box: Record<string, number>, ...stops: [number, string][]): Drawn =>
    draw(
      'linearGradient',
      { id, ...box },
      ...stops.map(([offset, colour]) => draw('stop', { offset, stopColor: colour })),
    )
  const wave = `M-910,${ground + 92}q90,-30 180,0${'t180,0'.repeat(13)}`
  return [
    draw(
      'defs',
      {},
      gradient('bark', { x1: 0, x2: 1 }, [0, '#f7f6ef'], [0.45, '#fdfdf9'], [1, '#bfc3b8']),
      gradient('sky', { x1: 0, y1: 0, x2: 0, y2: 1 }, [0, '#164a38'], [1, '#0f362b']),
    ),
    draw('rect', { x: -900, y: -400, width: 2400, height: 1600, fill: 'url(#sky)' }),
    ...Array.from({ length: 38 }, () =>
      draw('rect', {
        x: round(next() * 2000 - 700),
        y: -400,
        width: round(7 + next() * 6),
        height: ground + 400,
        fill: '#dfe6d8',
        opacity: round(light * (0.5 + next()) * 100) / 100,
      }),
    ),
    draw('rect', { x: -900, y: ground, width: 2400, height: 900, fill: '#0a2720' }),
    ...[
      { stroke: '#e9eee2', strokeWidth: 10 },
      { stroke: '#f4cf3a', strokeWidth: 2.5, strokeDasharray: '1 17', strokeLinecap: 'round' },
    ].map((line) => draw('path', { d: wave, fill: 'none', ...line })),
  ]
}

const TRUNKS = [
  [92, 25],
  [226, 32],
  [352, 23],
  [486, 34],
] as const

const wood = (() => {
  const next = numbers(7)
  const canopy = (count: number, low: number, colours?: string[]): Drawn[] =>
    leaves(next, count, () => [next() * 720 - 60, next() ** 1.6 * low - 30], colours)
  return [
    ...backdrop(next, 640, 0.16),
    draw('g', { opacity: 0.55 }, ...canopy(210, 180, FAR_LEAVES)),
    ...TRUNKS.map(([x, width], i) => trunk(numbers(i + 1), x, 640, 740, width)),
    ...canopy(270, 190),
    ...leaves(next, 90, within(next, 100, 140, 110, 45)),
    ...leaves(next, 110, within(next, 500, 165, 120, 60)),
    ...TRUNKS.map(([x, width]) => roots(x, 639, width)),
    ...leaves(next, 42, () => [next() * 600, 575 + next() * 55]),
  ]
})()

/** Four old trees under a roof of leaves: for the forms. */
export function Wood() {
  return (
    <svg className="wood" viewBox="0 0 600 800" preserveAspectRatio="xMidYMin slice" aria-hidden="true">
      {createElement('g', {}, ...wood)}
    </svg>
  )
}

const trees = (() => {
  const next = numbers(23)
  return AT.map((x, i) => {
    const height = [326, 318, 304][i]!
    const top = GROUND - height
    return [
      draw('path', { className: 'outline', d: `M${x - 16},${GROUND}c4,-88 8,-208 12,-302m8,0c4,94 8,214 12,302` }),
      draw('ellipse', { className: 'outline', cx: x, cy: top, rx: 104, ry: 86 }),
      draw('g', { className: 'stem' }, trunk(numbers(31 + i), x, GROUND, height, 28)),
      draw('g', { className: 'sprout' }, ...leaves(next, 16, within(next, x, GROUND - height / 2 + 6, 30, 24))),
      draw(
        'g',
        { className: 'crown' },
        ...leaves(next, 150, within(next, x, top + 6, 92, 76)),
        ...leaves(next, 110, within(next, x, top + 14, 76, 60)),
      ),
      draw('g', { className: 'fallen' }, ...leaves(next, 14, within(next, x, GROUND - 8, 76, 9))),
    ]
  })
})()
const ground = [...backdrop(numbers(23), GROUND, 0.07), ...AT.map((x) => roots(x, GROUND, 32))]

/** `tree`: grown; `sapling`: growing; `bare`: failed; `gone`: back in the ground. */
export type Growth = 'tree' | 'sapling' | 'bare' | 'gone'

/** Three trunks on one root: each grows when its step is done. */
export function Grove({ places }: { places: { name: string; words: string; growth: Growth }[] }) {
  return (
    <svg className="grove" viewBox="0 0 600 800" preserveAspectRatio="xMidYMid slice" aria-hidden="true">
      {createElement('g', {}, ...ground)}
      {places.slice(0, AT.length).map(({ name, words, growth }, i) => (
        <g key={name} data-growth={growth}>
          {createElement('g', {}, ...trees[i]!)}
          <text className="name" x={AT[i]} y={742}>
            {name}
          </text>
          <text className="words" x={AT[i]} y={770}>
            {words}
          </text>
        </g>
      ))}
    </svg>
  )
}
