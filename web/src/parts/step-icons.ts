import type { Step } from '../contract.ts'
import type { IconName } from './icon.tsx'

/** What stands for how far a step of a saga has come. */
export const STEP_ICONS: Record<Step['status'], IconName> = {
  done: 'check',
  pending: 'retry',
  failed: 'alert',
  undone: 'undo',
  skipped: 'minus',
}
