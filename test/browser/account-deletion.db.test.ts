// Leaving for good, from the settings: asked for the password, watched to the end, and gone.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { transaction } from '@pando/saga'
import { post, walletAccount } from '../../services/customer/src/ledger.ts'
import { becomes } from '../support/page-watch.ts'
import { startWeb } from '../support/web.ts'

const web = await startWeb({ after })
const { databases } = web.system

const TEXTS = {
  en: {
    button: 'Delete account',
    dialog: 'Delete your account?',
    password: 'Password',
    wrong: 'That is not your password',
    running: 'Deleting your account',
    steps: 'Deletion progress',
    wallet: { pending: 'Wallet: pending', done: 'Wallet: done' },
    gone: 'Your account is gone',
    onward: 'Browse',
    username: 'Username',
    logIn: 'Log in',
    unknown: 'This name and password do not belong together',
    free: 'Free to take',
  },
  ko: {
    button: '계정 지우기',
    dialog: '계정을 지울까요?',
    password: '비밀번호',
    wrong: '비밀번호가 맞지 않아요',
    running: '계정을 지우고 있어요',
    steps: '탈퇴 진행',
    wallet: { pending: '지갑: 진행 중', done: '지갑: 완료' },
    gone: '계정을 지웠어요',
    onward: '둘러보기',
    username: '아이디',
    logIn: '로그인',
    unknown: '아이디와 비밀번호가 서로 맞지 않아요',
    free: '쓸 수 있는 아이디예요',
  },
}

for (const language of ['en', 'ko'] as const)
  test(`an account is deleted, step by step, and its name is free: ${language}`, async (t) => {
    const words = TEXTS[language]
    const { page, person: me, errors } = await web.member(t, { language })
    await page.goto('/settings')
    await page.getByRole('button', { name: words.button }).click()
    const dialog = page.getByRole('dialog', { name: words.dialog })
    const password = dialog.getByLabel(words.password, { exact: true })
    await password.fill('not the password')
    await dialog.getByRole('button', { name: words.button }).click()
    await dialog.getByText(words.wrong).waitFor()
    // What the server refuses, the browser calls an error.
    assert.equal(errors.length, 1)
    assert.match(errors.pop()!, /403 .*\/api\/me$/)

    await password.fill(me.password)
    const steps = page.getByRole('list', { name: words.steps })
    await transaction(databases.customer, async (tx) => {
      // The wallet cannot be closed for a while.
      await tx.query('select from customer.wallet where user_id = $1 for update', [me.id])
      await dialog.getByRole('button', { name: words.button }).click()
      await page.getByRole('heading', { level: 1, name: words.running }).waitFor()
      await steps.locator('[data-status=done]').nth(2).waitFor()
      await steps.getByRole('listitem', { name: words.wallet.pending }).waitFor()
    })
    await page.getByRole('heading', { level: 1, name: words.gone }).waitFor()
    await steps.getByRole('listitem', { name: words.wallet.done }).waitFor()
    assert.equal(await steps.locator('[data-status=done]').count(), 4)
    // Nobody is logged in any more, and it is still there to be read.
    await becomes(page, `localStorage.getItem('pando.renewed-at') === null`)
    assert.ok(await page.getByRole('heading', { level: 1, name: words.gone }).isVisible())

    await page.getByRole('main').getByRole('link', { name: words.onward }).click()
    await page.getByRole('navigation').getByRole('link', { name: words.logIn }).click()
    await page.getByLabel(words.username).fill(me.username)
    await page.getByLabel(words.password, { exact: true }).fill(me.password)
    await page.getByRole('main').getByRole('button', { name: words.logIn }).click()
    await page.getByText(words.unknown).waitFor()
    assert.match(errors.pop()!, /401 .*\/api\/sessions$/)
    await page.goto('/sign-up')
    await page.getByLabel(words.username).fill(me.username)
    await page.getByText(words.free).waitFor()
  })

test('who has money in the wallet is told so beforehand, is refused, and is still there', async (t) => {
  const { page, person: me } = await web.member(t)
  await transaction(databases.customer, (tx) =>
    post(tx, 'charge', [
      { account: 'house:cash', amount: -1_000 },
      { account: walletAccount(me.id), amount: 1_000 },
    ]),
  )
  await page.goto('/settings')
  await page.getByRole('button', { name: 'Delete account' }).click()
  const dialog = page.getByRole('dialog', { name: 'Delete your account?' })
  await dialog.getByText('There is ₩1,000 in your wallet.').waitFor()
  await dialog.getByLabel('Password', { exact: true }).fill(me.password)
  await dialog.getByRole('button', { name: 'Delete account' }).click()
  await page.getByRole('heading', { level: 1, name: 'Your account was not deleted' }).waitFor()
  const steps = page.getByRole('list', { name: 'Deletion progress' })
  await steps.getByRole('listitem', { name: 'Wallet: failed' }).getByText('There is money in the wallet').waitFor()
  await page.getByRole('link', { name: 'Back' }).click()
  await page.getByRole('heading', { level: 1, name: 'Settings' }).waitFor()
  await page.reload()
  await page.getByRole('heading', { level: 1, name: 'Settings' }).waitFor()
  assert.equal(await page.getByLabel('Display name').inputValue(), me.displayName)
})
