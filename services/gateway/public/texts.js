// Every text goes through `put`, so that the page can change its language at any moment.
import { en, ko } from './words.js'

const languages = { en, ko }
let language = localStorage.getItem('pando.language') ?? (navigator.language.startsWith('ko') ? 'ko' : 'en')
if (!(language in languages)) language = 'en'

/** 'ko' or 'en'. */
export const currentLanguage = () => language

/** The first of `keys` that has a text, with `{name}`s filled in. */
export function text(keys, values = {}) {
  const words = languages[language]
  const found = [keys].flat().find((key) => key in words)
  return (words[found] ?? '').replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ''))
}

// What stands where, so that another language can say it again: values may be functions, for words inside words.
const said = new WeakMap()

/** Puts a text into an element and keeps it in step with the page's language; no key empties it. */
export function put(element, keys, values = {}) {
  if (!keys || keys.length === 0) {
    said.delete(element)
    element.removeAttribute('data-t')
    element.textContent = ''
    return
  }
  said.set(element, { keys, values })
  element.setAttribute('data-t', [keys].flat()[0])
  say(element)
}

function say(element) {
  const { keys, values } = said.get(element) ?? { keys: element.getAttribute('data-t'), values: {} }
  const filled = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, typeof value === 'function' ? value() : value]),
  )
  const words = text(keys, filled)
  if (element.textContent !== words) element.textContent = words
}

/** Says everything below `root` in the page's language. */
export function translate(root = document) {
  for (const element of root.querySelectorAll('[data-t]')) say(element)
  for (const element of root.querySelectorAll('[data-t-label]'))
    element.setAttribute('aria-label', text(element.getAttribute('data-t-label')))
}

/** Changes the language, for this visit and the next ones. */
export function speak(chosen) {
  language = chosen
  localStorage.setItem('pando.language', chosen)
  document.documentElement.lang = chosen
  translate()
}
document.documentElement.lang = language
