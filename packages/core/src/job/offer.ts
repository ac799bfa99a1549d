/** Offering a task, first and again. */
import { record, type Draft } from './draft.ts'
import type { EpochMs, TaskSpec, TaskWait, Transitions } from './job.ts'

/** Dispatches a new task: attempt 1, deadlines counted from now and, for the job's own, from its creation. */
export function offerFirst(draft: Draft, spec: TaskSpec, transitions: Transitions): void {
  const { job, at } = draft
  job.sequence += 1
  job.retryCount = 0
  job.error = null
  job.status = 'waiting_for_worker'
  const resultDeadlineAt = earliest(
    after(at, spec.resultTimeoutMs),
    after(job.createdAt, job.resultTimeoutMs),
  )
  const base = { spec, transitions, dispatchedAt: at, resultDeadlineAt }
  offer(draft, base, 1)
  record(draft, 'task_dispatched', { attempt: 1, ...taskId(draft) })
}

/** Offers the task of the present wait again, as a new attempt with a new id (D-14). */
export function offerAgain(draft: Draft, wait: TaskWait): void {
  const { spec, transitions, dispatchedAt, resultDeadlineAt } = wait
  offer(draft, { spec, transitions, dispatchedAt, resultDeadlineAt }, wait.attempt + 1)
  record(draft, 'task_dispatched', { attempt: wait.attempt + 1, ...taskId(draft) })
}

type WaitBase = Pick<TaskWait, 'spec' | 'transitions' | 'dispatchedAt' | 'resultDeadlineAt'>

function offer({ job, at, effects }: Draft, base: WaitBase, attempt: number): void {
  const { spec, resultDeadlineAt } = base
  const id = `task-${job.id}-${String(job.sequence)}-${String(attempt)}`
  // The job's own limit is for a worker to be found at all; once one was, a retry or a later task
  // must not fail for it (D-27).
  const firstPickupBy =
    job.lastWorkerId === null ? after(job.createdAt, job.dispatchTimeoutMs) : null
  const dispatchDeadlineAt = earliest(
    earliest(after(at, spec.dispatchTimeoutMs), firstPickupBy),
    resultDeadlineAt,
  )
  job.wait = {
    for: 'task',
    taskId: id,
    attempt,
    ...base,
    phase: { kind: 'offered', dispatchDeadlineAt },
  }
  const { demand, params, priority, executionTimeoutMs } = spec
  effects.push({
    kind: 'offer_task',
    task: {
      taskId: id,
      jobId: job.id,
      attempt,
      demand,
      params,
      priority,
      tracing: job.tracing,
      executionTimeoutMs,
      resultDeadlineAt,
    },
  })
  if (dispatchDeadlineAt !== null) {
    effects.push({ kind: 'set_deadline', key: 'wait', at: dispatchDeadlineAt })
  }
}

function taskId({ job }: Draft): { taskId?: string } {
  return job.wait?.for === 'task' ? { taskId: job.wait.taskId } : {}
}

function after(from: EpochMs, ms: number | null): EpochMs | null {
  return ms === null ? null : from + ms
}

function earliest(a: EpochMs | null, b: EpochMs | null): EpochMs | null {
  if (a === null) return b
  return b === null ? a : Math.min(a, b)
}
