import { useQuery } from '@tanstack/react-query'
import { api } from '../api.ts'
import { Heading } from '../parts/heading.tsx'
import { Problem } from '../parts/problem.tsx'
import { spanOf } from './clock.ts'
import { useWords } from './words.ts'

const EVERY_MS = 5_000

/** How far behind each service is: what it has not sent, and what it has not read. */
export function Page() {
  const words = useWords()
  const { data, error, refetch } = useQuery({
    queryKey: ['admin', 'lag'],
    queryFn: ({ signal }) => api('GET /api/admin/lag', { signal }),
    refetchInterval: EVERY_MS,
  })
  return (
    <main id="main" className="wrap page">
      <Heading title={words.lag} />
      {error && !data && <Problem error={error} retry={() => void refetch()} />}
      {data?.items.map(({ service, outbox, partitions }) => (
        <section key={service} className="lag">
          <h2 data-lane={service}>{service}</h2>
          <dl className="saga-facts">
            <div>
              <dt>{words.outbox}</dt>
              <dd>{outbox.rows}</dd>
            </div>
            <div>
              <dt>{words.oldest}</dt>
              <dd>{outbox.rows === 0 ? words.nothing : spanOf(outbox.oldestMs)}</dd>
            </div>
          </dl>
          <div className="table-frame">
            <table>
              <thead>
                <tr>
                  {[words.group, words.topic, words.partition, words.behind].map((title) => (
                    <th key={title} scope="col">
                      {title}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {partitions.map(({ group, topic, partition, behind }) => (
                  <tr key={`${group} ${topic} ${partition}`}>
                    <td>{group}</td>
                    <td>{topic}</td>
                    <td>{partition}</td>
                    <td className={behind > 0 ? 'behind' : undefined}>{behind}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </section>
      ))}
    </main>
  )
}
