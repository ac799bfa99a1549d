/** What workers do with a task: claim it, work on it, answer, or vanish. */
import { isTerminalJobStatus, taskErrorSemantics } from '@avtomatika/protocol'
import { changed, ignored, type Decision } from './decision.ts'
import { draftOf, record, type Draft } from './draft.ts'
import type {
  TaskClaimedEvent,
  TaskLostEvent,
  TaskOutcome,
  TaskProgressEvent,
  TaskResultEvent,
} from './event.ts'
import type { EpochMs, Job, JobError, Target, TaskWait } from './job.ts'
import { offerAgain } from './offer.ts'
import { backoffMs } from './retry.ts'
import type { Rules } from './rules.ts'
import { endJob, enterState, leaveWait } from './transition.ts'
import { unreachable } from './unreachable.ts'

type ClaimedWait = TaskWait & { readonly phase: Extract<TaskWait['phase'], { kind: 'claimed' }> }

export function onTaskClaimed(job: Job, event: TaskClaimedEvent): Decision {
  const wait = job.wait
  if (wait?.for !== 'task' || wait.taskId !== event.taskId || wait.phase.kind !== 'offered') {
    return ignored('stale_task')
  }
  const draft = draftOf(job, event.at)
  const { workerId, at } = event
  const latest = at + wait.spec.executionTimeoutMs
  const deadlineAt = Math.min(latest, wait.resultDeadlineAt ?? latest)
  draft.job.wait = { ...wait, phase: { kind: 'claimed', workerId, claimedAt: at, deadlineAt } }
  draft.job.lastWorkerId = workerId
  draft.effects.push({ kind: 'set_deadline', key: 'wait', at: deadlineAt })
  record(draft, 'task_claimed', { taskId: wait.taskId, workerId, attempt: wait.attempt })
  return changed(draft)
}

export function onTaskProgress(job: Job, event: TaskProgressEvent): Decision {
  const wait = claimed(job)
  if (wait === null) return ignored('stale_task')
  if (event.taskId !== null && event.taskId !== wait.taskId) return ignored('stale_task')
  if (wait.phase.workerId !== event.workerId) return ignored('worker_mismatch')
  const draft = draftOf(job, event.at)
  draft.job.progress = event.progress
  draft.job.progressMessage = event.message
  return changed(draft)
}

/**
 * The lease of a task ran out, or its worker is gone. A job that still has the task on offer was
 * never told of the claim (its orchestrator died in between): nobody worked on it (D-12, D-25).
 */
export function onTaskLost(job: Job, event: TaskLostEvent, rules: Rules): Decision {
  const wait = job.wait
  if (wait?.for !== 'task' || wait.taskId !== event.taskId) return ignored('stale_task')
  const { phase } = wait
  if (phase.kind === 'backing_off') return ignored('stale_task')
  const draft = draftOf(job, event.at)
  const worker = phase.kind === 'claimed' ? { workerId: phase.workerId } : {}
  record(draft, 'task_lost', { taskId: wait.taskId, attempt: wait.attempt, ...worker })
  // A loss spends a retry, so that a task that kills its workers does not go round for ever; it
  // needs no pause, because it is not this task's doing in the usual case.
  if (phase.kind === 'claimed' && job.retryCount >= rules.retry.maxRetries) {
    const message = `The worker ${phase.workerId} was lost while it held the task.`
    quarantine(draft, { code: 'WORKER_LOST', message }, wait.attempt)
  } else {
    leaveWait(draft)
    if (phase.kind === 'claimed') draft.job.retryCount += 1
    offerAgain(draft, wait)
  }
  return changed(draft)
}

/** A result counts once, and only from the worker that holds the live attempt (J4; D-13, D-14). */
export function onTaskResult(job: Job, event: TaskResultEvent, rules: Rules): Decision {
  if (job.lastAnswer?.taskId === event.taskId) {
    return { kind: 'repeated', answer: job.lastAnswer }
  }
  if (isTerminalJobStatus(job.status)) return ignored(whyEnded(job))
  const wait = claimed(job)
  if (wait?.taskId !== event.taskId) return ignored('stale_task')
  if (wait.phase.workerId !== event.workerId) return ignored('worker_mismatch')
  const draft = draftOf(job, event.at)
  recordResult(draft, wait, event.outcome)
  const transition = applyOutcome(draft, wait, event, rules)
  const answer = { taskId: event.taskId, transition }
  draft.job.lastAnswer = answer
  return changed(draft, answer)
}

function whyEnded(job: Job): Extract<Decision, { kind: 'ignored' }>['reason'] {
  if (job.status === 'cancelled') return 'job_cancelled'
  return job.error?.code === 'TIMEOUT_ERROR' ? 'deadline_exceeded' : 'job_already_terminated'
}

