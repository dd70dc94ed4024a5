// A small file beside the app's own, so that what this page needs is fetched while that large one still is. vite.config.ts puts it on the page.
import { pagesAt } from './addresses.ts'
import { begin } from './begun.ts'
import { type Address, PAGES } from './pages.ts'
import { mayHaveSession, renewed } from './renewal.ts'
import { loadWords, ownLanguage } from './words/load.ts'

// The app asks for all of this again, or takes it, and tells what fails.
const ignore = (): void => {}
const pages = pagesAt(location.pathname, Object.keys(PAGES) as Address[])
loadWords(ownLanguage()).catch(ignore)
for (const page of pages) PAGES[page]().catch(ignore)
if (mayHaveSession()) beginRequests().catch(ignore)

async function beginRequests(): Promise<void> {
  if ((await renewed(false)) !== 'good') return
  void begin('/api/me')
  // Where the stream stands, before anything that it tells changes of.
  const { ok } = await begin('/api/notifications/summary')
  if (!ok) return
  if (pages.includes('/rooms')) void begin('/api/rooms?limit=100')
  if (pages.includes('/rooms/:id')) void begin(`/api/rooms/${location.pathname.split('/')[2]}/messages?limit=50`)
}
