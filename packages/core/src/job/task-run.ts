/** The life of one task: offered, claimed, tried again, or over. The same for branches. */
import { taskErrorSemantics } from '@avtomatika/protocol'
import { record, type Draft } from './draft.ts'
import { backoffMs } from './retry.ts'
import type { Rules } from './rules.ts'
import type { TaskPhase, TaskRun, TaskSpec } from './task.ts'
import { earliest } from './task-deadline.ts'
import { taskIdOf, withAttempt } from './task-id.ts'
import type { Ending } from './transition.ts'
import type { EpochMs, JobError } from './vocabulary.ts'

export type ClaimedRun = TaskRun & { readonly phase: Extract<TaskPhase, { kind: 'claimed' }> }

/** What a failure leads to. */
export type Verdict =
  | { readonly kind: 'again'; readonly run: TaskRun; readonly error: JobError | null }
  | {
      readonly kind: 'over'
      readonly ending: Ending & { readonly error: JobError }
      /** A limit of the job itself has passed: neither a transition nor an aggregator follows. */
      readonly isFinal?: true
    }

/** Dispatches a new task: attempt 1, deadlines counted from now and, for the job's own, from its creation. */
export function startRun(draft: Draft, spec: TaskSpec, branch?: string): TaskRun {
  const { job, at } = draft
  job.sequence += 1
  const attempt = 1
  const resultDeadlineAt = earliest(
    after(at, spec.resultTimeoutMs),
    after(job.createdAt, job.resultTimeoutMs),
  )
  const run: TaskRun = {
    taskId: taskIdOf(job.id, job.sequence, attempt),
    attempt,
    retries: 0,
    spec,
    dispatchedAt: at,
    resultDeadlineAt,
    phase: onOffer(draft, spec, resultDeadlineAt),
    avoid: null,
  }
  recordDispatch(draft, run, branch)
  return run
}

/** Offers the task again, as a new attempt with a new id (D-14). */
export function nextAttempt(draft: Draft, run: TaskRun, branch?: string): TaskRun {
  const attempt = run.attempt + 1
  const taskId = withAttempt(run.taskId, attempt)
  const phase = onOffer(draft, run.spec, run.resultDeadlineAt)
  const next: TaskRun = { ...run, taskId, attempt, phase }
  recordDispatch(draft, next, branch)
  return next
}

/** The task is with a worker from now on. */
export function claimedBy(run: TaskRun, workerId: string, at: EpochMs): TaskRun {
  const latest = at + run.spec.executionTimeoutMs
  const deadlineAt = Math.min(latest, run.resultDeadlineAt ?? latest)
  return { ...run, phase: { kind: 'claimed', workerId, claimedAt: at, deadlineAt } }
}

export interface TaskFailure {
  readonly error: JobError
  readonly chance: number
}

/** Tries again or gives up, by the code of the error (D-28). */
export function judge(draft: Draft, run: TaskRun, failure: TaskFailure, rules: Rules): Verdict {
  const { error, chance } = failure
  const semantics = taskErrorSemantics(error.code)
  if (semantics === 'fail') {
    const message = `Task failed due to invalid input: ${error.message}`
    return { kind: 'over', ending: { status: 'failed', error: { ...error, message } } }
  }
  if (semantics === 'quarantine') {
    const message = `Task failed with permanent error (${error.code}): ${error.message}`
    return { kind: 'over', ending: { status: 'quarantined', error: { ...error, message } } }
  }
  const { maxRetries, backoff } = run.spec.retry ?? rules.retry
  if (run.retries >= maxRetries) return exhausted(run, error)
  const retries = run.retries + 1
  const pauseEndsAt = draft.at + backoffMs(backoff, retries, chance)
  // Not past the result deadline: the job must hear of that one in time.
  const until = Math.min(pauseEndsAt, run.resultDeadlineAt ?? pauseEndsAt)
  const avoid = run.phase.kind === 'claimed' ? run.phase.workerId : null
  return {
    kind: 'again',
    run: { ...run, retries, avoid, phase: { kind: 'backing_off', until } },
    error,
  }
}

/**
 * The lease of a task ran out, or its worker is gone. It spends a retry, so that a task that kills its
 * workers does not go round for ever; it needs no pause, because it is not this task's doing in the
 * usual case. A task that is still on offer was claimed by an orchestrator that died before it could
 * say so: nobody worked on it (D-12, D-25).
 */
