// A chat of thousands of messages: only some of its rows are in the page, and one does not notice.
import assert from 'node:assert/strict'
import { after, test, type TestContext } from 'node:test'
import type { Page } from 'playwright-core'
import { drawn, scrolledOn, watchLog } from '../support/page-watch.ts'
import { person } from '../support/people.ts'
import { addMessages } from '../support/rooms.ts'
import { until } from '../support/until.ts'
import { startWeb } from '../support/web.ts'

const MESSAGES = 3_000
/** That are drawn. */
const ROWS = 200

const web = await startWeb({ after })
const other = await person(web.system.url, { displayName: 'Minjae' })

/** Somebody who has opened a chat of so many messages; all but the last `unread` are read. */
async function inLongChat(t: TestContext, { count = MESSAGES, unread = 0 } = {}) {
  const member = await web.member(t)
  const { page, person: me } = member
  const { body } = await other.client.post<{ id: string }>('/api/rooms', { type: 'direct', userId: me.id })
  await addMessages(web.system.databases.chat, body.id, { senderIds: [me.id, other.id], count, unread })
  await page.goto(`/rooms/${body.id}`)
  await page.locator('.bubble').first().waitFor()
  await page.getByRole('log', { name: 'Messages' }).hover()
  return { ...member, roomId: body.id }
}

async function say(roomId: string, text: string): Promise<void> {
  const message = { clientMessageId: crypto.randomUUID(), text }
  const { status, text: why } = await other.client.post(`/api/rooms/${roomId}/messages`, message)
  assert.equal(status, 201, why)
}

/** What is drawn, one below the other: the places of messages, and `day` for the dividers. */
const rowsOf = (page: Page): Promise<(number | string)[]> =>
  page.evaluate(`[...document.querySelectorAll('.log-row')].map(({ dataset, firstElementChild }) =>
    dataset.seq ? Number(dataset.seq) : firstElementChild.className)`)

/** Turns the wheel until the message of this place is drawn. */
async function wheelTo(page: Page, seq: number, step: number): Promise<void> {
  const turn = async (): Promise<boolean> => {
    await page.mouse.wheel(0, step)
    await drawn(page)
    return (await page.locator(`[data-seq="${seq}"]`).count()) > 0
  }
  await until(`message ${seq}`, turn, 45_000)
}

test(`of ${MESSAGES} messages no more than ${ROWS} rows are in the page, in order, and nothing jumps`, async (t) => {
  const { page } = await inLongChat(t)
  await page.locator(`[data-seq="${MESSAGES}"]`).waitFor()
  await watchLog(page)
  await wheelTo(page, 1, -4_000)
  const rows = await rowsOf(page)
  const seqs = rows.filter((row) => typeof row === 'number')
  assert.deepEqual(rows.slice(0, 2), ['day', 1])
  assert.deepEqual(
    seqs,
    Array.from(seqs, (_, i) => i + 1),
  )
  assert.equal(await page.locator('.earlier').count(), 0)
  const { rows: most, jump, wasReadOut } = await scrolledOn(page)
  assert.ok(most <= ROWS, `${most} rows`)
  assert.ok(jump < 2, `${jump} px without the wheel`)
  assert.equal(wasReadOut, false)
})

test('days and the unread line stay where they are between the messages, there and back', async (t) => {
  const unread = 500
  const { page } = await inLongChat(t, { count: 1_000, unread })
  await page.locator('.unread-line').waitFor()
  await watchLog(page)
  await wheelTo(page, 1, -4_000)
  assert.equal(await page.locator('.unread-line').count(), 0)
  await wheelTo(page, unread + 1, 3_000)
  const rows = await rowsOf(page)
  assert.deepEqual(
    rows.slice(rows.indexOf(unread), rows.indexOf(unread + 1) + 1).filter((row) => row !== 'day'),
    [unread, 'unread-line', unread + 1],
  )
  await wheelTo(page, 1_000, 3_000)
  const { rows: most, jump, wasReadOut } = await scrolledOn(page)
  assert.ok(most <= ROWS, `${most} rows`)
  assert.ok(jump < 2, `${jump} px without the wheel`)
  assert.equal(wasReadOut, false)
})

test('a new message is read out at the end of the log; away from it a status tells that there is one', async (t) => {
  const { page, roomId } = await inLongChat(t, { count: 1_000 })
  await page.locator('[data-seq="1000"]').waitFor()
  await watchLog(page)
  await say(roomId, 'Here you are')
  await page.locator('.log').getByText('Here you are').waitFor()
  assert.equal((await scrolledOn(page)).wasReadOut, true)
  await wheelTo(page, 700, -3_000)
  await page.evaluate('scrolled.wasReadOut = false')
  await say(roomId, 'Still there?')
  await page.getByRole('status').getByRole('button', { name: 'New messages 1' }).waitFor()
  assert.equal((await scrolledOn(page)).wasReadOut, false)
})

test('the keyboard goes on where one is when what had the focus is no longer drawn', async (t) => {
  const { page, roomId, errors } = await inLongChat(t, { count: 1_000 })
  const { chat } = web.system.databases
  await chat.query(
    `update chat.message set kind = 'image', text = null, image_id = gen_random_uuid() where room_id = $1 and seq = 1000`,
    [roomId],
  )
  await page.reload()
  await page.locator('[data-seq="1000"] a').focus()
  await page.getByRole('log', { name: 'Messages' }).hover()
  await wheelTo(page, 600, -3_000)
  assert.equal(await page.locator('[data-seq="1000"]').count(), 0)
  assert.equal(await page.evaluate('document.activeElement.role'), 'log')
  const [first = 0] = (await rowsOf(page)).filter((row) => typeof row === 'number')
  await page.keyboard.press('Home')
  await page.locator(`[data-seq="${first - 20}"]`).waitFor()
  // The image is nowhere.
  errors.length = 0
})
