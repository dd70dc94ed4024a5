// How texts are compared: whatever form and case they were written in, with single spaces. Pure; both sides of a search go through it.

/** Words of one character are too many to have an index; beside a longer one they only narrow down what that one finds. */
export const WORD_AT_LEAST = 2
const KEYWORD = { atLeast: 2, atMost: 30 }

/** A text as it is compared: composed (NFC), in lower case, every white space one space, none at the ends. */
export const comparable = (text: string): string => oneLine(text.toLowerCase())

/** The same with its capitals, to be shown. */
const oneLine = (text: string): string => text.normalize('NFC').replace(/\s+/gu, ' ').trim()

/** What a post is found by. No word goes from the title into the content: only there is a line break. */
export const searchText = (title: string, content: string): string => `${comparable(title)}\n${comparable(content)}`

/** The words of a query, each once. */
export const wordsOf = (query: string): string[] =>
  [...new Set(comparable(query).split(' '))].filter((word) => word !== '')

/** In Unicode code points, as PostgreSQL counts. */
export const lengthOf = (text: string): number => Array.from(text).length

/** A keyword as it is shown and as it is compared; undefined when it is too short or too long. */
export function keywordOf(text: string): { keyword: string; match: string } | undefined {
  const keyword = oneLine(text)
  const match = comparable(keyword)
  const lengths = [lengthOf(keyword), lengthOf(match)]
  return lengths.every((length) => length >= KEYWORD.atLeast && length <= KEYWORD.atMost)
    ? { keyword, match }
    : undefined
}

/** Every keyword that a title has, as they are compared: a few thousand at most. */
export function keywordsIn(title: string): string[] {
  const characters = Array.from(comparable(title))
  const found = new Set<string>()
  for (let start = 0; start < characters.length; start++) {
    if (characters[start] === ' ') continue
    for (let length = KEYWORD.atLeast; length <= KEYWORD.atMost && start + length <= characters.length; length++)
      if (characters[start + length - 1] !== ' ') found.add(characters.slice(start, start + length).join(''))
  }
  return [...found]
}
