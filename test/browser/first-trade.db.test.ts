// From two sign-ups to the first trade, in two browsers.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Page } from 'playwright-core'
import { newcomer } from '../support/people.ts'
import { bubbles, signUp, startWeb } from '../support/web.ts'

const web = await startWeb({ after })

async function write(page: Page, text: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Message' }).fill(text)
  await page.keyboard.press('Enter')
}

test('one offers a plant, the other finds it, and they settle it in a chat', async (t) => {
  const [{ page: seller }, { page: buyer }] = await Promise.all([web.stranger(t), web.stranger(t)])
  await Promise.all([
    signUp(seller, newcomer({ displayName: 'Nayun' })),
    signUp(buyer, newcomer({ displayName: 'Minjae' })),
  ])

  await seller.getByRole('link', { name: 'Sell' }).click()
  await seller.getByLabel('Title').fill('Staghorn fern on a board')
  await seller.getByLabel('Price').fill('20000')
  await seller.getByLabel('Description').fill('It hangs well.')
  await seller.getByRole('button', { name: 'Post', exact: true }).click()
  await seller.getByRole('heading', { level: 1, name: 'Staghorn fern on a board' }).waitFor()
  const post = seller.url()

  await buyer.getByRole('searchbox', { name: 'Search' }).fill('staghorn')
  await buyer.keyboard.press('Enter')
  await buyer.getByRole('heading', { level: 1, name: 'Results for “staghorn”' }).waitFor()
  await buyer.getByRole('link', { name: 'Staghorn fern on a board' }).click()
  await buyer.getByRole('heading', { level: 1, name: 'Staghorn fern on a board' }).waitFor()
  await buyer.getByRole('button', { name: 'Chat' }).click()
  await buyer.getByRole('heading', { level: 1, name: 'Nayun' }).waitFor()
  await write(buyer, 'Is the fern still there?')

  await seller
    .getByRole('link', { name: /^Chats/ })
    .getByText('1 unread')
    .waitFor()
  await seller.getByRole('link', { name: /^Chats/ }).click()
  await seller
    .getByRole('list', { name: 'Chats' })
    .getByRole('link', { name: /Minjae/ })
    .click()
  await bubbles(seller).getByText('Is the fern still there?').waitFor()
  await write(seller, 'It is. Tomorrow at six?')
  await bubbles(buyer).getByText('It is. Tomorrow at six?').waitFor()
  await write(buyer, 'Gladly.')
  await bubbles(seller).getByText('Gladly.').waitFor()
  const said = ['Is the fern still there?', 'It is. Tomorrow at six?', 'Gladly.']
  for (const page of [seller, buyer]) assert.deepEqual(await bubbles(page).allTextContents(), said)

  // The room tells of it, and so does the strip with what it is about.
  const about = buyer.locator('.about')
  const log = buyer.getByRole('log', { name: 'Messages' })
  await seller.goto(post)
  await seller.getByRole('button', { name: 'Reserve' }).click()
  await about.getByText('Reserved', { exact: true }).waitFor()
  await log.getByText('The post is reserved').waitFor()
  await seller.getByRole('button', { name: 'Mark as sold' }).click()
  const dialog = seller.getByRole('dialog', { name: 'Mark this as sold?' })
  await dialog.getByLabel('Who took it').selectOption('Minjae')
  await dialog.getByRole('button', { name: 'Mark as sold' }).click()
  await about.getByText('Sold', { exact: true }).waitFor()
  await log.getByText('The plant is sold').waitFor()
  await seller.getByRole('region', { name: 'Staghorn fern on a board' }).getByText('Sold', { exact: true }).waitFor()
})
