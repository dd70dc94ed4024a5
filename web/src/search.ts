/** A copy of what an address asks for, with this value under this name; '' for none. */
export function searchWith(search: URLSearchParams, name: string, value: string): URLSearchParams {
  const next = new URLSearchParams(search)
  if (value) next.set(name, value)
  else next.delete(name)
  return next
}
