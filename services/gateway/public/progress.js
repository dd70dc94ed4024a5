// The page while something is going on: the steps, the time left, one sentence, and the grove that grows with them.
import { follow, hasEnded } from './follow.js'
import { grove } from './grove.js'
import { currentLanguage, put, text, translate } from './texts.js'

const ICONS = { done: 'check', pending: 'turn', failed: 'alert', undone: 'undo', skipped: 'minus' }
// A sign-up grows what a deletion takes away.
const GROWTH = {
  'sign-up': { done: 'tree', pending: 'sapling', failed: 'bare', undone: 'gone', skipped: 'gone' },
  'account-deletion': { done: 'gone', pending: 'tree', failed: 'tree', undone: 'tree', skipped: 'tree' },
}
const SAY_AFTER_MS = 600

/**
 * Shows the saga at `location` in `section` (the template's clone) until it ends.
 * `name`: whose it is, where known. `since`: when it was started in this page, on the clock of `performance.now()`; undefined after a reload.
 */
export function showProgress(section, location, { name, since, onEnd, ...listeners }) {
  const type = location.split('/').at(-2)
  const title = section.querySelector('h1')
  const lead = section.querySelector('.lead')
  const list = section.querySelector('.steps')
  const bar = section.querySelector('.bar')
  const note = section.querySelector('.note')
  const hush = section.querySelector('.hush')
  const picture = grove()
  const seen = new Map()
  let view
  let saying

  list.setAttribute('data-t-label', `${type}.steps`)
  const titled = (status) =>
    put(title, [...(name ? [] : [`${type}.${status}.nameless`]), `${type}.${status}`], { name })
  titled('running')
  put(lead, `${type}.running.lead`)
  translate(section)

  const ticking = setInterval(tick, 500)
  const stop = follow(location, { ...listeners, onView: show })

  function show(next) {
    view = next
    const ended = hasEnded(view)
    const isLate = Object.values(view.steps).some((step) => step.status === 'failed' && step.reason === 'deadline')
    titled(view.status)
    put(lead, [...(isLate ? [`${type}.${view.status}.deadline`] : []), `${type}.${view.status}.lead`], {
      step: () => namesOf('failed'),
      most: most(),
    })
    Object.entries(view.steps).forEach(([step, state], at) => showStep(step, state, at))
    bar.hidden = ended
    note.hidden = ended
    section.dataset.status = view.status
    tick()
    // One sentence for a burst of changes.
    clearTimeout(saying)
    saying = setTimeout(() => {
      if (view.status === 'running')
        put(hush, 'say.so-far', { done: () => namesOf('done'), rest: () => namesOf('pending') })
      else put(hush, 'plain', { value: () => `${title.textContent}. ${lead.textContent}` })
    }, SAY_AFTER_MS)
    if (ended) {
      clearInterval(ticking)
      onEnd(view)
    }
  }

  const nameOf = (step) => text([`step.${step}`, 'plain'], { value: step })
  const namesOf = (status) =>
    new Intl.ListFormat(currentLanguage()).format(
      Object.keys(view.steps)
        .filter((step) => view.steps[step].status === status)
        .map(nameOf),
    )
  // Seconds from the start to the deadline, at least one.
  const most = () => Math.ceil((Date.parse(view.deadline) - Date.parse(view.startedAt)) / 1000)

  function showStep(step, { status, reason }, at) {
    let { item, was } = seen.get(step) ?? {}
    if (!item) {
      item = document.getElementById('step').content.cloneNode(true).firstElementChild
      item.querySelector('.hush').id = `step-${step}`
      item.setAttribute('aria-labelledby', `step-${step}`)
      list.append(item)
    }
    const undoing = view.status === 'compensating' && status === 'done'
    item.dataset.status = undoing ? 'undoing' : status
    item.querySelector('use').setAttribute('href', `#i-${undoing ? 'turn' : ICONS[status]}`)
    const [name, word] = item.querySelector('b').children
    put(name, [`step.${step}`, 'plain'], { value: step })
    put(word, 'say.item', { step: () => nameOf(step), status: () => text(`status.${status}`) })
    const small = undoing
      ? ['say.undoing']
      : ({ failed: [`say.${reason}`, 'say.failed'], skipped: ['say.skipped'] }[status] ?? [
          `${type}.${step}.${status}`,
          `${type}.${status}`,
        ])
    put(item.querySelector('small'), small)
    const time = item.querySelector('time')
    if (status === 'pending') put(time, 'time.running')
    else if (status !== was)
      put(time, since !== undefined && 'time.seconds', { seconds: ((performance.now() - since) / 1000).toFixed(2) })
    seen.set(step, { item, was: status })
    const outcome =
      status === 'failed' ? 'say.failed' : [`grove.${type}.${status}`, `${type}.${status}`, `status.${status}`]
    picture.set(at, GROWTH[type]?.[status] ?? 'tree', `step.${step}`, outcome)
  }

  function tick() {
    if (!view) return
    const elapsed =
      since === undefined ? Math.max(0, Date.now() - Date.parse(view.startedAt)) : performance.now() - since
    const seconds = Math.floor(elapsed / 1000)
    const meter = bar.querySelector('progress')
    meter.max = most()
    meter.value = Math.min(most(), elapsed / 1000)
    put(bar.querySelector('span'), seconds > most() ? 'bar.late' : 'bar.text', { elapsed: seconds, most: most() })
  }

  return {
    picture: picture.svg,
    stop() {
      clearInterval(ticking)
      clearTimeout(saying)
      stop()
    },
  }
}
