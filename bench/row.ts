/** One line of the result table. */
export interface Row {
  what: string
  value: string
  /** What design and issue ask for. */
  target?: string
  /** How it was measured. */
  detail?: string
}

/** The table as Markdown. */
export function markdown(rows: readonly Row[]): string {
  const lines = rows.map(
    ({ what, value, target = '', detail = '' }) => `| ${what} | ${value} | ${target} | ${detail} |`,
  )
  return ['| what | measured | to reach | how |', '|---|---|---|---|', ...lines].join('\n')
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The value below which the share `q` of all lies; of none 0. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0
}

export const rate = (perSecond: number): string => `${Math.round(perSecond).toLocaleString('en')}/s`
export const ms = (value: number): string =>
  `${value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en')} ms`
/** Each run, so that the spread shows. */
export const runs = (values: readonly number[], digits = 0): string =>
  values.map((value) => value.toFixed(digits)).join(' · ')
