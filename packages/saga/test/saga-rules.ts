import type { SagaDefinition, SagaStatus, SagaView } from '../src/index.ts'

const NEXT: Record<SagaStatus, readonly SagaStatus[]> = {
  running: ['running', 'completed', 'compensating'],
  compensating: ['compensating', 'failed'],
  completed: [],
  failed: [],
}
const MEMBERS = ['id', 'type', 'status', 'version', 'steps', 'reason', 'startedAt', 'deadline', 'endedAt']
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

/** What is wrong with the versions of a saga, from the first on, as sentences; none when all is right. */
export function faultsOf(definition: SagaDefinition<never>, versions: readonly SagaView[]): string[] {
  return versions.flatMap((view, i) => {
    const before = versions[i - 1]
    return [
      ...faultsOfView(definition, view),
      ...(view.version === i + 1 ? [] : [`stands at place ${i + 1}`]),
      ...(before && !NEXT[before.status].includes(view.status) ? [`${before.status} became ${view.status}`] : []),
    ].map((fault) => `version ${view.version}: ${fault}`)
  })
}

function faultsOfView({ own, steps: participants }: SagaDefinition<never>, view: SagaView): string[] {
  const faults: string[] = []
  const hold = (rule: boolean, fault: string): void => void (rule || faults.push(fault))
  const { status, steps, reason, endedAt } = view
  const asked = Object.keys(participants)
  const names = own === undefined ? asked : [own, ...asked]
  const ended = status === 'completed' || status === 'failed'
  hold(Object.keys(view).join() === MEMBERS.join(), `has the members ${Object.keys(view).join()}`)
  hold(Object.keys(steps).join() === names.join(), `has the steps ${Object.keys(steps).join()}`)
  hold(TIME.test(view.startedAt) && TIME.test(view.deadline), 'has a time in another shape')
  hold(ended ? endedAt !== null && TIME.test(endedAt) : endedAt === null, `is ${status} and ended at ${endedAt}`)
  hold((status === 'running' || status === 'completed') === (reason === null), `is ${status} with the reason ${reason}`)
  for (const [name, step] of Object.entries(steps)) {
    const says = `is ${status} with ${name} ${step.status}`
    hold((step.status === 'failed') === (step.reason !== undefined), `${says} for the reason ${step.reason}`)
    if (status === 'running') hold(step.status === 'pending' || step.status === 'done', says)
    if (status === 'completed') hold(step.status === 'done', says)
    if (status === 'failed') hold(step.status !== 'done' && step.status !== 'pending', says)
  }
  if (status === 'completed')
    hold(endedAt! < view.deadline, `completed at ${endedAt}, its deadline was ${view.deadline}`)
  if (status === 'running')
    hold(
      asked.some((name) => steps[name]?.status === 'pending'),
      'is running and waits for nobody',
    )
  if (status === 'compensating') {
    const open = asked.some((name) => ['pending', 'done'].includes(steps[name]?.status ?? ''))
    const broken = asked.some((name) => steps[name]?.status === 'failed')
    hold(open || broken, 'is compensating without a reason to')
  }
  return faults
}
