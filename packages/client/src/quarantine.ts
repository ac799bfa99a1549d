import {
  ConnectionError,
  discardJobsBodySchema,
  InputError,
  isJsonObject,
  jobDiscardedSchema,
  jobRetriedSchema,
  MAX_QUARANTINE_JOBS,
  parseReply,
  quarantineResultsSchema,
  retryJobBodySchema,
  retryJobsBodySchema,
} from '@avtomatika/protocol'
import type { QuarantineResult } from '@avtomatika/protocol'

import { readJob } from './job.ts'
import type { Job } from './job.ts'
import { toJsonBody } from './json-body.ts'

/** Which quarantined jobs to list. */
export interface QuarantineOptions {
  /** Most jobs to list, the newest of them. 1 to 1000. Default 100. */
  readonly limit?: number | undefined
  /** Ends the call, with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** How a quarantined job is to go on. */
export interface RetryOptions {
  /** Laid over the job's data before the failed step runs again. Default: nothing. */
  readonly data?: object | undefined
  /** Ends the call, with the signal's reason; jobs may go on already. */
  readonly signal?: AbortSignal | undefined
}

/** What became of one of many quarantined jobs. */
export interface QuarantineOutcome {
  readonly jobId: string
  readonly status: QuarantineResult['status']
  /** Why not; `null` unless the status is `error`. */
  readonly error: { readonly code: string; readonly message: string } | null
}

/** @throws {@link InputError} when the limit cannot be asked for. */
export function quarantineQuery({ limit }: QuarantineOptions): string {
  if (limit === undefined) return ''
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_QUARANTINE_JOBS)
    return `?limit=${limit}`
  throw new InputError('INVALID_REQUEST', {
    message: `limit must be a whole number from 1 to ${MAX_QUARANTINE_JOBS}, got ${String(limit)}.`,
    details: { option: 'limit' },
  })
}

/** @throws {@link ConnectionError} `UNEXPECTED_RESPONSE` when the body is not a list of jobs. */
export function readQuarantine(body: unknown): readonly Job[] {
  const jobs = isJsonObject(body) ? body['jobs'] : undefined
  // One by one and leniently, like any job: a newer server may know more statuses.
  if (Array.isArray(jobs)) return jobs.map((job) => readJob(job))
  throw new ConnectionError('UNEXPECTED_RESPONSE', {
    message: 'The server did not send a list of quarantined jobs. Is `url` an orchestrator?',
  })
}

/** The JSON of the request; throws as {@link toJsonBody} does. */
export function retryBody({ data }: RetryOptions): string {
  return toJsonBody(retryJobBodySchema, { data }, 'retry')
}

/** @throws {@link ConnectionError} `UNEXPECTED_RESPONSE` when the body is not the answer to a retry. */
export function checkRetried(body: unknown): void {
  parseReply(jobRetriedSchema, body, 'retried job')
}

/** @throws {@link ConnectionError} `UNEXPECTED_RESPONSE` when the body is not the answer to a discard. */
export function checkDiscarded(body: unknown): void {
  parseReply(jobDiscardedSchema, body, 'discarded job')
}

/** The JSON of the request; throws as {@link toJsonBody} does. */
export function retryManyBody(ids: readonly string[], { data }: RetryOptions): string {
  return toJsonBody(retryJobsBodySchema, { ids, data }, 'retry')
}

/** The JSON of the request; throws as {@link toJsonBody} does. */
export function discardManyBody(ids: readonly string[]): string {
  return toJsonBody(discardJobsBodySchema, { ids }, 'discard')
}

/** @throws {@link ConnectionError} `UNEXPECTED_RESPONSE` when the body is not a list of outcomes. */
export function readOutcomes(body: unknown): readonly QuarantineOutcome[] {
  const { results } = parseReply(quarantineResultsSchema, body, 'list of results')
  return results.map(({ job_id: jobId, status, error }) => ({
    jobId,
    status,
    error: error && { code: error.code, message: error.message },
  }))
}