export function lose(draft: Draft, run: TaskRun, rules: Rules, branch?: string): Verdict {
  const { phase } = run
  if (phase.kind !== 'claimed') {
    return { kind: 'again', run: nextAttempt(draft, run, branch), error: null }
  }
  const { maxRetries } = run.spec.retry ?? rules.retry
  if (run.retries >= maxRetries) {
    const message = `The worker ${phase.workerId} was lost while it held the task.`
    return exhausted(run, { code: 'WORKER_LOST', message })
  }
  const again = { ...run, retries: run.retries + 1, avoid: phase.workerId }
  return { kind: 'again', run: nextAttempt(draft, again, branch), error: null }
}

/** What the passing of a task's deadline means. */
export function expire(
  draft: Draft,
  run: TaskRun,
  { chance, reason, branch }: { chance: number; reason?: string; branch?: string },
  rules: Rules,
): Verdict {
  const { phase, resultDeadlineAt, spec } = run
  const { createdAt, dispatchTimeoutMs, resultTimeoutMs } = draft.job
  const hasPassed = (limitMs: number | null): boolean => {
    const limitAt = after(createdAt, limitMs)
    return limitAt !== null && limitAt <= draft.at
  }
  if (resultDeadlineAt !== null && resultDeadlineAt <= draft.at) {
    return timedOut(run, 'no result before the result deadline', hasPassed(resultTimeoutMs))
  }
  if (phase.kind === 'offered') {
    const why = reason === undefined ? '' : `: ${reason}`
    const isJobs = draft.job.lastWorkerId === null && hasPassed(dispatchTimeoutMs)
    return timedOut(run, `no worker took it in time (dispatch timeout)${why}`, isJobs)
  }
  if (phase.kind === 'backing_off') {
    return { kind: 'again', run: nextAttempt(draft, run, branch), error: null }
  }
  const seconds = String(spec.executionTimeoutMs / 1000)
  const message = `Worker ${phase.workerId} gave no result within ${seconds} s.`
  return judge(draft, run, { error: { code: 'TIMEOUT_ERROR', message }, chance }, rules)
}

/**
 * A task on offer without the job's own limit for the first pick-up: a worker was found for another
 * branch (D-27).
 */
export function withoutFirstPickup(run: TaskRun): TaskRun {
  if (run.phase.kind !== 'offered') return run
  const own = after(run.dispatchedAt, run.spec.dispatchTimeoutMs)
  const dispatchDeadlineAt = earliest(own, run.resultDeadlineAt)
  return { ...run, phase: { kind: 'offered', dispatchDeadlineAt } }
}

/** The run, if a worker holds it. */
export function asClaimed(run: TaskRun): ClaimedRun | null {
  return run.phase.kind === 'claimed' ? { ...run, phase: run.phase } : null
}

function exhausted(run: TaskRun, error: JobError): Verdict {
  const message = `Task failed after ${String(run.attempt)} attempts: ${error.message}`
  return { kind: 'over', ending: { status: 'quarantined', error: { ...error, message } } }
}

function timedOut({ spec }: TaskRun, why: string, isFinal: boolean): Verdict {
  const message = `Task ${spec.demand.type} timed out: ${why}.`
  const ending = { status: 'failed', error: { code: 'TIMEOUT_ERROR', message } } as const
  return { kind: 'over', ending, ...(isFinal && { isFinal }) }
}

function onOffer({ job, at }: Draft, spec: TaskSpec, resultDeadlineAt: EpochMs | null): TaskPhase {
  // The job's own limit is for a worker to be found at all; once one was, a retry or a later task
  // must not fail for it (D-27).
  const firstPickupBy =
    job.lastWorkerId === null ? after(job.createdAt, job.dispatchTimeoutMs) : null
  const dispatchDeadlineAt = earliest(
    earliest(after(at, spec.dispatchTimeoutMs), firstPickupBy),
    resultDeadlineAt,
  )
  return { kind: 'offered', dispatchDeadlineAt }
}

function recordDispatch(draft: Draft, { taskId, attempt }: TaskRun, branch?: string): void {
  record(draft, 'task_dispatched', { taskId, attempt, ...(branch !== undefined && { branch }) })
}

function after(from: EpochMs, ms: number | null): EpochMs | null {
  return ms === null ? null : from + ms
}
