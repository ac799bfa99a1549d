/** Which workers are to stop because of what has happened to a job. */
import type { JobEvent } from '../../job/event.ts'
import type { Job } from '../../job/job.ts'
import { asClaimed } from '../../job/task-run.ts'
import type { TaskInWait } from '../../job/task.ts'
import { tasksApart } from '../../job/wait.ts'
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
  const apart = tasksApart(before.wait, after.wait)
  const still = holdersOf(apart.after)
  return [...holdersOf(apart.before)]
    .filter(([taskId, workerId]) => !reported.has(taskId) && still.get(taskId) !== workerId)
    .map(([taskId, workerId]) => ({ workerId, jobId: after.id, taskId }))
}

function holdersOf(tasks: readonly TaskInWait[]): ReadonlyMap<string, string> {
  const claimed = tasks.flatMap(({ run }) => asClaimed(run) ?? [])
  return new Map(claimed.map(({ taskId, phase }) => [taskId, phase.workerId]))
}
