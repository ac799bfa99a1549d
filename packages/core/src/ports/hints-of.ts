import type { Hint } from './hint.ts'
import type { CommitEntry } from './storage.ts'
import { classIdOf } from './task-store.ts'

/**
 * What a committed entry is worth telling.
 * @param reservedFor - the workers that its tasks went to, by task id.
 */
export function hintsOf(
  { job, effects, reservations = [], handOvers = [], stepLease, withdrawn = [] }: CommitEntry,
  reservedFor: ReadonlyMap<string, string> = new Map(),
): readonly Hint[] {
  const hints: Hint[] = []
  const handed = new Map(handOvers.map((each) => [each.taskId, each]))
  const isHandedOver = (taskId: string): boolean => handed.has(taskId)
  const kinds = new Set(effects.map(({ kind }) => kind))
  for (const effect of effects) {
    if (effect.kind === 'set_deadline') hints.push({ kind: 'deadline', at: effect.at })
    if (effect.kind !== 'offer_task' || isHandedOver(effect.task.taskId)) continue
    const { taskId, demand, avoid } = effect.task
    const workerId = reservedFor.get(taskId)
    hints.push({
      kind: 'task',
      classId: classIdOf(demand),
      demand,
      ...(workerId !== undefined && { workerId }),
      ...(avoid !== null && { openToAllAt: avoid.until }),
    })
  }
  for (const { taskId, until } of reservations) {
    if (reservedFor.has(taskId)) hints.push({ kind: 'deadline', at: until })
  }
  for (const { now, leaseMs } of handed.values())
    hints.push({ kind: 'deadline', at: now + leaseMs })
  if (kinds.has('run_step') && stepLease === undefined) hints.push({ kind: 'step' })
  if (kinds.has('record')) hints.push({ kind: 'record' })
  if (kinds.has('send')) hints.push({ kind: 'message' })
  for (const each of withdrawn) hints.push({ kind: 'withdrawn', ...each })
  if (job.finishedAt !== null) hints.push({ kind: 'job_ended', jobId: job.id })
  return hints
}
