import assert from 'node:assert/strict'
import test, { suite } from 'node:test'
import {
  checkChoreography,
  defineEvent,
  type EventKind,
  on,
  renderChoreography,
  type ServiceChoreography,
} from '../src/index.ts'
import {
  memberAdded,
  memberRefused,
  memberRemoved,
  registered,
  signUp,
  signUpFailed,
  signUpStarted,
  walletClosed,
  walletOpened,
  walletRefused,
} from './example-sagas.ts'

const declare = (name: string, { version = 1, topic = name.split('.')[0]! } = {}) =>
  defineEvent({ name, version, topic, key: () => '', data: (it) => it })
const react = (hears: readonly EventKind[], says: readonly EventKind[]) => on(hears, async () => {}, { emits: says })

const events: readonly EventKind[] = [
  signUpStarted,
  registered,
  signUpFailed,
  memberAdded,
  memberRefused,
  memberRemoved,
  walletOpened,
  walletRefused,
  walletClosed,
]
const user = {
  topic: 'user',
  sagas: [{ definition: signUp, hooks: { failed: async () => {} } }],
  forOutside: [registered],
} satisfies ServiceChoreography
const chat = {
  topic: 'chat',
  reactions: [react([signUpStarted, signUpFailed], [memberAdded, memberRefused, memberRemoved])],
} satisfies ServiceChoreography
const customer = {
  topic: 'customer',
  reactions: [react([signUpStarted, signUpFailed], [walletOpened, walletRefused, walletClosed])],
} satisfies ServiceChoreography

const problems = (services: readonly ServiceChoreography[], more: readonly EventKind[] = []): string[] =>
  checkChoreography({ events: [...events, ...more], services })

test('a system whose declarations fit together has no problems', () => {
  assert.deepEqual(problems([user, chat, customer]), [])
})

test('a step may follow from another step instead of from the start', () => {
  const after = react([memberAdded, signUpFailed], [walletOpened, walletRefused, walletClosed])
  assert.deepEqual(problems([user, chat, { topic: 'customer', reactions: [after] }]), [])
})

suite('an event', () => {
  const greeted = declare('chat.greeted')
  const heard = react([greeted], [])

  test('that nobody hears', () => {
    assert.deepEqual(problems([{ ...user, forOutside: [] }, chat, customer]), [
      'user.registered v1 is heard by nobody: let a service react to it, or name it in "forOutside" of user.',
    ])
  })

  test('that is only for outside, and heard', () => {
    const listening = { ...customer, reactions: [...customer.reactions, react([registered], [])] }
    assert.deepEqual(problems([user, chat, listening]), [
      'user.registered v1 is "forOutside" of user, but customer hears it: take it out there.',
    ])
  })

  test('that nobody says', () => {
    const listening = { ...customer, reactions: [...customer.reactions, heard] }
    assert.deepEqual(problems([user, chat, listening], [greeted]), [
      'chat.greeted v1 is said by nobody: name it in "emits" or "appends" of chat, or remove it.',
    ])
    assert.deepEqual(problems([user, { ...chat, appends: [greeted] }, listening], [greeted]), [])
  })

  test('that two services say', () => {
    assert.deepEqual(problems([user, chat, { ...customer, appends: [memberAdded] }]), [
      'chat.member-added v1 is said by chat and customer: give each an event of its own.',
    ])
  })

  test("that goes to another service's topic", () => {
    const astray = declare('chat.greeted', { topic: 'customer' })
    const listening = { ...customer, reactions: [...customer.reactions, react([astray], [])] }
    assert.deepEqual(problems([user, { ...chat, appends: [astray] }, listening], [astray]), [
      'chat.greeted v1 goes to the topic customer, but chat says it: only customer may.',
    ])
  })

  test('that is not declared, heard, said or for outside', () => {
    const listening = { ...customer, reactions: [...customer.reactions, heard] }
    const undeclared = 'which is not declared: add it to the events that are agreed on.'
    assert.deepEqual(problems([user, chat, listening]), [`customer hears chat.greeted v1, ${undeclared}`])
    const saying = { ...chat, reactions: [...chat.reactions, react([walletOpened], [greeted])] }
    assert.deepEqual(problems([user, saying, customer]), [`chat says chat.greeted v1, ${undeclared}`])
    assert.deepEqual(problems([user, { ...chat, forOutside: [greeted] }, customer]), [
      `chat has for outside chat.greeted v1, ${undeclared}`,
    ])
  })

  test('that is declared in another version, or was copied', () => {
    const saying = { ...chat, appends: [greeted] }
    const hearing = (kind: EventKind) => ({ ...customer, reactions: [...customer.reactions, react([kind], [])] })
    assert.deepEqual(problems([user, saying, hearing(declare('chat.greeted', { version: 2 }))], [greeted]), [
      'customer hears chat.greeted v2, but only v1 is declared.',
      'chat.greeted v1 is heard by nobody: let a service react to it, or name it in "forOutside" of chat.',
    ])
    assert.deepEqual(problems([user, saying, hearing(declare('chat.greeted'))], [greeted]), [
      'customer hears chat.greeted v1, but not as it is declared: use the declared event, not a copy.',
    ])
  })

  test('that is declared twice', () => {
    assert.deepEqual(problems([user, chat, customer], [memberAdded]), [
      'chat.member-added v1 is declared twice: keep one of them.',
    ])
  })
})

