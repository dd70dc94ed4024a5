// Pictures of plants, drawn as SVG and made JPEG, which the API takes.
import sharp from 'sharp'
import { numberOf } from './chance.ts'

const SIZE = 800
const QUALITY = 82
const SOIL = { x: 400, y: 520 }

/** A number from `low` to `high`, always the same for a name within one picture. */
type Some = (name: string, low: number, high: number) => number

/** Draws what grows out of SOIL; `hue` is the plant's. */
type Shape = (some: Some, hue: number) => string

const SHAPES = {
  broad: (some, hue) =>
    fan(some, 7, 150, (i, angle, length) => leaf({ angle, length, width: 95, fill: green(hue, i) })),
  spikes: (some, hue) =>
    fan(some, 11, 50, (i, angle, length) => leaf({ angle, length, width: 24, fill: green(hue, i) })),
  fronds: (some, hue) =>
    fan(
      some,
      6,
      120,
      (_, angle, length) =>
        stem(angle, length, hue) +
        times(6, (j) =>
          [-55, 55]
            .map((turn) =>
              leaf({
                ...along(angle, (length * (j + 2)) / 8),
                angle: angle + turn,
                length: 70,
                width: 34,
                fill: green(hue, j),
              }),
            )
            .join(''),
        ),
    ),
  trailing: (some, hue) =>
    fan(some, 9, 130, (i, angle, length) => leaf({ angle, length: length * 0.45, width: 60, fill: green(hue, i) })) +
    times(8, (i) => {
      const side = i % 2 === 0 ? 1 : -1
      const down = some(`down ${i}`, 20, 210)
      return times(5, (j) =>
        leaf({
          x: SOIL.x + side * (40 + i * 12 + j * 14),
          y: SOIL.y - 60 + (down * j) / 4,
          angle: side * (70 + j * 22),
          length: 85,
          width: 60,
          fill: green(hue, i + j),
        }),
      )
    }),
  flower: (some, hue) =>
    fan(some, 5, 130, (i, angle, length) =>
      leaf({ angle: angle * 1.2, length: length * 0.6, width: 50, fill: green(120, i) }),
    ) +
    fan(some, 4, 70, (i, angle, length) => {
      const { x, y } = along(angle, length)
      const petals = times(8, (j) =>
        leaf({ x, y, angle: j * 45, length: 62, width: 34, fill: `hsl(${hue} 70% ${68 + ((i + j) % 3) * 4}%)` }),
      )
      return `${stem(angle, length, 120)}${petals}<circle cx="${x}" cy="${y}" r="20" fill="hsl(45 80% 60%)"/>`
    }),
  rosette: (some, hue) =>
    [3, 2, 1]
      .map((ring) =>
        times(4 + ring * 3, (i) =>
          leaf({
            y: SOIL.y - 70,
            angle: (i * 360) / (4 + ring * 3) + some(`turn ${ring}`, 0, 40),
            length: 70 * ring,
            width: 30 + 18 * ring,
            fill: `hsl(${hue} 32% ${72 - ring * 10}%)`,
          }),
        ),
      )
      .join(''),
  cactus: (some, hue) => {
    const height = some('height', 230, 330)
    const ribs = times(
      5,
      (i) =>
        `<path d="M${330 + i * 35} ${SOIL.y}V${SOIL.y - height + 60}" stroke="hsl(${hue} 35% 32%)" stroke-width="5" stroke-dasharray="3 14"/>`,
    )
    return `<rect x="305" y="${SOIL.y - height}" width="190" height="${height + 20}" rx="95" fill="hsl(${hue} 38% 45%)"/>${ribs}<circle cx="400" cy="${SOIL.y - height}" r="26" fill="hsl(${some('bloom', 300, 360)} 75% 70%)"/>`
  },
  bush: (some, hue) =>
    times(44, (i) => {
      const place = along(some(`angle ${i}`, -70, 70), some(`far ${i}`, 40, 260))
      return leaf({
        ...place,
        angle: some(`turn ${i}`, -80, 80),
        length: some(`length ${i}`, 55, 95),
        width: 48,
        fill: green(hue, i),
      })
    }),
  tree: (some, hue) => {
    const crown = times(60, (i) => {
      const x = SOIL.x + some(`x ${i}`, -170, 170)
      const y = 230 + some(`y ${i}`, -130, 110)
      return leaf({ x, y, angle: some(`turn ${i}`, -120, 120), length: 80, width: 38, fill: green(hue, i) })
    })
    return `<path d="M400 540C385 430 415 350 400 230" stroke="hsl(28 35% 35%)" stroke-width="20" fill="none"/>${crown}`
  },
  empty: () => '',
} as const satisfies Record<string, Shape>

