import { createJobEnvelopeSchema, InputError } from '@avtomatika/protocol'

import { isHeaderValue } from './header-value.ts'
import { toJsonBody } from './json-body.ts'

/** How a job is to be run. */
export interface CreateJobOptions {
  /**
   * Two creations with the same key make one job, and both are answered with its id. Default: a
   * random key, so that this call's own retries make one job.
   */
  readonly idempotencyKey?: string | undefined
  /** Told when the job ends. */
  readonly webhookUrl?: string | undefined
  /** Until a worker must have taken a task, in ms. Default: the blueprint's or the server's. */
  readonly dispatchTimeoutMs?: number | undefined
  /** Until a task's result must be there, in ms. Default: the blueprint's or the server's. */
  readonly resultTimeoutMs?: number | undefined
  /** From its creation until the job must have ended, in ms; then it fails. Default: no limit. */
  readonly jobTimeoutMs?: number | undefined
  /** Kept with the job as it is. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
  /** Ends the call, not the job; the job may have been created. */
  readonly signal?: AbortSignal | undefined
}

/** @throws {@link InputError} when it would not reach a blueprint's endpoint. */
export function checkEndpoint(endpoint: string): string {
  const segments = endpoint.split('/').filter((segment) => segment !== '')
  const isSafe = segments.every(
    (segment) => /^[\w~.:@%-]+$/.test(segment) && !/^\.+$/.test(segment),
  )
  if (isSafe && segments.length > 0) return endpoint
  throw new InputError('INVALID_REQUEST', {
    message: `endpoint must be a blueprint's path such as /jobs/orders, got ${JSON.stringify(endpoint)}.`,
    details: { field: 'endpoint' },
  })
}

/** @throws {@link InputError} when it cannot travel in a header. */
export function checkIdempotencyKey(key: string): string {
  if (isHeaderValue(key)) return key
  throw new InputError('INVALID_REQUEST', {
    message: 'idempotencyKey must be 1 to 1024 visible ASCII characters.',
    details: { field: 'idempotencyKey' },
  })
}

/** The JSON of the request; throws as {@link toJsonBody} does. */
export function createJobBody(initialData: object, options: CreateJobOptions): string {
  const envelope = {
    initial_data: initialData,
    webhook_url: options.webhookUrl,
    dispatch_timeout: toSeconds(options.dispatchTimeoutMs),
    result_timeout: toSeconds(options.resultTimeoutMs),
    job_timeout: toSeconds(options.jobTimeoutMs),
    metadata: options.metadata,
  }
  return toJsonBody(createJobEnvelopeSchema, envelope, 'job request')
}

function toSeconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000
}
