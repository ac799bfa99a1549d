// Rules of waiting.
// W1 The server is asked to hold its answer until the job has ended (`?wait=<seconds>`), or, for
//    somebody who watches, has changed since it was last seen (`&since=<updated_at>`). One that does
//    not know this answers at once; then the pauses are ours, and grow while nothing changes.
// W2 The first look fails like any call: a wrong address or id is told at once. Once the job has
//    been seen, an outage of the server is waited out: the job is safe there.
// W3 Whatever ends the wait, the job goes on.

import { InputError, isTerminalJobStatus, TimeoutError } from '@avtomatika/protocol'
import type { AvtomatikaError } from '@avtomatika/protocol'

import { backoffMs } from './backoff.ts'
import type { BackoffPolicy } from './backoff.ts'
import type { Clock } from './clock.ts'
import { withDeadline } from './deadline.ts'
import type { Job } from './job.ts'
import { isPassing, retryAfterMs } from './transport.ts'

/** How to wait for a job. */
export interface WaitOptions<Result = unknown> {
  /** Give up after this long, in ms. Default 300 000; `Infinity` waits for ever. */
  readonly timeoutMs?: number | undefined
  /** Called with the first view of the job and at each change of its status, state or progress. */
  readonly onProgress?: ((job: Job<Result>) => void | Promise<void>) | undefined
  /** Ends the wait, with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Ask at this interval, in ms, instead of letting the server hold its answers back. */
  readonly pollIntervalMs?: number | undefined
}

/** How long the server may hold its answer. */
export interface Hold {
  /** 0 for an answer at once. */
  readonly seconds: number
  /** The `updated_at` last seen: any change after it is worth an answer. Absent: only the end is. */
  readonly changedAfter?: string
}

/** What waiting needs from the client. */
export interface WaitParts<Result> {
  readonly look: (hold: Hold, signal: AbortSignal) => Promise<Job<Result>>
  readonly clock: Clock
  readonly random: () => number
  readonly closing: AbortSignal
}

const DEFAULT_WAIT_MS = 300_000

/** Below the 30 to 60 s after which proxies cut a silent connection. */
const LONG_POLL_SECONDS = 20

const QUIET: BackoffPolicy = { firstMs: 100, maxMs: 2_000 }

/** Waits until a job ends; see `AvtomatikaClient.waitForJob`. */
export function waitForJob<Result>(
  jobId: string,
  options: WaitOptions<Result>,
  parts: WaitParts<Result>,
): Promise<Job<Result>> {
  checkWaitOptions(options)
  const timeoutMs = options.timeoutMs ?? DEFAULT_WAIT_MS
  const watch = new JobWatch(options, parts)
  const scope = {
    clock: parts.clock,
    timeoutMs,
    signals: [options.signal, parts.closing],
    onTimeout: () => watch.timeoutError(jobId, timeoutMs),
  }
  return withDeadline(scope, (signal) => watch.untilEnd(signal))
}

/** @throws {@link InputError} `INVALID_REQUEST`, with the option's name in `details.option`. */
export function checkWaitOptions({ timeoutMs, pollIntervalMs }: WaitOptions<never>): void {
  if (timeoutMs !== undefined) checkMs('timeoutMs', timeoutMs)
  if (pollIntervalMs !== undefined) checkMs('pollIntervalMs', pollIntervalMs)
}

class JobWatch<Result> {
  readonly #options: WaitOptions<Result>
  readonly #parts: WaitParts<Result>
  #last: Job<Result> | undefined
  /** Why the last look failed, while the server is away. */
  #outage: AvtomatikaError | undefined
  /** Turns in a row that told nothing new. */
  #quietTurns = 0

  constructor(options: WaitOptions<Result>, parts: WaitParts<Result>) {
    this.#options = options
    this.#parts = parts
  }

  async untilEnd(signal: AbortSignal): Promise<Job<Result>> {
    const { clock } = this.#parts
    for (;;) {
      const hold = this.#hold()
      const startedAt = clock.now()
      const job = await this.#look(hold, signal)
      if (job !== undefined) await this.#take(job)
      if (job !== undefined && isTerminalJobStatus(job.status)) return job
      const pauseMs = this.#pauseMs(clock.now() - startedAt >= hold.seconds * 1000)
      if (pauseMs > 0) await clock.sleep(pauseMs, signal)
    }
  }

  timeoutError(jobId: string, timeoutMs: number): TimeoutError {
    const seen = this.#last === undefined ? 'never seen' : this.#last.status
    return new TimeoutError('WAIT_TIMEOUT', {
      message: `Job ${jobId} did not end within ${timeoutMs} ms (${seen}). It goes on: wait again with the same id, or cancel it.`,
      details: { job_id: jobId, status: this.#last?.status, state: this.#last?.currentState },
      cause: this.#outage,
    })
  }

  // Someone who watches wants to see where the job is now, not only what changes next.
  #hold(): Hold {
    const { pollIntervalMs, onProgress } = this.#options
    if (pollIntervalMs !== undefined) return { seconds: 0 }
    if (onProgress === undefined) return { seconds: LONG_POLL_SECONDS }
    if (this.#last === undefined) return { seconds: 0 }
    const seen = this.#last.raw['updated_at']
    return { seconds: LONG_POLL_SECONDS, ...(typeof seen === 'string' && { changedAfter: seen }) }
  }

  /** The job, or `undefined` while the server is away (W2). */
  async #look(hold: Hold, signal: AbortSignal): Promise<Job<Result> | undefined> {
    try {
      const job = await this.#parts.look(hold, signal)
      this.#outage = undefined
      return job
    } catch (error) {
      if (signal.aborted || this.#last === undefined || !isPassing(error)) throw error
      this.#outage = error
      this.#quietTurns += 1
      return undefined
    }
  }

  async #take(job: Job<Result>): Promise<void> {
    const before = this.#last
    const isNews = before === undefined || hasChanged(before, job)
    // A change that nobody is told of still explains why the answer was not held.
    const isNewer = job.updatedAt !== null && job.updatedAt !== before?.updatedAt
    this.#last = job
    this.#quietTurns = isNews || isNewer ? 0 : this.#quietTurns + 1
    if (isNews) await this.#options.onProgress?.(job)
  }

  #pauseMs(wasHeld: boolean): number {
    if (this.#options.pollIntervalMs !== undefined) return this.#options.pollIntervalMs
    if (wasHeld && this.#outage === undefined) this.#quietTurns = 0
    if (this.#quietTurns === 0) return 0
    const askedMs = this.#outage === undefined ? 0 : retryAfterMs(this.#outage)
    return askedMs + backoffMs(QUIET, this.#quietTurns, this.#parts.random)
  }
}

function hasChanged(before: Job, after: Job): boolean {
  return (
    before.status !== after.status ||
    before.currentState !== after.currentState ||
    before.progress !== after.progress ||
    before.progressMessage !== after.progressMessage
  )
}

function checkMs(option: string, value: unknown): void {
  if (typeof value === 'number' && value > 0) return
  throw new InputError('INVALID_REQUEST', {
    message: `${option} must be a number of milliseconds above 0, got ${String(value)}.`,
    details: { option },
  })
}
