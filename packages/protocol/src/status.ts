/** Everything the status of a job can be. `state` is another thing: the node of the blueprint the job is in. */
export const JOB_STATUSES = [
  'pending',
  'running',
  'waiting_for_worker',
  'waiting_for_parallel_tasks',
  'waiting_for_human',
  'waiting_for_sub_job',
  'waiting_for_event',
  'sleeping',
  'awaiting_retry',
  'finished',
  'failed',
  'quarantined',
  'cancelled',
  'error',
] as const

/** Where a job is in its life. */
export type JobStatus = (typeof JOB_STATUSES)[number]

/** Statuses a job never leaves. */
export const TERMINAL_JOB_STATUSES = [
  'finished',
  'failed',
  'error',
  'quarantined',
  'cancelled',
] as const satisfies readonly JobStatus[]

/** A status a job never leaves. */
export type TerminalJobStatus = (typeof TERMINAL_JOB_STATUSES)[number]

const TERMINAL: ReadonlySet<string> = new Set(TERMINAL_JOB_STATUSES)

/** Whether a job with this status has ended for good. */
export function isTerminalJobStatus(status: string): status is TerminalJobStatus {
  return TERMINAL.has(status)
}

/**
 * What a worker says about itself: `full` = its global limit is reached, `busy` = no skill can be
 * started now, `draining` = finishes what it has and takes nothing more, `offline` = says goodbye.
 */
export const WORKER_STATUSES = ['idle', 'busy', 'full', 'draining', 'offline'] as const

/** What a worker says about itself; see {@link WORKER_STATUSES}. */
export type WorkerStatus = (typeof WORKER_STATUSES)[number]

/**
 * Reads a worker's status as sent. Nothing, `active` and words of other generations mean `idle`:
 * a worker asks for work itself, so a status we do not know is no reason to keep work from it.
 */
export function parseWorkerStatus(value: string | null | undefined): WorkerStatus {
  return WORKER_STATUSES.find((status) => status === value) ?? 'idle'
}
