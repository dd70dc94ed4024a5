import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from 'react-router'
import { api } from '../api.ts'
import { useSay } from '../language.ts'
import { queries } from '../state/queries.ts'
import { useMe } from '../state/session.ts'
import { toast } from '../shell/toasts.tsx'
import { problemText } from '../parts/problem.tsx'

const KEYWORDS = ['keywords'] as const
const AT_LEAST = 2
const AT_MOST = 30

export const useKeywords = () => {
  const me = useMe()
  return useQuery({
    queryKey: KEYWORDS,
    queryFn: async ({ signal }) => (await api('GET /api/me/keywords', { signal })).items,
    enabled: me != null,
  })
}

export const useKeyword = () => {
  const say = useSay()
  return useMutation({
    mutationFn: ({ keyword, wanted }: { keyword: string; wanted: boolean }) =>
      api(wanted ? 'PUT /api/me/keywords/{keyword}' : 'DELETE /api/me/keywords/{keyword}', { path: { keyword } }),
    onSuccess: () => queries.invalidateQueries({ queryKey: KEYWORDS }),
    onError: (error) => toast(problemText(error, say)),
  })
}

/** The words that one is told of; with `word`, the offer to be told of that one too. */
export function KeywordOffer({ word }: { word?: string }) {
  const say = useSay()
  const me = useMe()
  const { data: keywords = [] } = useKeywords()
  const { mutate } = useKeyword()
  if (!me) return null
  const keyword = word?.trim().slice(0, AT_MOST)
  if (keyword !== undefined) {
    if (Array.from(keyword).length < AT_LEAST) return null
    if (keywords.includes(keyword.toLowerCase()) || keywords.includes(keyword))
      return <p>{say('keyword.told', { keyword })}</p>
    return (
      <button type="button" className="button" onClick={() => mutate({ keyword, wanted: true })}>
        {say('keyword.tell', { keyword })}
      </button>
    )
  }
  return (
    <div className="alert-box">
      <b>{say('keyword.title')}</b>
      {say('keyword.text')}
      {keywords.length > 0 && (
        <ul>
          {keywords.map((one) => (
            <li key={one}>{one}</li>
          ))}
        </ul>
      )}
      <Link className="link" to="/me?tab=keywords">
        {say('keyword.change')}
      </Link>
    </div>
  )
}
