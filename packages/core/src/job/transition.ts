/** Entering a state and ending a job: the moves that all events share. */
import type { JobStatus, JsonValue } from '@avtomatika/protocol'
import type { RecordType } from './effect.ts'
import { record, send, type Draft } from './draft.ts'
import type { Job } from './job.ts'
import type { Rules } from './rules.ts'
import type { JobError, Target } from './vocabulary.ts'
import type { ChildReport, Received } from './wait.ts'

/** How many states the loop guard's message can name. */
const RECENT_STATES = 12

export interface Ending {
  readonly status: Extract<JobStatus, 'finished' | 'failed' | 'quarantined' | 'cancelled'>
  readonly error?: JobError
  /** Left out: the last worker's data. */
  readonly result?: JsonValue
}

type EndingRecord = Extract<
  RecordType,
  'job_finished' | 'job_failed' | 'job_quarantined' | 'job_cancelled'
>

const ENDING_RECORD: Record<Ending['status'], EndingRecord> = {
  finished: 'job_finished',
  failed: 'job_failed',
  quarantined: 'job_quarantined',
  cancelled: 'job_cancelled',
}

/** Makes the handler of the present state ready to run. */
export function readyStep({ job }: Draft): void {
  job.sequence += 1
  job.wait = { for: 'step', stepId: `${job.id}-s${String(job.sequence)}` }
}

export interface Entry {
  readonly target: Target
  /** What the wait brought that ends here, for the handler of the target. */
  readonly received?: Received
}

/** Moves to another state: ends the job if nothing is left to run there, else readies its step. */
export function enterState(draft: Draft, entry: Entry, rules: Rules): void {
  const { job, at } = draft
  const { target, received = null } = entry
  const previousState = job.state
  const durationMs = at - job.stateEnteredAt
  job.state = target.state
  job.stateEnteredAt = at
  job.status = 'running'
  job.retryCount = 0
  job.error = null
  job.progress = null
  job.progressMessage = null
  job.received = received
  job.transitionCount += 1
  job.recentStates = [...job.recentStates, target.state].slice(-RECENT_STATES)
  record(draft, 'state_finished', { previousState, nextState: target.state, durationMs })
  if (target.end !== undefined) return endJob(draft, { status: target.end })
  if (job.transitionCount > rules.maxTransitions) return endJob(draft, loopEnding(draft, rules))
  readyStep(draft)
}

/**
 * The one place where a job ends, whatever the cause: what it waited for is withdrawn, its parent and
 * its webhook are told, once (D-17, D-18, D-31).
 */
export function endJob(draft: Draft, ending: Ending): void {
  const { job, at } = draft
  const { wait } = job
  job.wait = null
  job.status = ending.status
  job.finishedAt = at
  // What was tried stays to be seen.
  if (wait?.for === 'task') job.retryCount = wait.retries
  job.error = ending.error ?? null
  job.result = ending.result === undefined ? job.lastData : ending.result
  record(draft, ENDING_RECORD[ending.status], {
    durationMs: at - job.createdAt,
    ...(ending.error && { error: ending.error }),
  })
  if (wait?.for === 'child') {
    const reason = `Its parent job ${job.id} ended as ${ending.status}.`
    send(draft, { kind: 'cancel_job', to: wait.childId, reason })
  }
  const { parentId, webhookUrl } = job
  if (parentId !== null) send(draft, { kind: 'child_ended', to: parentId, report: reportOf(job) })
  if (webhookUrl !== null) notify(draft, webhookUrl, ENDING_RECORD[ending.status])
}

/** Calls the job's webhook, if it has one. */
export function notify(draft: Draft, url: string, event: string): void {
  const { status, result, error, owner } = draft.job
  const said = error?.message ?? null
  const about = { ownerId: owner.clientId, status, result, error: said }
  send(draft, { kind: 'notify', url, event, ...about, at: draft.at })
}

/** How a job that has ended came out, for its parent. */
export function reportOf({ id, status, state, result, error }: Job): ChildReport {
  const outcome = status === 'finished' ? 'success' : 'failure'
  return { jobId: id, outcome, status, finalState: state, result, error }
}

function loopEnding({ job }: Draft, rules: Rules): Ending {
  const states = [...new Set(job.recentStates)].join(' -> ')
  const limit = String(rules.maxTransitions)
  const message =
    `The job made more than ${limit} transitions; the last ones went through ${states}. ` +
    'Let one of these states end, or raise MAX_TRANSITIONS_PER_JOB.'
  return { status: 'failed', error: { code: 'TOO_MANY_TRANSITIONS', message } }
}
