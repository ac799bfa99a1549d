/**
 * What storage must do so that the world fits a job's wait. It follows from the documents before and
 * after a change, so that no event can forget to arm a wait or to withdraw what it had asked for
 * (J3, J5).
 */
import type { Effect, OfferedTask } from './effect.ts'
import type { DeadlineKey } from './event.ts'
import type { Job } from './job.ts'
import type { TaskInWait, TaskRun } from './task.ts'
import type { EpochMs } from './vocabulary.ts'
import { deadlineOf, tasksApart } from './wait.ts'

/** For how long another worker goes first after one has failed a task, in ms. */
const AVOID_MS = 1_000

/** Effects that turn the waits and deadlines of `before` into those of `after`. */
export function waitEffects(before: Job | undefined, after: Job): Effect[] {
  return [
    ...stepEffects(before, after),
    ...taskEffects(before, after),
    ...timer('wait', after, deadlineOf(before?.wait ?? null), deadlineOf(after.wait)),
    ...timer('job', after, jobDeadline(before), jobDeadline(after)),
  ]
}

/** When a live job must have ended; `null` if it has all the time, or has ended. */
export function jobDeadline(job: Job | undefined): EpochMs | null {
  if (job?.timeoutMs == null || job.wait === null) return null
  return job.createdAt + job.timeoutMs
}

function stepEffects(before: Job | undefined, after: Job): Effect[] {
  const old = stepOf(before)
  const now = stepOf(after)
  if (old === now) return []
  return [
    ...(old === null ? [] : [{ kind: 'withdraw_step', stepId: old } as const]),
    ...(now === null ? [] : [{ kind: 'run_step', stepId: now } as const]),
  ]
}

function stepOf(job: Job | undefined): string | null {
  return job?.wait?.for === 'step' ? job.wait.stepId : null
}

function taskEffects(before: Job | undefined, after: Job): Effect[] {
  if (before?.wait === after.wait) return []
  const apart = tasksApart(before?.wait ?? null, after.wait)
  const old = outstanding(apart.before)
  const now = outstanding(apart.after)
  const effects: Effect[] = []
  for (const taskId of old.keys()) {
    if (!now.has(taskId)) effects.push({ kind: 'withdraw_task', taskId })
  }
  for (const [taskId, run] of now) {
    if (!old.has(taskId)) effects.push({ kind: 'offer_task', task: offered(after, run) })
  }
  return effects
}

/** Those of some tasks that are on offer or with a worker. */
function outstanding(tasks: readonly TaskInWait[]): ReadonlyMap<string, TaskRun> {
  const out = tasks.filter(({ run }) => run.phase.kind !== 'backing_off')
  return new Map(out.map(({ run }) => [run.taskId, run]))
}

function offered(job: Job, run: TaskRun): OfferedTask {
  const { taskId, attempt, spec, avoid, resultDeadlineAt } = run
  const { demand, params, priority, strategy, executionTimeoutMs } = spec
  return {
    taskId,
    jobId: job.id,
    attempt,
    demand,
    params,
    priority,
    strategy,
    tracing: job.tracing,
    executionTimeoutMs,
    resultDeadlineAt,
    avoid: avoid === null ? null : { workerId: avoid, until: job.updatedAt + AVOID_MS },
  }
}

/**
 * A deadline that is due already is set anew even when it stays the same: the old one may be in the
 * hands of whoever reports it, and would come back only when that lease has run out.
 */
function timer(
  key: DeadlineKey,
  { updatedAt }: Job,
  old: EpochMs | null,
  now: EpochMs | null,
): Effect[] {
  if (old === now && (now === null || now > updatedAt)) return []
  return now === null ? [{ kind: 'clear_deadline', key }] : [{ kind: 'set_deadline', key, at: now }]
}
