// Set-based statements take one array a column. `pg` quotes every element of an array by regular expressions, which was 13 % of a
// busy process (measured); these two forms need none.

/** A PostgreSQL array literal of values that hold no comma, quote, brace, backslash or space: uuids, numbers. */
export function plainArray(values: readonly (string | number)[]): string {
  return `{${values.join(',')}}`
}

// A control character that JSON.stringify escapes, so it never stands inside JSON text.
const SEPARATOR = '\u001e'

/** JSON texts as one parameter, for jsonArray. (A single empty text would be an empty array; JSON is never empty.) */
export function jsonTexts(values: readonly string[]): string {
  return values.join(SEPARATOR)
}

/** SQL for parameter `n` made by jsonTexts: a text[]. */
export const jsonArray = (n: number): string => `string_to_array($${n}, e'\\x1e')`
