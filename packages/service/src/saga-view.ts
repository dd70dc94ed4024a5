import { Type } from 'typebox'
import { nullable, Time } from './schema.ts'

const Step = Type.Object(
  {
    status: Type.Enum(['pending', 'done', 'failed', 'undone', 'skipped'], { title: 'StepStatus' }),
    reason: Type.Optional(Type.String()),
    detail: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  { title: 'Step' },
)

export const SagaStatusSchema = Type.Enum(['running', 'completed', 'compensating', 'failed'], { title: 'SagaStatus' })

/** A saga as every client sees it, in answers and in the frames of its stream. */
export const SagaViewSchema = Type.Object(
  {
    id: Type.String(),
    type: Type.String(),
    status: SagaStatusSchema,
    version: Type.Integer(),
    steps: Type.Record(Type.String(), Step),
    reason: nullable(Type.String()),
    startedAt: Time,
    deadline: Time,
    endedAt: nullable(Time),
  },
  { title: 'Saga' },
)
