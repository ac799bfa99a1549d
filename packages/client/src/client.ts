import {
  clientPaths,
  HEADERS,
  InputError,
  isIdentifier,
  jobAcceptedSchema,
  parseReply,
  PATHS,
} from '@avtomatika/protocol'
import type { ClientPaths } from '@avtomatika/protocol'

import { checkEndpoint, checkIdempotencyKey, createJobBody } from './create-job.ts'
import type { CreateJobOptions } from './create-job.ts'
import { readJob } from './job.ts'
import type { Job } from './job.ts'
import { resolveClientOptions } from './options.ts'
import type { ClientOptions, ResolvedClientOptions } from './options.ts'
import { Transport } from './transport.ts'
import { checkWaitOptions, waitForJob } from './wait-for-job.ts'
import type { Hold, WaitOptions } from './wait-for-job.ts'
import { readJobIds, readWorkers } from './worker-info.ts'
import type { WorkerInfo } from './worker-info.ts'

/** Options of calls that have no others. */
export interface CallOptions {
  /** Ends the call, with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** Options of {@link AvtomatikaClient.run}. */
export interface RunOptions<Result = unknown> extends CreateJobOptions, WaitOptions<Result> {}

/** A job that was accepted. */
export interface CreatedJob {
  readonly jobId: string
}

/**
 * Creates, follows and cancels jobs of one orchestrator.
 *
 * Every call throws `ConnectionError` `CONNECTION_FAILED` when no try was answered, `AuthError`
 * when the token is refused, `LimitError` or `UnavailableError` (with `retryAfterMs`) when the
 * server has to be left alone for a while, and the signal's reason when it is aborted.
 *
 * @example
 * ```ts
 * const client = new AvtomatikaClient({ url: 'http://localhost:8080', token: 'secret' })
 * const job = await client.run<{ total: number }>('/jobs/orders', { items: [1, 2] })
 * console.log(resultOf(job).total)
 * ```
 */
export class AvtomatikaClient {
  readonly #options: ResolvedClientOptions
  readonly #paths: ClientPaths
  readonly #transport: Transport

  /** @throws {@link ConfigError} `CONFIG_INVALID`, with the option's name in `details.option`. */
  constructor(options: ClientOptions) {
    this.#options = resolveClientOptions(options)
    this.#paths = clientPaths(this.#options.prefix, this.#options.apiVersion)
    this.#transport = new Transport(this.#options)
  }

  /**
   * Creates a job of the blueprint with this endpoint.
   *
   * @param endpoint - such as `/jobs/orders`; the leading slash may be left out.
   * @param initialData - a plain object that JSON can say.
   * @throws {@link InputError} `INVALID_REQUEST` or `DATA_NOT_JSON` before anything is sent;
   * `INVALID_INPUT` when the blueprint refuses the data.
   * @throws {@link NotFoundError} when no blueprint has this endpoint.
   * @throws {@link ConflictError} `IDEMPOTENCY_CONFLICT`: the key was used with other data.
   */
  async createJob<Data extends object>(
    endpoint: string,
    initialData: Data,
    options: CreateJobOptions = {},
  ): Promise<CreatedJob> {
    const key = checkIdempotencyKey(options.idempotencyKey ?? this.#options.newId())
    const answer = await this.#transport.request({
      method: 'POST',
      path: this.#paths.createJob(checkEndpoint(endpoint)),
      body: createJobBody(initialData, options),
      headers: { [HEADERS.idempotencyKey]: key },
      signal: options.signal,
    })
    return { jobId: parseReply(jobAcceptedSchema, answer, 'accepted job').job_id }
  }

  /**
   * Reads a job.
   *
   * @typeParam Result - what its result is; not checked.
   * @throws {@link NotFoundError} `JOB_NOT_FOUND` (`NOT_FOUND` from older servers): unknown id, or
   * owned by another client.
   */
  async getJob<Result = unknown>(jobId: string, options: CallOptions = {}): Promise<Job<Result>> {
    return this.#look<Result>(checkJobId(jobId), { seconds: 0 }, options.signal)
  }

