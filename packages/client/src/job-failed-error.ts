import { InputError, isTerminalJobStatus } from '@avtomatika/protocol'

import type { Job } from './job.ts'

// Looked up by name, so two copies of this package recognise each other's errors.
const BRAND = Symbol.for('@avtomatika/job-failed-error')

/**
 * A job ended in another way than `finished`. It is not an `AvtomatikaError`: the calls went well,
 * and `code` is the blueprint's or the worker's, not one of the API's.
 */
export class JobFailedError extends Error {
  override readonly name = 'JobFailedError'
  readonly job: Job
  /** The code of the job's error; else `JOB_` and its status, such as `JOB_CANCELLED`. */
  readonly code: string

  constructor(job: Job) {
    const reason = job.error === null ? '' : `: ${job.error.message}`
    super(`Job ${job.id} ended as ${job.status} in state ${job.currentState ?? '?'}${reason}`)
    this.job = job
    this.code = job.error?.code ?? `JOB_${job.status.toUpperCase()}`
    Object.defineProperty(this, BRAND, { value: true })
  }

  /** Whether a value is an error of this class, also from another copy of this package. */
  static is(value: unknown): value is JobFailedError {
    return typeof value === 'object' && value !== null && Reflect.get(value, BRAND) === true
  }
}

/**
 * The result of a job that has ended. When a blueprint may end without a result, say so in the type
 * (`Job<Total | null>`): it is `null` then.
 *
 * @throws {@link JobFailedError} when the job failed, was cancelled or quarantined.
 * @throws {@link InputError} `INVALID_REQUEST` when the job has not ended yet.
 */
export function resultOf<Result>(job: Job<Result>): Result {
  // Believed as `Job<Result>` was: the caller has declared what this blueprint gives.
  if (job.status === 'finished') return job.result as Result
  if (isTerminalJobStatus(job.status)) throw new JobFailedError(job)
  throw new InputError('INVALID_REQUEST', {
    message: `Job ${job.id} has not ended (${job.status}). Wait for it with waitForJob first.`,
    details: { job_id: job.id, status: job.status },
  })
}
