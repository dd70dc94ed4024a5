import type { Saga, SagaStatus } from '../contract.ts'
import { Icon, type IconName } from '../parts/icon.tsx'
import { useWords } from './words.ts'

const LOOKS: Record<SagaStatus, [look: string, icon: IconName]> = {
  running: ['info', 'retry'],
  compensating: ['warn', 'undo'],
  completed: ['ok', 'check'],
  failed: ['bad', 'undo'],
}

export const isOverdue = ({ endedAt, deadline }: Saga, now: number): boolean =>
  endedAt === null && Date.parse(deadline) < now

export function SagaTag({ status }: { status: SagaStatus }) {
  const words = useWords()
  const [look, icon] = LOOKS[status]
  return (
    <span className={`tag ${look}`}>
      <Icon name={icon} small />
      {words[status]}
    </span>
  )
}