export type ShapeName = keyof typeof SHAPES

/** A picture as JPEG, always the same for a seed. */
export async function draw(seed: string, shape: ShapeName, hue: number): Promise<Buffer> {
  const some: Some = (name, low, high) => low + numberOf(`${seed} ${name}`, high - low + 1)
  const [wall, pot] = [some('wall', 0, 359), some('pot', 0, 1) === 0 ? some('clay', 12, 28) : some('glaze', 0, 359)]
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${SIZE}" height="${SIZE}" fill="none">
<defs><linearGradient id="wall" x2="0" y2="1"><stop stop-color="hsl(${wall} 30% 94%)"/><stop offset="1" stop-color="hsl(${wall} 26% 82%)"/></linearGradient></defs>
<rect width="800" height="800" fill="url(#wall)"/><rect y="690" width="800" height="110" fill="hsl(30 ${some('table', 20, 40)}% 68%)"/>
<ellipse cx="400" cy="722" rx="190" ry="24" fill="hsl(30 25% 45% / .45)"/><ellipse cx="400" cy="520" rx="138" ry="26" fill="hsl(25 35% 22%)"/>
${SHAPES[shape](some, hue + some('hue', -8, 8))}
<path d="M258 520H542L510 725H290Z" fill="hsl(${pot} 45% 52%)"/><path d="M244 512H556V560H244Z" fill="hsl(${pot} 45% 60%)"/>
</svg>`
  return sharp(Buffer.from(svg)).jpeg({ quality: QUALITY }).toBuffer()
}

const green = (hue: number, i: number): string => `hsl(${hue} 42% ${32 + (i % 4) * 6}%)`

function times(count: number, draw: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => draw(i)).join('')
}

/** So many, spread over `spread` degrees; 0 is upwards. */
function fan(
  some: Some,
  count: number,
  spread: number,
  draw: (i: number, angle: number, length: number) => string,
): string {
  return times(count, (i) =>
    draw(i, (i / (count - 1) - 0.5) * spread + some(`lean ${i}`, -6, 6), some(`length ${i}`, 240, 380)),
  )
}

/** What is so far from the soil in this direction. */
function along(angle: number, far: number): { x: number; y: number } {
  const turn = (angle * Math.PI) / 180
  return { x: Math.round(SOIL.x + far * Math.sin(turn)), y: Math.round(SOIL.y - far * Math.cos(turn)) }
}

function stem(angle: number, length: number, hue: number): string {
  const { x, y } = along(angle, length)
  return `<path d="M${SOIL.x} ${SOIL.y}L${x} ${y}" stroke="hsl(${hue} 35% 38%)" stroke-width="8"/>`
}

interface Leaf {
  x?: number
  y?: number
  angle: number
  length: number
  width: number
  fill: string
}

function leaf({ x = SOIL.x, y = SOIL.y, angle, length, width, fill }: Leaf): string {
  const side = `${width} ${-length * 0.3} ${width * 0.5} ${-length * 0.8} 0 ${-length}`
  const other = `${-width * 0.5} ${-length * 0.8} ${-width} ${-length * 0.3} 0 0`
  return `<path transform="translate(${x} ${y}) rotate(${Math.round(angle)})" d="M0 0C${side}C${other}Z" fill="${fill}" stroke="hsl(120 30% 22% / .35)" stroke-width="3"/>`
}
