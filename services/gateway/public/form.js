// What the forms share: the rules of the fields, what is said below them, and a button that cannot be pressed twice.
import { put } from './texts.js'

const count = (value) => [...value].length
/** What is wrong with a value, as the key of a text; undefined: nothing. The same limits as the API's, so that it rarely has to say no. */
export const RULES = {
  username: (value) => (/^[a-z0-9._-]{3,30}$/.test(value) ? undefined : 'bad.username'),
  password: (value) => (count(value) >= 10 && count(value) <= 200 ? undefined : 'bad.password'),
  displayName: (value) => (value.trim() && count(value) <= 40 ? undefined : 'bad.displayName'),
  email: (value) =>
    !/^[^\s@]+@[^\s@]+$/.test(value) ? 'bad.email' : /@.+\../.test(value) ? undefined : 'bad.emailDot',
}
const HINTS = { password: 'hint.password' }

/** Says something below a field: `kind` is 'ok', 'bad' or '' for a plain hint. */
export function hint(input, kind, key) {
  const line = input.form.querySelector(`#${input.getAttribute('aria-describedby')}`)
  line.className = kind
  input.ariaInvalid = kind === 'bad' ? 'true' : null
  const words = document.createElement('span')
  put(words, key)
  line.removeAttribute('data-t')
  line.replaceChildren(...(kind ? [icon(kind === 'ok' ? 'check' : 'alert')] : []), words)
}

/** Back to what stands below the field when nothing is to be said about its value. */
export function unhint(input) {
  hint(input, '', input.autocomplete === 'new-password' ? HINTS[input.name] : undefined)
}

/** An icon of the page's sprite, for the eyes only. */
function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('class', 'icon small')
  svg.setAttribute('aria-hidden', 'true')
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use')
  use.setAttribute('href', `#i-${name}`)
  svg.append(use)
  return svg
}

/** Says why a request failed, in words, in the line with role=alert; no problem empties it. */
export function say(form, problem) {
  const keys = problem && [`problem.${problem.code}`, 'problem.other']
  put(form.querySelector('.problem'), keys, { seconds: problem?.retryAfter, requestId: problem?.requestId })
}

/**
 * Checks the named rules, then runs `send(values)` once at a time while the button says `busy`.
 * A Problem that names fields is said below them; any other in the form's line. The first bad field gets the focus.
 */
export function onSubmit(form, { rules = {}, busy, send }) {
  const button = form.querySelector('button:not([type=button])')
  const idle = button.dataset.t
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    if (button.ariaDisabled) return
    say(form)
    const values = Object.fromEntries(new FormData(form))
    for (const name of Object.keys(values)) {
      const complaint = rules[name] ? rules[name](values[name]) : values[name] === '' ? 'bad.missing' : undefined
      if (complaint) hint(form.elements[name], 'bad', complaint)
      else if (form.elements[name].ariaInvalid) unhint(form.elements[name])
    }
    if (focusBad(form)) return
    button.ariaDisabled = 'true'
    put(button, busy)
    try {
      await send(values)
    } catch (problem) {
      refuse(form, problem)
    } finally {
      button.ariaDisabled = null
      put(button, idle)
    }
  })
  for (const toggle of form.querySelectorAll('.secret button')) {
    toggle.addEventListener('click', () => {
      const input = toggle.previousElementSibling
      const isShown = input.type === 'text'
      input.type = isShown ? 'password' : 'text'
      toggle.ariaPressed = String(!isShown)
      put(toggle, isShown ? 'show' : 'hide')
    })
  }
}

function refuse(form, problem) {
  if (problem.code === undefined) throw problem
  const fields = problem.errors.map(({ path }) => form.elements[path.slice(1)]).filter(Boolean)
  for (const input of fields) hint(input, 'bad', `bad.${input.id}`)
  const taken = { username_taken: 'username', email_taken: 'email' }[problem.code]
  if (taken) hint(form.elements[taken], 'bad', `problem.${problem.code}`)
  else say(form, problem)
  if (problem.code === 'invalid_credentials') form.elements.password.focus()
  else focusBad(form)
}

function focusBad(form) {
  const bad = form.querySelector('[aria-invalid=true]')
  bad?.focus()
  return bad
}
