// The page at `/`: which view is on, and what its buttons do. Views are clones of the templates in index.html, so that a form that is
// out of sight keeps what was typed, and no two fields ever have one name.
import { api, idempotencyKey } from './api.js'
import { RULES, hint, onSubmit, say, unhint } from './form.js'
import { wood } from './grove.js'
import { showProgress } from './progress.js'
import { currentLanguage, put, speak, translate } from './texts.js'

const CHECK_AFTER_MS = 400
const FRAMES_KEPT = 100
const BACK_SHOWN_MS = 2_000
const SAGAS = ['sign-up', 'account-deletion']

const main = document.getElementById('main')
const side = document.querySelector('.side')
const strip = document.querySelector('.strip')
const trees = wood()
const clone = (id) => document.getElementById(id).content.cloneNode(true).firstElementChild

// Whether a session is worth asking for: a first visit then costs no refused request.
const session = {
  get isLikely() {
    return localStorage.getItem('pando.session') !== null
  },
  set isLikely(yes) {
    if (yes) localStorage.setItem('pando.session', '1')
    else localStorage.removeItem('pando.session')
  },
}
// All that was typed but the password survives a reload.
const draft = {
  read: () => JSON.parse(sessionStorage.getItem('pando.draft') ?? '{}'),
  write: ({ username, displayName, email }) =>
    sessionStorage.setItem('pando.draft', JSON.stringify({ username, displayName, email })),
  clear: () => sessionStorage.removeItem('pando.draft'),
}

const signUp = signUpForm()
const logIn = logInForm()
let progress

function show(view, picture = trees, { focus = true } = {}) {
  if (progress && picture === trees) {
    progress.stop()
    progress = undefined
    put(strip)
  }
  document.querySelector('dialog')?.close()
  translate(view)
  main.replaceChildren(view)
  side.replaceChildren(picture)
  document.getElementById('split').dataset.view = picture === trees ? 'form' : 'progress'
  if (!focus) return
  scrollTo(0, 0)
  view.querySelector('h1').focus({ preventScroll: true })
}

function route({ focus = true } = {}) {
  const query = new URLSearchParams(location.search)
  const saga = query.get('saga')
  const type = query.get('type') ?? 'sign-up'
  if (/^[0-9a-f-]{36}$/i.test(saga) && SAGAS.includes(type)) watch(`/api/sagas/${type}/${saga}`)
  else if (location.hash === '#log-in') show(logIn, trees, { focus })
  else if (session.isLikely && location.hash !== '#sign-up') void openMe({ focus })
  else show(signUp, trees, { focus })
}

// ── Sign up, log in ──────────────────────────────────────────────

function signUpForm() {
  const form = clone('sign-up')
  const { username } = form.elements
  for (const [name, value] of Object.entries(draft.read())) form.elements[name].value = value ?? ''

  let checking
  let asked = new AbortController()
  const stopChecking = () => {
    clearTimeout(checking)
    asked.abort()
  }
  username.addEventListener('input', () => {
    stopChecking()
    const name = username.value
    if (name !== '') checking = setTimeout(() => void check(name), CHECK_AFTER_MS)
  })
  async function check(name) {
    const complaint = RULES.username(name)
    if (complaint) return hint(username, 'bad', complaint)
    hint(username, '', 'hint.checking')
    asked = new AbortController()
    const { signal } = asked
    try {
      const { body } = await api('GET', `/api/usernames/${encodeURIComponent(name)}`, undefined, { signal })
      if (body.available) hint(username, 'ok', 'hint.free')
      else hint(username, 'bad', 'problem.username_taken')
    } catch {
      // The sign-up itself asks again; here it was only a courtesy.
      if (!signal.aborted) unhint(username)
    }
  }

  let key = idempotencyKey()
  let sent = ''
  form.addEventListener('input', ({ target }) => {
    if (target.ariaInvalid) unhint(target)
    draft.write(Object.fromEntries(new FormData(form)))
  })
  form.addEventListener('focusout', ({ target }) => {
    const complaint = target.value && target !== username && RULES[target.name]?.(target.value)
    if (complaint) hint(target, 'bad', complaint)
  })
  onSubmit(form, {
    rules: RULES,
    busy: 'signUp.busy',
    async send(values) {
      const since = performance.now()
      stopChecking()
      // The same form sent again because the answer got lost is the same sign-up; after an answer it is a new one.
      if (JSON.stringify(values) !== sent) key = idempotencyKey()
      sent = JSON.stringify(values)
      const answer = await api('POST', '/api/users', values, { headers: { 'idempotency-key': key } }).catch(
        (problem) => {
          if (problem.status > 0 && problem.status < 500) sent = ''
          throw problem
        },
      )
      sent = ''
      history.pushState(null, '', `?saga=${answer.body.id}`)
      watch(answer.location, { since, credentials: { username: values.username, password: values.password } })
    },
  })
  return form
}

