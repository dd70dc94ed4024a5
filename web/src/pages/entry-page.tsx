import { setLanguage, useLanguage, useSay } from '../language.ts'
import { Brand } from '../parts/brand.tsx'

/** The pages by which one comes in: a form, and a picture. */
export function EntryPage({
  picture,
  children,
  tall = false,
}: {
  picture: React.ReactNode
  children: React.ReactNode
  tall?: boolean
}) {
  const say = useSay()
  const language = useLanguage()
  return (
    <div className={`entry${tall ? ' tall' : ''}`}>
      <main id="main" className="pane">
        <div className="head">
          <Brand />
          <div className="languages" role="group" aria-label={say('language')}>
            <button type="button" lang="ko" aria-pressed={language === 'ko'} onClick={() => void setLanguage('ko')}>
              한국어
            </button>
            <button type="button" lang="en" aria-pressed={language === 'en'} onClick={() => void setLanguage('en')}>
              English
            </button>
          </div>
        </div>
        {children}
      </main>
      <div className="side">{picture}</div>
    </div>
  )
}
