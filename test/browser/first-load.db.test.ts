// What a page needs is asked for while the app's own code, by far the largest file, is still on its way; and once.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { newcomer, person } from '../support/people.ts'
import { until } from '../support/until.ts'
import { startWeb } from '../support/web.ts'

const web = await startWeb({ after })

test('before the app is there: the page, its texts, who one is, where the stream stands, and what is said', async (t) => {
  const { page, person: me } = await web.member(t)
  const other = await person(web.system.url, newcomer({ displayName: 'Hana' }))
  const cursor = async (): Promise<string> =>
    (await me.client.get<{ cursor: string }>('/api/notifications/summary')).body.cursor
  const before = await cursor()
  const room = await other.client.post<{ id: string }>('/api/rooms', { type: 'direct', userId: me.id })
  // Else it is told later, for which the messages are fetched once more.
  await until('the room is told', async () => (await cursor()) !== before)
  // Away from the page of the log-in, which may still ask for something.
  await page.goto('about:blank')
  const requests: string[] = []
  page.on('request', (request) => requests.push(new URL(request.url()).pathname))
  const wanted = [
    /\/rooms-.*\.js$/,
    /\/room-.*\.js$/,
    /\/en-.*\.js$/,
    /^\/api\/me$/,
    /^\/api\/notifications\/summary$/,
    /^\/api\/rooms$/,
    /^\/api\/rooms\/.*\/messages$/,
  ]
  const isAsked = Promise.all(
    wanted.map((path) => page.waitForRequest((one) => path.test(new URL(one.url()).pathname))),
  )
  await page.route('**/assets/app-*.js', async (route) => {
    await isAsked
    await route.continue()
  })
  await page.goto(`/rooms/${room.body.id}`)
  await page.getByRole('heading', { name: 'Hana' }).waitFor()
  for (const path of wanted)
    assert.equal(requests.filter((one) => path.test(one)).length, 1, `${path} of ${requests.join()}`)
})
