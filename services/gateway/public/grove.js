// The drawing beside the page: a wood in autumn, and the grove whose trunks are the steps of what is going on.
// Drawn from numbers on a seed, so that it is the same at every visit and costs a few hundred bytes instead of sixty thousand.
import { put } from './texts.js'

const LEAVES = ['#f4cf3a', '#ecb92c', '#f8df6a', '#d99f25', '#c9c24a']
const FAR_LEAVES = ['#b9962b', '#a8882a', '#c9a738', '#8f7a2a', '#7d8440']
const GROUND = 588
const AT = [118, 300, 482]

function draw(name, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  element.append(...children)
  return element
}

/** Numbers from 0 to 1, the same ones for the same seed (mulberry32). */
function numbers(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const round = (number) => Math.round(number * 10) / 10

function leaf(x, y, size, angle) {
  const at = (along, across) =>
    `${round(x + size * (along * Math.cos(angle) - across * Math.sin(angle)))},${round(y + size * (along * Math.sin(angle) + across * Math.cos(angle)))}`
  return `M${at(0, 0)}C${at(0.15, 0.5)} ${at(0.72, 0.44)} ${at(1, 0)}C${at(0.68, -0.5)} ${at(0.12, -0.52)} ${at(0, 0)}Z`
}

/** One path per colour: hundreds of leaves are a handful of elements. */
function leaves(next, count, place, colours = LEAVES, size = 11) {
  const paths = colours.map(() => '')
  for (let i = 0; i < count; i++) {
    const [x, y] = place()
    paths[Math.floor(next() ** 1.4 * colours.length)] += leaf(x, y, size + next() * size * 0.8, next() * 2 * Math.PI)
  }
  return paths.map((d, i) => draw('path', { d, fill: colours[i] }))
}

const within = (next, x, y, rx, ry) => () => {
  const angle = next() * 2 * Math.PI
  const far = Math.sqrt(next())
  return [x + rx * far * Math.cos(angle), y + ry * far * Math.sin(angle)]
}

function trunk(next, x, ground, height, width) {
  const half = (up) => width * (0.28 + 0.34 * (1 - up) + 0.38 * Math.exp(-up * 14))
  const middle = (up) => x + width * 0.35 * (next.lean ??= next() - 0.5) * up * up
  const heights = Array.from({ length: 15 }, (_, i) => i / 14)
  const edge = (side) => heights.map((up) => `${round(middle(up) + side * half(up))},${round(ground - up * height)}`)
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

function roots(x, ground, width) {
  const w = width * 0.62
  const left = `M${x - w},${ground}c0,${width * 1.7} -22,86 -54,94c34,-1 ${54 + w},-20 ${54 + w},-94z`
  const right = `M${x},${ground}c0,74 45,98 80,94c-38,-3 ${w - 80},-42 ${w - 80},-94z`
  return draw('path', { d: left + right, fill: '#e9eee2' })
}

// Wider than the picture, so that it fills a panel of any shape.
function backdrop(next, ground, light) {
  const gradient = (id, box, ...stops) =>
    draw(
      'linearGradient',
      { id, ...box },
      ...stops.map(([offset, colour]) => draw('stop', { offset, 'stop-color': colour })),
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
      { stroke: '#e9eee2', 'stroke-width': 10 },
      { stroke: '#f4cf3a', 'stroke-width': 2.5, 'stroke-dasharray': '1 17', 'stroke-linecap': 'round' },
    ].map((line) => draw('path', { d: wave, fill: 'none', ...line })),
  ]
}

/** Four old trees under a roof of leaves: for the forms. */
export function wood() {
  const next = numbers(7)
  const canopy = (count, low, colours) =>
    leaves(next, count, () => [next() * 720 - 60, next() ** 1.6 * low - 30], colours)
  const trees = [
    [92, 25, 1],
    [226, 32, 2],
    [352, 23, 3],
    [486, 34, 4],
  ].map(([x, width, seed]) => trunk(numbers(seed), x, 640, 740, width))
  return draw(
    'svg',
    { class: 'wood', viewBox: '0 0 600 800', preserveAspectRatio: 'xMidYMin slice' },
    ...backdrop(next, 640, 0.16),
    draw('g', { opacity: 0.55 }, ...canopy(210, 180, FAR_LEAVES)),
    ...trees,
    ...canopy(270, 190),
    ...leaves(next, 90, within(next, 100, 140, 110, 45)),
    ...leaves(next, 110, within(next, 500, 165, 120, 60)),
    ...[
      [92, 25],
      [226, 32],
      [352, 23],
      [486, 34],
    ].map(([x, width]) => roots(x, 639, width)),
    ...leaves(next, 42, () => [next() * 600, 575 + next() * 55]),
  )
}

/** Three trunks on one root: `set(at, growth, name, words)` lets one grow ('tree'), wait ('sapling'), stand bare or go back into the ground. */
export function grove() {
  const next = numbers(23)
  const trees = AT.map((x, i) => {
    const height = [326, 318, 304][i]
    const top = GROUND - height
    const crown = [
      ...leaves(next, 150, within(next, x, top + 6, 92, 76)),
      ...leaves(next, 110, within(next, x, top + 14, 76, 60)),
    ]
    return {
      group: draw(
        'g',
        { class: 'place' },
        draw('path', { class: 'outline', d: `M${x - 16},${GROUND}c4,-88 8,-208 12,-302m8,0c4,94 8,214 12,302` }),
        draw('ellipse', { class: 'outline', cx: x, cy: top, rx: 104, ry: 86 }),
        draw('g', { class: 'stem' }, trunk(numbers(31 + i), x, GROUND, height, 28)),
        draw('g', { class: 'sprout' }, ...leaves(next, 16, within(next, x, GROUND - height / 2 + 6, 30, 24))),
        draw('g', { class: 'crown' }, ...crown),
        draw('g', { class: 'fallen' }, ...leaves(next, 14, within(next, x, GROUND - 8, 76, 9))),
      ),
      name: draw('text', { x, y: 742, class: 'name' }),
      words: draw('text', { x, y: 770, class: 'words' }),
    }
  })
  const svg = draw(
    'svg',
    { class: 'grove', viewBox: '0 0 600 800' },
    ...backdrop(next, GROUND, 0.07),
    ...AT.map((x) => roots(x, GROUND, 32)),
    ...trees.flatMap(({ group, name, words }) => [group, name, words]),
  )
  return {
    svg,
    set(at, growth, name, words) {
      const tree = trees[at]
      if (!tree) return
      tree.group.setAttribute('data-growth', growth)
      tree.words.setAttribute('data-growth', growth)
      put(tree.name, name)
      put(tree.words, words)
    },
  }
}
