/** Entering a state, leaving a wait, ending a job: the moves that all events share. */
import type { JobStatus, JsonValue } from '@avtomatika/protocol'
import type { RecordType } from './effect.ts'
import { record, type Draft } from './draft.ts'
import type { JobError, Target } from './job.ts'
import type { Rules } from './rules.ts'

/** How many states the loop guard's message can name. */
const RECENT_STATES = 12

export interface Ending {
  readonly status: Extract<JobStatus, 'finished' | 'failed' | 'quarantined' | 'cancelled'>
  readonly error?: JobError
  /** Left out: the last worker's data. */
  readonly result?: JsonValue
}

const ENDING_RECORD: Record<Ending['status'], RecordType> = {
  finished: 'job_finished',
  failed: 'job_failed',
  quarantined: 'job_quarantined',
  cancelled: 'job_cancelled',
}

/** Ends the present wait and takes back what it had asked for (J5). */
export function leaveWait({ job, effects }: Draft): void {
  const wait = job.wait
  if (wait === null) return
  if (wait.for === 'step') effects.push({ kind: 'withdraw_step', stepId: wait.stepId })
  if (wait.for === 'retry') effects.push({ kind: 'clear_deadline', key: 'wait' })
  if (wait.for === 'task') {
    if (wait.phase.kind !== 'backing_off') {
      effects.push({ kind: 'withdraw_task', taskId: wait.taskId })
    }
    const timed = wait.phase.kind !== 'offered' || wait.phase.dispatchDeadlineAt !== null
    if (timed) effects.push({ kind: 'clear_deadline', key: 'wait' })
  }
  job.wait = null
}

/** Makes the handler of the present state ready to run. */
export function readyStep({ job, effects }: Draft): void {
  job.sequence += 1
  const stepId = `${job.id}-s${String(job.sequence)}`
  job.wait = { for: 'step', stepId }
  effects.push({ kind: 'run_step', stepId })
}

/** Moves to another state: ends the job if nothing is left to run there, else readies its step. */
export function enterState(draft: Draft, target: Target, rules: Rules): void {
  const { job, at } = draft
  leaveWait(draft)
  const previousState = job.state
  const durationMs = at - job.stateEnteredAt
  job.state = target.state
  job.stateEnteredAt = at
  job.status = 'running'
  job.retryCount = 0
  job.error = null
  job.transitionCount += 1
  job.recentStates = [...job.recentStates, target.state].slice(-RECENT_STATES)
  record(draft, 'state_finished', { previousState, nextState: target.state, durationMs })
  if (target.end !== undefined) return endJob(draft, { status: target.end })
  if (job.transitionCount > rules.maxTransitions) return endJob(draft, loopEnding(draft, rules))
  readyStep(draft)
}

/** The one place where a job ends, whatever the cause. */
export function endJob(draft: Draft, ending: Ending): void {
  const { job, at } = draft
  leaveWait(draft)
  job.status = ending.status
  job.finishedAt = at
  job.error = ending.error ?? null
  job.result = ending.result === undefined ? job.lastData : ending.result
  record(draft, ENDING_RECORD[ending.status], {
    durationMs: at - job.createdAt,
    ...(ending.error && { error: ending.error }),
  })
}

function loopEnding({ job }: Draft, rules: Rules): Ending {
  const states = [...new Set(job.recentStates)].join(' -> ')
  const limit = String(rules.maxTransitions)
  const message =
    `The job made more than ${limit} transitions; the last ones went through ${states}. ` +
    'Let one of these states end, or raise MAX_TRANSITIONS_PER_JOB.'
  return { status: 'failed', error: { code: 'TOO_MANY_TRANSITIONS', message } }
}
