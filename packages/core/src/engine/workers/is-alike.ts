import { isDeepStrictEqual } from 'node:util'
import type { WorkerRecord } from '../../ports/worker-record.ts'

/** Whether a worker can do what it could do before. */
export function isAlike(
  {
    before,
    now,
  }: {
    readonly before: WorkerRecord | undefined
    readonly now: WorkerRecord | undefined
  },
  minReputation: number,
): boolean {
  if (before === undefined || now === undefined) return false
  const { status, registeredAt, maxConcurrentTasks } = before
  return (
    now.registeredAt === registeredAt &&
    now.maxConcurrentTasks === maxConcurrentTasks &&
    now.status === status &&
    now.isDraining === before.isDraining &&
    now.reputation >= minReputation === before.reputation >= minReputation &&
    isDeepStrictEqual(now.skills, before.skills)
  )
}
