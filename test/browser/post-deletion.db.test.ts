// A post is deleted: the seller sees what becomes of it, and of its chats; whoever has one open sees that it is gone.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { person } from '../support/people.ts'
import { offer } from '../support/posts.ts'
import { openRoom, say } from '../support/talk.ts'
import { bubbles, startWeb } from '../support/web.ts'

const web = await startWeb({ after })

test('the seller sees the steps come to their end, with what went along, and the buyer’s room is gone', async (t) => {
  const [seller, buyer, other] = await Promise.all([
    web.member(t, { who: { displayName: 'Nayun' } }),
    web.member(t, { who: { displayName: 'Minjae' } }),
    person(web.system.url),
  ])
  const post = await offer(seller.person, { title: 'Fern' })
  const room = { type: 'trade', postId: post.id } as const
  const roomId = await openRoom(buyer.person, room)
  for (const text of ['one', 'two', 'three']) await say(buyer.person, roomId, text)
  await say(other, await openRoom(other, room), 'four')

  await buyer.page.goto(`/rooms/${roomId}`)
  await bubbles(buyer.page).getByText('three').waitFor()
  const { page } = seller
  await page
    .getByRole('link', { name: /^Chats/ })
    .getByText('4 unread')
    .waitFor()
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  await page.route('**/api/sagas/post-deletion/**', async (route) => {
    await held
    await route.continue()
  })
  await page.goto(`/posts/${post.id}`)
  await page.getByRole('button', { name: 'Delete post' }).click()
  const dialog = page.getByRole('dialog', { name: 'Delete this post?' })
  await dialog.getByText('2 chats and 4 messages go with it.').waitFor()
  await dialog.getByRole('button', { name: 'Delete post' }).click()

  const steps = page.getByRole('list', { name: 'Deletion progress' })
  await page.getByRole('heading', { level: 1, name: 'Deleting your post' }).waitFor()
  for (const name of ['Posts: done', 'Chat: pending']) await steps.getByRole('listitem', { name }).waitFor()
  release()
  const chat = steps.getByRole('listitem', { name: 'Chat: done' })
  await chat.getByText('2 chats and 4 messages removed').waitFor()
  await page.getByRole('heading', { level: 1, name: 'Your post is gone' }).waitFor()

  await buyer.page.getByRole('heading', { level: 1, name: 'This chat is gone' }).waitFor()
  await buyer.page.getByText('No chats yet').waitFor()
  await buyer.page
    .getByRole('link', { name: /^Notifications/ })
    .getByText('1 unread')
    .waitFor()

  await page.getByRole('main').getByRole('link', { name: 'Browse' }).click()
  await page.getByRole('heading', { level: 1, name: 'Plants looking for a home' }).waitFor()
  assert.equal(await page.getByRole('link', { name: 'Fern' }).count(), 0)
  await page.getByRole('link', { name: 'Chats' }).click()
  await page.getByText('No chats yet').waitFor()
})
