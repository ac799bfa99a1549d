/** Which demands a worker meets. Pure. */
import type { TaskDemand } from '../job/job.ts'
import type { WorkerRecord } from '../ports/worker-record.ts'

/** Whether the worker may be handed tasks with this demand (W2). */
export function fits(worker: Pick<WorkerRecord, 'status' | 'skills'>, demand: TaskDemand): boolean {
  if (worker.status === 'draining' || worker.status === 'offline') return false
  return worker.skills.some(
    ({ name, version }) =>
      name === demand.type &&
      (demand.skillVersion === undefined || demand.skillVersion === version),
  )
}

/** The worker with only those of its skills that it can start now; without names, with all. */
export function startable(
  worker: WorkerRecord,
  names: readonly string[] | undefined,
): WorkerRecord {
  if (names === undefined) return worker
  return { ...worker, skills: worker.skills.filter(({ name }) => names.includes(name)) }
}