function logInForm() {
  const form = clone('log-in')
  form.addEventListener('input', ({ target }) => unhint(target))
  onSubmit(form, {
    busy: 'logIn.busy',
    async send(values) {
      await api('POST', '/api/sessions', values)
      session.isLikely = true
      form.reset()
      put(form.querySelector('.lead'), 'logIn.lead')
      history.replaceState(null, '', './')
      await openMe()
    },
  })
  return form
}

// ── What goes on ─────────────────────────────────────────────────

function watch(where, { since, credentials } = {}) {
  progress?.stop()
  const view = clone('progress')
  const isDeletion = where.includes('/account-deletion/')
  const name = draft.read().displayName
  progress = showProgress(view, where, {
    name,
    since,
    onFrame: logFrame,
    onLink: showLink,
    onGone() {
      if (isDeletion) return home()
      go('./#sign-up')
      say(signUp, { code: 'gone' })
    },
    onEnd: (saga) => void (isDeletion ? deletionEnded(view, saga) : signUpEnded(view, saga, credentials)),
  })
  show(view, progress.picture)
}

function showLink(state) {
  if (state === 'down') return put(strip, navigator.onLine ? 'strip.reconnecting' : 'strip.offline')
  put(strip, 'strip.back')
  setTimeout(() => strip.dataset.t === 'strip.back' && put(strip), BACK_SHOWN_MS)
}

async function signUpEnded(view, saga, credentials) {
  if (saga.status === 'failed') return offer(view, 'tryAgain', () => go('./#sign-up'))
  const { username } = draft.read()
  draft.clear()
  signUp.reset()
  for (const input of signUp.querySelectorAll('input')) unhint(input)
  try {
    if (credentials) {
      await api('POST', '/api/sessions', credentials)
      session.isLikely = true
    }
    if (!session.isLikely) throw new Error('logged out')
    const me = await loadMe()
    if (!view.isConnected) return
    history.replaceState(null, '', './')
    me.querySelector('h1').remove()
    translate(me)
    main.append(me)
  } catch {
    logIn.elements.username.value = username ?? ''
    put(logIn.querySelector('.lead'), 'logIn.ready')
    offer(view, 'logIn.button', () => go('./#log-in'))
  }
}

function deletionEnded(view, saga) {
  if (saga.status === 'failed') return offer(view, 'me.back', home)
  session.isLikely = false
  offer(view, 'signUp.button', home)
}

/** The one button below a progress that has ended. */
function offer(view, key, act) {
  const button = view.querySelector('button')
  put(button, key)
  button.hidden = false
  button.addEventListener('click', act, { once: true })
}

function go(url) {
  history.pushState(null, '', url)
  route()
}
const home = () => go('./')

