// What people feel of the web app, in Chromium, against Pando in a process of its own: `npm run bench -- web`.
import type { BrowserContextOptions, Page } from 'playwright-core'
import { chromiumPath, startChromium } from '../test/support/chromium.ts'
import { person, type Person } from '../test/support/people.ts'
import { logIn } from '../test/support/web.ts'
import { remove, startPando, temporaryFolder } from './pando.ts'
import type { Row } from './row.ts'
import { chatRows } from './web-chat.ts'
import { pageRows } from './web-pages.ts'

const PREFIX = 'benchweb'
const ENV = { PASSWORD_HASH_MEMORY_KIB: '8', PASSWORD_HASH_PASSES: '1', DATABASE_PREFIX: PREFIX }

/** Where the pages are opened, by whom. */
export interface Target {
  url: string
  clusterUrl: string
  prefix: string
  me: Person
  other: Person
  /** Opens a page in a browser of its own, with nothing in its cache. */
  open(who: Person | undefined, options: BrowserContextOptions): Promise<Page>
}

export async function web(clusterUrl: string): Promise<Row[]> {
  if (chromiumPath() === undefined) {
    console.error('skipped: web (no Chromium; install it, or set CHROMIUM to its path)')
    return []
  }
  const folder = await temporaryFolder()
  const pando = await startPando(`${folder}/data`, { ...ENV, DATABASE_URL: clusterUrl })
  const closing: (() => Promise<unknown>)[] = []
  try {
    const { url } = pando
    const browser = await startChromium({ after: (close) => void closing.push(close) })
    const [me, other] = [await person(url, { displayName: 'Nayun' }), await person(url, { displayName: 'Minjae' })]
    const sessions = new Map<Person, Exclude<BrowserContextOptions['storageState'], undefined>>()
    for (const who of [me, other]) {
      await who.client.patch('/api/me', { locale: 'en' })
      const context = await browser.newContext({ baseURL: url })
      await logIn(await context.newPage(), who)
      sessions.set(who, await context.storageState())
      await context.close()
    }
    const open: Target['open'] = async (who, options) => {
      const storageState = who && sessions.get(who)
      const context = await browser.newContext({
        baseURL: url,
        locale: 'en-GB',
        ...(storageState && { storageState }),
        ...options,
      })
      return context.newPage()
    }
    const target: Target = { url, clusterUrl, prefix: PREFIX, me, other, open }
    return [...(await pageRows(target)), ...(await chatRows(target))]
  } finally {
    for (const close of closing) await close()
    await pando.stop()
    await remove(folder)
  }
}
