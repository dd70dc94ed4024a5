import type { SagaDefinition } from '@pando/saga'
import { faultsOf } from '../saga-rules.ts'
import type { Initiated, Told } from './initiator.ts'
import type { Row } from './participant.ts'

type Rows = ReadonlyMap<string, Row>

/** What is wrong with the state in which a run has come to rest, as sentences; none when all is right. */
export function faultsOfRun({
  definitions,
  told,
  rows,
  strangers,
}: {
  definitions: readonly SagaDefinition[]
  told: Initiated
  /** What each participant has. */
  rows: ReadonlyMap<string, Rows>
  /** The rows that participants had before any saga. */
  strangers: ReadonlyMap<string, Rows>
}): string[] {
  const sagas = [...told.sagas.values()]
  const faults = sagas.flatMap((saga) =>
    faultsOfSaga(definitions, saga).map((fault) => `${saga.state.view.id}: ${fault}`),
  )
  for (const [user, account] of told.accounts) {
    const own = sagas.filter((saga) => saga.user === user)
    const done = (type: string): string[] =>
      own.flatMap(({ state: { view } }) => (view.type === type && view.status === 'completed' ? [view.id] : []))
    const [made, ...more] = done('sign-up')
    if (more.length > 0) faults.push(`${user} signed up twice: ${[made, ...more].join()}`)
    const isGone = done('account-deletion').length > 0
    const right = made === undefined ? 'none' : isGone ? 'deleted' : 'active'
    if (account !== right) faults.push(`${user}'s account is ${account}, not ${right}`)
    for (const [participant, has] of rows) {
      const before = strangers.get(participant)?.get(user)
      const madeBy = made === undefined ? before?.madeBy : isGone ? undefined : made
      const row = has.get(user)
      if (row?.madeBy !== madeBy)
        faults.push(`${participant} has a row of ${user} made by ${row?.madeBy}, not by ${madeBy}`)
      if (row && row.heldBy !== null) faults.push(`${participant} still holds ${user} for ${row.heldBy}`)
    }
  }
  return faults
}

function faultsOfSaga(
  definitions: readonly SagaDefinition[],
  { state: { view }, versions, published }: Told,
): string[] {
  const definition = definitions.find(({ type }) => type === view.type)!
  const faults = faultsOf(definition, versions)
  const end =
    view.status === 'completed' ? definition.completes : view.status === 'failed' ? definition.fails : undefined
  if (end === undefined) faults.push(`is ${view.status} for ever`)
  else if (published.join() !== end.type) faults.push(`${view.status}, and published ${published.join() || 'nothing'}`)
  return faults
}