suite('a step of a saga', () => {
  test('that nobody does', () => {
    const idle = { topic: 'chat', reactions: [react([signUpStarted, signUpFailed], [memberRefused, memberRemoved])] }
    assert.deepEqual(problems([user, { ...idle, appends: [memberAdded] }, customer]), [
      'the step "chat" of the saga "sign-up" is done by nobody: no reaction emits chat.member-added v1.',
    ])
  })

  test('that never begins', () => {
    const deaf = { topic: 'chat', reactions: [react([signUpFailed], [memberAdded, memberRefused, memberRemoved])] }
    assert.deepEqual(problems([user, deaf, customer]), [
      'the step "chat" of the saga "sign-up" never begins: no reaction of chat hears user.sign-up-started v1 and emits chat.member-added v1.',
    ])
  })

  test('without its undo: the failure is not heard, or leads to something else', () => {
    const undo =
      'the step "chat" of the saga "sign-up" has no undo: no reaction of chat hears user.sign-up-failed v1 and emits chat.member-removed v1.'
    const deaf = react([signUpStarted], [memberAdded, memberRefused, memberRemoved])
    assert.deepEqual(problems([user, { topic: 'chat', reactions: [deaf] }, customer]), [undo])
    const elsewhere = [react([signUpStarted], [memberAdded, memberRemoved]), react([signUpFailed], [memberRefused])]
    assert.deepEqual(problems([user, { topic: 'chat', reactions: elsewhere }, customer]), [undo])
  })

  test('of the initiator itself, without its undo', () => {
    const hookless = { ...user, sagas: [{ definition: signUp, hooks: { completed: async () => {} } }] }
    assert.deepEqual(problems([hookless, chat, customer]), [
      'the step "user" of the saga "sign-up" has no undo: it has no hook "failed".',
    ])
  })
})

suite('events that could lead to each other for ever', () => {
  const asked = declare('chat.asked')
  const answered = declare('customer.answered')
  const more = (service: ServiceChoreography, hears: EventKind, says: EventKind) => ({
    ...service,
    reactions: [...(service.reactions ?? []), react([hears], [says])],
  })
  const endless = (cycle: string) => `${cycle} could go on for ever: take one of these reactions away, or split it.`

  test('through reactions of two services, however often they are reached', () => {
    const both = [user, more(chat, answered, asked), more(more(customer, asked, answered), walletClosed, answered)]
    assert.deepEqual(problems(both, [asked, answered]), [
      endless('customer.answered v1 → chat.asked v1 → customer.answered v1'),
    ])
  })

  test('through one reaction', () => {
    assert.deepEqual(problems([user, more(chat, asked, asked), customer], [asked]), [
      endless('chat.asked v1 → chat.asked v1'),
    ])
  })

  test('through a saga that starts again when it has ended', () => {
    const restarting = { ...more(user, registered, signUpStarted), forOutside: [] }
    assert.deepEqual(problems([restarting, chat, customer]), [
      endless('user.registered v1 → user.sign-up-started v1 → user.registered v1'),
    ])
  })
})

suite('the page', () => {
  const page = renderChoreography({ events, services: [user, chat, customer] })

  test('tells who tells whom, and what is only for outside', () => {
    assert.match(page, /s1\["user"\]\n {2}s2\["chat"\]\n {2}s3\["customer"\]\n {2}s4\(\["outside"\]\)\n/)
    assert.match(page, / s2 -->\|"chat\.member-added<br\/>chat\.member-refused<br\/>chat\.member-removed"\| s1\n/)
    assert.match(page, / s1 -\.->\|"user\.registered"\| s4\n/)
  })

  test('tells how a saga goes, well and not', () => {
    const [, well = '', badly = ''] = /\n {2}alt [^\n]*\n(.*?)\n {2}else [^\n]*\n(.*?)\n {2}end\n/s.exec(page) ?? []
    const arrows = (text: string) => text.split('\n').map((line) => line.trim())
    assert.deepEqual(arrows(well), [
      's2->>s1: chat.member-added',
      's3->>s1: customer.wallet-opened',
      'Note over s1: completed',
      's1->>s4: user.registered',
    ])
    assert.deepEqual(arrows(badly), [
      's2-->>s1: chat.member-refused',
      's3-->>s1: customer.wallet-refused',
      'Note over s1: compensating',
      's1->>s2: user.sign-up-failed',
      's1->>s3: user.sign-up-failed',
      's2->>s1: chat.member-removed',
      's3->>s1: customer.wallet-closed',
      'Note over s1: failed, and nothing of it is left',
    ])
  })

  test('has a row for each event', () => {
    const rows = page.split('\n').filter((line) => line.startsWith('| `'))
    assert.equal(rows.length, events.length)
    assert.ok(
      rows.includes(
        '| `chat.member-added` v1 | `chat` | `user` | sign-up, chat: done | `chat.member-removed`, when it hears `user.sign-up-failed` |',
      ),
    )
    assert.ok(
      rows.includes(
        '| `user.registered` v1 | `user` | only outside | sign-up, completes it | nothing: from here on it cannot fail |',
      ),
    )
  })
})