function logFrame({ event, id, view }) {
  const table = document.querySelector('.wire table')
  const row = table.tBodies[0].insertRow()
  const now = new Date()
  const time = `${now.toTimeString().slice(0, 8)}.${String(now.getMilliseconds()).padStart(3, '0')}`
  for (const value of [time, event, id, view?.version ?? '']) row.insertCell().textContent = value
  if (table.tBodies[0].rows.length > FRAMES_KEPT) table.tBodies[0].deleteRow(0)
  table.hidden = false
  document.querySelector('.wire .empty').hidden = true
}

// ── Me ───────────────────────────────────────────────────────────

async function openMe({ focus = true } = {}) {
  try {
    show(await loadMe(), trees, { focus })
  } catch (problem) {
    if (problem.status === 401) {
      session.isLikely = false
      show(logIn, trees, { focus })
      return say(logIn, { code: 'unauthenticated' })
    }
    const view = clone('me')
    put(view.querySelector('h1'), 'plain', { value: 'Pando' })
    for (const part of view.querySelectorAll('dl, .actions')) part.remove()
    const retry = view.querySelector('[data-do=retry]')
    retry.hidden = false
    retry.addEventListener('click', () => void openMe())
    show(view, trees, { focus })
    say(view, problem)
  }
}

/** The profile and the wallet as a view. Throws Problem. */
async function loadMe() {
  const [{ body: me }, { body: wallet }] = await Promise.all([api('GET', '/api/me'), api('GET', '/api/me/wallet')])
  const view = clone('me')
  const at = (name) => view.querySelector(`[data-of=${name}]`)
  put(view.querySelector('h1'), 'me.title', { name: me.displayName })
  for (const name of ['username', 'displayName', 'email']) at(name).textContent = me[name]
  put(at('createdAt'), 'plain', {
    value: () => new Intl.DateTimeFormat(currentLanguage(), { dateStyle: 'long' }).format(new Date(me.createdAt)),
  })
  put(at('balance'), 'money', { amount: () => wallet.balance.toLocaleString(currentLanguage()) })
  view.querySelector('[data-do=log-out]').addEventListener('click', () => void logOut(view))
  view.querySelector('[data-do=delete]').addEventListener('click', () => askToDelete())
  return view
}

async function logOut(view) {
  try {
    await api('DELETE', '/api/sessions')
  } catch (problem) {
    if (problem.status !== 401) return say(view, problem)
  }
  session.isLikely = false
  go('./#log-in')
}

function askToDelete() {
  const dialog = clone('delete')
  const form = dialog.querySelector('form')
  dialog.querySelector('[data-do=cancel]').addEventListener('click', () => dialog.close())
  dialog.addEventListener('close', () => dialog.remove())
  form.addEventListener('input', ({ target }) => unhint(target))
  onSubmit(form, {
    busy: 'account-deletion.running',
    async send(values) {
      const since = performance.now()
      const answer = await api('DELETE', '/api/me', values).catch((problem) => {
        if (problem.code === 'forbidden')
          Object.assign(problem, { code: 'validation_failed', errors: [{ path: '/password' }] })
        throw problem
      })
      dialog.close()
      history.pushState(null, '', `?saga=${answer.body.id}&type=account-deletion`)
      watch(answer.location, { since })
    },
  })
  translate(dialog)
  document.body.append(dialog)
  dialog.showModal()
}

// ── The page around ──────────────────────────────────────────────

for (const button of document.querySelectorAll('.languages button')) {
  const isSpoken = () => document.documentElement.lang === button.lang
  button.ariaPressed = String(isSpoken())
  button.addEventListener('click', () => {
    speak(button.lang)
    for (const each of document.querySelectorAll('.languages button')) each.ariaPressed = String(each === button)
  })
}
// The title follows the heading, whoever changes it.
new MutationObserver(() => {
  const heading = main.querySelector('h1')?.textContent
  document.title = heading && heading !== 'Pando' ? `${heading} · Pando` : 'Pando'
}).observe(main, { childList: true, subtree: true, characterData: true })
addEventListener('popstate', () => {
  if (location.hash !== '#main') route()
})
addEventListener('offline', () => {
  if (progress) showLink('down')
})
translate()
route({ focus: false })
