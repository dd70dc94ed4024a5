import './styles/tokens.css'
import './styles/base.css'
import './styles/controls.css'
import './styles/shell.css'
import { QueryClientProvider } from '@tanstack/react-query'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { RouterProvider } from 'react-router/dom'
import { setLanguage } from './language.ts'
import { mayHaveSession } from './renewal.ts'
import { router } from './router.tsx'
import { askPosition } from './state/notifications.ts'
import { queries } from './state/queries.ts'
import { askMe } from './state/session.ts'
import { showTheme } from './theme.ts'
import { ownLanguage } from './words/load.ts'

// While the page's own chunk is on its way: most pages wait for all of it before they ask for more.
askMe()
if (mayHaveSession()) askPosition()
showTheme()
await setLanguage(ownLanguage())
createRoot(document.getElementById('app')!).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
)