  /**
   * Waits until the job ends, in whichever way; {@link resultOf} tells how. Lets the server hold its
   * answers until something changes; an outage of the server in between is waited out.
   *
   * @param options.timeoutMs - give up after this long, in ms. Default 300 000. `Infinity` waits for ever.
   * @throws {@link TimeoutError} `WAIT_TIMEOUT`: the job goes on; wait again with the same id.
   * @throws {@link NotFoundError} `JOB_NOT_FOUND`: unknown id, or owned by another client.
   */
  async waitForJob<Result = unknown>(
    jobId: string,
    options: WaitOptions<Result> = {},
  ): Promise<Job<Result>> {
    checkJobId(jobId)
    return waitForJob<Result>(jobId, options, {
      look: (hold, signal) => this.#look<Result>(jobId, hold, signal),
      clock: this.#options.clock,
      random: this.#options.random,
      closing: this.#transport.closing,
    })
  }

  /**
   * Creates a job and waits until it ends; throws what {@link createJob} and {@link waitForJob}
   * throw. A `WAIT_TIMEOUT` has the job's id in `details.job_id`. Aborting does not cancel the job.
   */
  async run<Result = unknown>(
    endpoint: string,
    initialData: object,
    options: RunOptions<Result> = {},
  ): Promise<Job<Result>> {
    checkWaitOptions(options)
    const { jobId } = await this.createJob(endpoint, initialData, options)
    return this.waitForJob<Result>(jobId, options)
  }

  /**
   * Asks for a job to be cancelled. Resolves when the wish is accepted; wait for the job to see its
   * end.
   *
   * @throws {@link NotFoundError} `JOB_NOT_FOUND`, or `JOB_ALREADY_TERMINAL` when it has ended:
   * by itself, or through an earlier try of this call whose answer was lost.
   */
  async cancelJob(jobId: string, options: CallOptions = {}): Promise<void> {
    const path = this.#paths.cancelJob(checkJobId(jobId))
    await this.#transport.request({ method: 'POST', path, signal: options.signal })
  }

  /** All workers the orchestrator knows. */
  async listWorkers(options: CallOptions = {}): Promise<readonly WorkerInfo[]> {
    const call = { method: 'GET', path: this.#paths.workers, signal: options.signal } as const
    return readWorkers(await this.#transport.request(call))
  }

  /** Ids of the jobs that need a person: their retries are used up, or their error is permanent. */
  async listQuarantined(options: CallOptions = {}): Promise<readonly string[]> {
    const call = { method: 'GET', path: PATHS.quarantined, signal: options.signal } as const
    return readJobIds(await this.#transport.request(call))
  }

  /**
   * Closes the connections. Calls in flight end with `ConnectionError` `CONNECTION_FAILED`; jobs go
   * on. A dispatcher that was passed in stays open.
   */
  close(): Promise<void> {
    return this.#transport.close()
  }

  /** Same as {@link close}; for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #look<Result>(
    jobId: string,
    { seconds, changedAfter }: Hold,
    signal: AbortSignal | undefined,
  ): Promise<Job<Result>> {
    const since = changedAfter === undefined ? '' : `&since=${encodeURIComponent(changedAfter)}`
    const query = seconds === 0 ? '' : `?wait=${seconds}${since}`
    const path = `${this.#paths.job(jobId)}${query}`
    const call = { method: 'GET', path, heldMs: seconds * 1000, signal } as const
    return readJob<Result>(await this.#transport.request(call))
  }
}

function checkJobId(jobId: string): string {
  if (isIdentifier(jobId)) return jobId
  throw new InputError('INVALID_REQUEST', {
    message: 'jobId must be the id of a job: 1 to 128 letters, digits, "_" or "-".',
    details: { field: 'jobId' },
  })
}
