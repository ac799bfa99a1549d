import { clientPaths, HEADERS, jobAcceptedSchema, parseReply, PATHS } from '@avtomatika/protocol'
import type { ClientPaths } from '@avtomatika/protocol'

import { approveBody, checkApproved } from './approve.ts'
import type { ApproveOptions } from './approve.ts'
import { checkEndpoint, checkIdempotencyKey, createJobBody } from './create-job.ts'
import type { CreateJobOptions } from './create-job.ts'
import { checkDeadLetterId, checkResent, deadLetterQuery, readDeadLetters } from './dead-letters.ts'
import type { DeadLetter, DeadLetterOptions } from './dead-letters.ts'
import {
  checkDrained,
  checkEvicted,
  checkReloaded,
  pendingTaskQuery,
  readPendingTasks,
  readSkillCatalog,
} from './fleet.ts'
import type { DrainOptions, PendingTask, PendingTaskOptions, SkillOffer } from './fleet.ts'
import { graphCall } from './graph.ts'
import type { GraphOptions } from './graph.ts'
import { readJob } from './job.ts'
import type { Job } from './job.ts'
import type { JobEvent } from './job-event.ts'
import { checkJobEventsOptions, watchJob } from './job-events.ts'
import type { JobEventsOptions } from './job-events.ts'
import { checkBlueprintName, checkJobId, checkWorkerId } from './names.ts'
import { resolveClientOptions } from './options.ts'
import type { ClientOptions, ResolvedClientOptions } from './options.ts'
import {
  checkDiscarded,
  checkRetried,
  discardManyBody,
  quarantineQuery,
  readOutcomes,
  readQuarantine,
  retryBody,
  retryManyBody,
} from './quarantine.ts'
import type { QuarantineOptions, QuarantineOutcome, RetryOptions } from './quarantine.ts'
import { readSentEvent, sendEventBody } from './send-event.ts'
import type { SendEventOptions, SentEvent } from './send-event.ts'
import { Transport } from './transport.ts'
import type { Call } from './transport.ts'
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
 * Creates, follows and steers jobs of one orchestrator.
 *
 * Every call throws `ConnectionError` `CONNECTION_FAILED` when no try was answered, `AuthError`
 * when the token is refused, `LimitError` or `UnavailableError` (with `retryAfterMs`) when the
 * server has to be left alone for a while, and the signal's reason when it is aborted. Every call
 * about a job throws `NotFoundError` `JOB_NOT_FOUND` (`NOT_FOUND` from older servers) when its id is
 * unknown, or it belongs to another client.
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
    const answer = await this.#post(this.#paths.createJob(checkEndpoint(endpoint)), {
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
   * Watches a job until it ends: its status, progress, and the output of its tasks as it comes. A lost
   * connection is opened again, and goes on after the last piece of output.
   *
   * Iterate it once. Leaving the loop closes the connection; while it waits, the signal does.
   *
   * @throws {@link InputError} `INVALID_REQUEST` at once; all else while it is iterated:
   * @throws {@link NotFoundError} `JOB_NOT_FOUND`; `ROUTE_NOT_FOUND` or `NOT_FOUND` from older servers.
   * @throws {@link ConnectionError} `CONNECTION_FAILED` when the server is away for `outageMs`.
   *
   * @example
   * ```ts
   * for await (const event of client.jobEvents(jobId)) {
   *   if (event.type === 'chunk') process.stdout.write(String(event.chunk))
   * }
   * ```
   */
  jobEvents(
    jobId: string,
    options: JobEventsOptions = {},
  ): AsyncGenerator<JobEvent, void, undefined> {
    const path = this.#paths.jobEvents(checkJobId(jobId))
    checkJobEventsOptions(options)
    const { clock, random, retries } = this.#options
    return watchJob(options, {
      open: (lastEventId, signal) =>
        this.#transport.open({
          method: 'GET',
          path,
          textOfType: 'text/event-stream',
          ...(lastEventId !== undefined && { headers: { 'last-event-id': lastEventId } }),
          signal,
        }),
      clock,
      random,
      retries,
      closing: this.#transport.closing,
    })
  }

  /**
   * Asks for a job to be cancelled. Resolves when the wish is accepted; wait for the job to see its
   * end.
   *
   * @throws {@link NotFoundError} `JOB_NOT_FOUND`, or `JOB_ALREADY_TERMINAL` when it has ended:
   * by itself, or through an earlier try of this call whose answer was lost.
   */
  async cancelJob(jobId: string, options: CallOptions = {}): Promise<void> {
    await this.#post(this.#paths.cancelJob(checkJobId(jobId)), { signal: options.signal })
  }

  /**
   * Sends a job an event. A job that does not wait for it yet keeps it until it does.
   *
   * @throws {@link ConflictError} `JOB_ENDED`.
   * @throws {@link LimitError} `DATA_TOO_LARGE`; `EVENTS_FULL` when the job keeps as many events as
   * it may that nothing has waited for yet.
   */
  async sendEvent(jobId: string, event: SendEventOptions): Promise<SentEvent> {
    const path = this.#paths.jobEvents(checkJobId(jobId))
    const body = sendEventBody(event, event.eventId ?? this.#options.newId())
    return readSentEvent(await this.#post(path, { body, signal: event.signal }))
  }

  /**
   * Decides a job that waits for a person. A decision whose answer was lost is not sent again: the
   * job may by then wait for another one. Look at the job before you repeat it.
   *
   * @throws {@link InputError} `DECISION_INVALID`: not one of `job.approval.decisions`.
   * @throws {@link ConflictError} `NOT_APPROVABLE`: the job does not wait for a person.
   */
  async approve(jobId: string, approval: ApproveOptions): Promise<void> {
    const path = PATHS.approval(checkJobId(jobId))
    const body = approveBody(approval)
    checkApproved(await this.#post(path, { body, isOnce: true, signal: approval.signal }))
  }

  /** Quarantined jobs with their errors, newest first. Older servers have only {@link listQuarantined}. */
  async quarantined(options: QuarantineOptions = {}): Promise<readonly Job[]> {
    const path = `${this.#paths.quarantine}${quarantineQuery(options)}`
    return readQuarantine(await this.#get(path, options))
  }

  /**
   * Lets a quarantined job go on from the step that failed. Not sent again when the answer was lost:
   * the job may have failed again since.
   *
   * @throws {@link ConflictError} `NOT_QUARANTINED`.
   */
  async retry(jobId: string, options: RetryOptions = {}): Promise<void> {
    const path = this.#paths.retryJob(checkJobId(jobId))
    const call = { body: retryBody(options), isOnce: true, signal: options.signal }
    checkRetried(await this.#post(path, call))
  }

  /**
   * Gives a quarantined job up: it ends as `failed`.
   *
   * @throws {@link ConflictError} `NOT_QUARANTINED`; also when an earlier try of this call
   * discarded it and the answer was lost.
   */
  async discard(jobId: string, options: CallOptions = {}): Promise<void> {
    const path = this.#paths.discardJob(checkJobId(jobId))
    checkDiscarded(await this.#post(path, { signal: options.signal }))
  }

  /**
   * {@link retry} for up to 1000 jobs; one that cannot be retried has its `error` in the answer.
   *
   * @throws {@link InputError} `INVALID_REQUEST` before anything is sent: no ids, too many, or one
   * that cannot be an id.
   */
  async retryMany(
    ids: readonly string[],
    options: RetryOptions = {},
  ): Promise<readonly QuarantineOutcome[]> {
    const call = { body: retryManyBody(ids, options), isOnce: true, signal: options.signal }
    return readOutcomes(await this.#post(this.#paths.retryQuarantined, call))
  }

  /**
   * {@link discard} for up to 1000 jobs; throws and answers as {@link retryMany} does. Those that an
   * earlier try of this call discarded have the error `NOT_QUARANTINED`.
   */
  async discardMany(
    ids: readonly string[],
    options: CallOptions = {},
  ): Promise<readonly QuarantineOutcome[]> {
    const call = { body: discardManyBody(ids), signal: options.signal }
    return readOutcomes(await this.#post(this.#paths.discardQuarantined, call))
  }

  /** Webhook calls that were given up, newest first. */
  async deadLetters(options: DeadLetterOptions = {}): Promise<readonly DeadLetter[]> {
    const path = `${this.#paths.deadLetters}${deadLetterQuery(options)}`
    return readDeadLetters(await this.#get(path, options))
  }

  /**
   * Sends a webhook call that was given up again, with all its attempts.
   *
   * @throws {@link NotFoundError} `NOT_FOUND`: no such call, or not any more; also when an earlier try
   * of this call sent it and the answer was lost.
   */
  async resend(deadLetterId: string, options: CallOptions = {}): Promise<void> {
    const path = this.#paths.resendDeadLetter(checkDeadLetterId(deadLetterId))
    checkResent(await this.#post(path, { signal: options.signal }))
  }

  /** The graph of a job's blueprint with the state it is in marked, as text of the format. */
  async jobGraph(jobId: string, options: GraphOptions = {}): Promise<string> {
    return this.#graph(this.#paths.jobGraph(checkJobId(jobId)), options)
  }

  /**
   * The graph of a blueprint, as text of the format.
   *
   * @throws {@link NotFoundError} `BLUEPRINT_NOT_FOUND`.
   */
  async blueprintGraph(name: string, options: GraphOptions = {}): Promise<string> {
    return this.#graph(this.#paths.blueprintGraph(checkBlueprintName(name)), options)
  }

  /** All workers the orchestrator knows. */
  async listWorkers(options: CallOptions = {}): Promise<readonly WorkerInfo[]> {
    return readWorkers(await this.#get(this.#paths.workers, options))
  }

  /** What can be had of each skill, and from how many workers. */
  async skillCatalog(options: CallOptions = {}): Promise<readonly SkillOffer[]> {
    return readSkillCatalog(await this.#get(this.#paths.workerCatalog, options))
  }

  /** Tasks that no worker has taken yet, and why, the longest waiting first. Admins see those of all. */
  async pendingTasks(options: PendingTaskOptions = {}): Promise<readonly PendingTask[]> {
    const path = `${this.#paths.pendingTasks}${pendingTaskQuery(options)}`
    return readPendingTasks(await this.#get(path, options))
  }

  /**
   * Gives a worker no more tasks, until it leaves, or tasks again; what it has it may finish.
   *
   * @throws {@link AuthError} `FORBIDDEN` without admin rights.
   * @throws {@link NotFoundError} `WORKER_NOT_FOUND`.
   */
  async drainWorker(workerId: string, { drain = true, signal }: DrainOptions = {}): Promise<void> {
    const path = this.#paths.drainWorker(checkWorkerId(workerId))
    checkDrained(await this.#post(path, { body: JSON.stringify({ drain }), signal }))
  }

  /**
   * Forgets a worker, and offers what it holds to others; it may register again. Not sent again when
   * the answer was lost: it may have registered since.
   *
   * @throws {@link AuthError} `FORBIDDEN` without admin rights.
   * @throws {@link NotFoundError} `WORKER_NOT_FOUND`.
   */
  async evictWorker(workerId: string, { signal }: CallOptions = {}): Promise<void> {
    const path = this.#paths.evictWorker(checkWorkerId(workerId))
    checkEvicted(await this.#post(path, { isOnce: true, signal }))
  }

  /**
   * Makes the orchestrator read the file with the workers' tokens again.
   *
   * @throws {@link AuthError} `FORBIDDEN` without admin rights.
   * @throws {@link InputError} when it has no such file, or cannot use what is in it.
   */
  async reloadWorkerTokens(options: CallOptions = {}): Promise<void> {
    checkReloaded(await this.#post(this.#paths.reloadWorkers, { signal: options.signal }))
  }

  /** Ids of the jobs that need a person: their retries are used up, or their error is permanent. */
  async listQuarantined(options: CallOptions = {}): Promise<readonly string[]> {
    return readJobIds(await this.#get(PATHS.quarantined, options))
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

  #get(path: string, { signal }: CallOptions): Promise<unknown> {
    return this.#transport.request({ method: 'GET', path, signal })
  }

  #post(path: string, call: Omit<Call, 'method' | 'path'>): Promise<unknown> {
    return this.#transport.request({ method: 'POST', path, ...call })
  }

  async #graph(path: string, options: GraphOptions): Promise<string> {
    return String(await this.#transport.request(graphCall(path, options)))
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
