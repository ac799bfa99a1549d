/** Which workers are to stop because of what has happened to a job. */
import type { JobEvent } from '../../job/event.ts'
import type { Job } from '../../job/job.ts'
import { asClaimed } from '../../job/task-run.ts'
import { tasksOf } from '../../job/wait.ts'
import type { Withdrawal } from '../../ports/hint.ts'

/**
 * Tasks that a worker held before and holds no more: cancelled, timed out, lost, or overtaken. Those
 * whose results are among the events have been worked on to their end.
 */
export function withdrawnTasks(
  before: Job | undefined,
  after: Job,
  events: readonly JobEvent[],
): readonly Withdrawal[] {
  if (before === undefined || before.wait === after.wait) return []
  const reported = new Set(
    events.flatMap((event) => (event.kind === 'task_result' ? event.taskId : [])),
  )
  const still = holdersIn(after)
  return [...holdersIn(before)]
    .filter(([taskId, workerId]) => !reported.has(taskId) && still.get(taskId) !== workerId)
    .map(([taskId, workerId]) => ({ workerId, jobId: after.id, taskId }))
}

function holdersIn({ wait }: Job): ReadonlyMap<string, string> {
  const claimed = tasksOf(wait).flatMap(({ run }) => asClaimed(run) ?? [])
  return new Map(claimed.map(({ taskId, phase }) => [taskId, phase.workerId]))
}
