/** What a browser's window, or a worker, has of the browser's own word on its state; elsewhere nothing is there. */
interface Page {
  addEventListener?: (type: string, listener: (event: PageEvent) => void) => void
  removeEventListener: (type: string, listener: (event: PageEvent) => void) => void
  document?: { visibilityState: string }
}
interface PageEvent {
  type: string
  persisted?: boolean
}

const TYPES = ['online', 'offline', 'pageshow', 'visibilitychange']

/**
 * Tells when the page is looked at again (`back`), when its connections are most likely gone because the network has changed or the page
 * was frozen (`changed`), and when the network is gone. Returns what ends that. Outside of a browser nothing is told.
 */
export function onPage(tell: { back(): void; changed(): void; offline(): void }): () => void {
  const page = globalThis as unknown as Page
  if (!page.addEventListener) return () => {}
  const listen = ({ type, persisted }: PageEvent): void => {
    if (type === 'offline') tell.offline()
    else if (type === 'online' || persisted) tell.changed()
    else if (page.document?.visibilityState !== 'hidden') tell.back()
  }
  for (const type of TYPES) page.addEventListener(type, listen)
  return () => TYPES.forEach((type) => page.removeEventListener(type, listen))
}
