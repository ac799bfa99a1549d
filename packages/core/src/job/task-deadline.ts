/** When a task needs attention without a word from its worker. */
import type { TaskRun } from './task.ts'
import { unreachable } from './unreachable.ts'
import type { EpochMs } from './vocabulary.ts'

/** When a task needs attention; `null` if only a worker can move it. */
export function taskDeadline({ phase }: TaskRun): EpochMs | null {
  switch (phase.kind) {
    case 'offered':
      return phase.dispatchDeadlineAt
    case 'claimed':
      return phase.deadlineAt
    case 'backing_off':
      return phase.until
    default:
      return unreachable(phase)
  }
}

/** The earlier of two moments, where `null` is never. */
export function earliest(a: EpochMs | null, b: EpochMs | null): EpochMs | null {
  if (a === null) return b
  return b === null ? a : Math.min(a, b)
}