function recordResult(draft: Draft, wait: ClaimedWait, outcome: TaskOutcome): void {
  const { workerId, claimedAt } = wait.phase
  const error = outcome.kind === 'failed' ? outcome.error : null
  record(draft, 'task_finished', {
    taskId: wait.taskId,
    workerId,
    attempt: wait.attempt,
    durationMs: draft.at - claimedAt,
    ...(error && { error }),
  })
}

/** Returns the word that the worker is answered with. */
function applyOutcome(
  draft: Draft,
  wait: ClaimedWait,
  { outcome, chance }: TaskResultEvent,
  rules: Rules,
): string {
  switch (outcome.kind) {
    case 'completed':
      mergeData(draft, outcome.data)
      return follow(draft, wait, outcome.status, rules)
    case 'failed':
      if (outcome.error === null && transitionOf(wait, 'failure') !== undefined) {
        mergeData(draft, outcome.data)
        return follow(draft, wait, 'failure', rules)
      }
      failTask(draft, wait, { error: outcome.error ?? UNEXPLAINED, chance }, rules)
      return 'failure_handled'
    case 'cancelled': {
      const target = transitionOf(wait, 'cancelled')
      if (target === undefined) endJob(draft, { status: 'cancelled' })
      else enterState(draft, target, rules)
      return 'cancelled_handled'
    }
    case 'handed_back':
      leaveWait(draft)
      offerAgain(draft, wait)
      return 'failure_handled'
    default:
      return unreachable(outcome)
  }
}

const UNEXPLAINED: JobError = {
  code: 'TRANSIENT_ERROR',
  message: 'The worker reported a failure without an error.',
}

function mergeData({ job }: Draft, data: TaskWait['spec']['params']): void {
  job.stateHistory = { ...job.stateHistory, ...data }
  job.lastData = data
  job.progress = null
  job.progressMessage = null
}

function follow(draft: Draft, wait: TaskWait, status: string, rules: Rules): string {
  const target = transitionOf(wait, status)
  if (target !== undefined) {
    enterState(draft, target, rules)
    return `${status}_transition`
  }
  const known = Object.keys(wait.transitions).join(', ') || 'none'
  const message =
    `Worker returned unhandled status: ${status} (task ${wait.spec.demand.type}). ` +
    `Declared transitions: ${known}.`
  endJob(draft, { status: 'failed', error: { code: 'UNHANDLED_STATUS', message } })
  return 'unhandled_status_failure'
}

/** A status comes from a worker: `constructor` must not find what every object inherits. */
function transitionOf({ transitions }: TaskWait, status: string): Target | undefined {
  return Object.hasOwn(transitions, status) ? transitions[status] : undefined
}

export interface TaskFailure {
  readonly error: JobError
  readonly chance: number
}

/** Retries, quarantines or fails by the code of the error. */
export function failTask(
  draft: Draft,
  wait: TaskWait,
  { error, chance }: TaskFailure,
  rules: Rules,
): void {
  const semantics = taskErrorSemantics(error.code)
  if (semantics === 'fail') {
    const message = `Task failed due to invalid input: ${error.message}`
    return endJob(draft, { status: 'failed', error: { ...error, message } })
  }
  if (semantics === 'quarantine') {
    const message = `Task failed with permanent error (${error.code}): ${error.message}`
    return endJob(draft, { status: 'quarantined', error: { ...error, message } })
  }
  if (draft.job.retryCount >= rules.retry.maxRetries) return quarantine(draft, error, wait.attempt)
  leaveWait(draft)
  draft.job.retryCount += 1
  draft.job.error = error
  backOff(draft, wait, draft.at + backoffMs(rules.retry.backoff, draft.job.retryCount, chance))
}

function quarantine(draft: Draft, error: JobError, attempt: number): void {
  const message = `Task failed after ${String(attempt)} attempts: ${error.message}`
  endJob(draft, { status: 'quarantined', error: { ...error, message } })
}

/** Pauses, but not past the result deadline: the job must hear of that one in time. */
function backOff({ job, effects }: Draft, wait: TaskWait, pauseEndsAt: EpochMs): void {
  const until = Math.min(pauseEndsAt, wait.resultDeadlineAt ?? pauseEndsAt)
  job.wait = { ...wait, phase: { kind: 'backing_off', until } }
  effects.push({ kind: 'set_deadline', key: 'wait', at: until })
}

function claimed(job: Job): ClaimedWait | null {
  const wait = job.wait
  if (wait?.for !== 'task' || wait.phase.kind !== 'claimed') return null
  return { ...wait, phase: wait.phase }
}
