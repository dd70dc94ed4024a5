// Which page is at an address. In a pattern `:x` is one part of it, whatever it is; the first pattern that fits is meant.

/** Those that others are shown in. */
const FRAMES = ['/rooms', '/admin']

/** What is shown at an address: a page of these, and what it is shown in. Nothing where there is no page. */
export function pagesAt<Pattern extends string>(pathname: string, patterns: readonly Pattern[]): Pattern[] {
  const page = patterns.find((pattern) => fits(pattern, pathname))
  return patterns.filter((one) => one === page || (FRAMES.includes(one) && page?.startsWith(`${one}/`)))
}

function fits(pattern: string, pathname: string): boolean {
  const [wanted, found] = [partsOf(pattern), partsOf(pathname)]
  return wanted.length === found.length && wanted.every((part, i) => part.startsWith(':') || part === found[i])
}

const partsOf = (address: string): string[] => address.split('/').filter((part) => part !== '')
