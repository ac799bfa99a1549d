/** Workers that take only so many tasks of one type at a time (W2). Pure. */
import type { TypeLimit } from '../../ports/task-store.ts'
import type { WorkerRecord } from '../../ports/worker-record.ts'

/** Whether a worker takes only so many tasks of a type: only the store knows whether it has room. */
export function isLimited({ skills }: WorkerRecord, type: string): boolean {
  return skills.some(
    ({ name, maxConcurrentTasks }) => name === type && maxConcurrentTasks !== undefined,
  )
}

/**
 * The limits of a worker, of several versions of one skill the least.
 * @param classesOf - those of the classes it fits that are of a type.
 */
export function typeLimits(
  { skills }: WorkerRecord,
  classesOf: (type: string) => readonly string[],
): readonly TypeLimit[] {
  const most = new Map<string, number>()
  for (const { name, maxConcurrentTasks } of skills) {
    if (maxConcurrentTasks === undefined) continue
    most.set(name, Math.min(maxConcurrentTasks, most.get(name) ?? Infinity))
  }
  return [...most].map(([type, limit]) => ({ type, most: limit, classIds: classesOf(type) }))
}
