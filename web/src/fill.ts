export type Values = Record<string, string | number>

/** Fills blanks like {name}. Behind one, {은/는} is the particle that its last syllable asks for,
 * and {-s} the ending of more than one. */
export function fill(text: string, values: Values = {}): string {
  let last = ''
  return text.replaceAll(/\{([^}]+)\}/g, (_, name: string) => {
    if (name.includes('/')) return particle(last, name)
    if (name.startsWith('-')) return last === '1' ? '' : name.slice(1)
    last = String(values[name] ?? '')
    return last
  })
}

const HANGUL = /[\uac00-\ud7a3]/
/** Digits and letters by how they are read aloud in Korean: 1 일, 3 삼, l 엘 … end in a consonant. */
const CLOSED = /[013678lmnr]/i

function particle(word: string, pair: string): string {
  const [closed = '', open = ''] = pair.split('/')
  const last = word.trimEnd().at(-1) ?? ''
  if (HANGUL.test(last)) return (last.codePointAt(0)! - 0xac00) % 28 > 0 ? closed : open
  return CLOSED.test(last) ? closed : open
}
