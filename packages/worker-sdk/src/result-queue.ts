// Delivery rules.  R1 A result is sent again until it is answered.  R2 Any 2xx with JSON is an answer,
// `ignored` included, and so is a refusal: a 4xx that is about the result. 401, 403, 408, 425 and 429 are
// about the worker or the moment; so is a 404 that does not say why, as of a proxy.  R3 Each result has its own sender: one that is not answered holds up
// no other.  R4 The text is fixed when the task ends: every sending is the same, also that of a later
// process, so a server that counts a result once per task and attempt counts it once.
import { isJsonObject, PATHS, type TaskResult } from '@avtomatika/protocol'

import { retryWaitMs, type BackoffPolicy, type Random } from './backoff.ts'
import type { Clock } from './clock.ts'
import type { WorkerLogger } from './logger.ts'
import type { QueuedResult, ResultStore } from './result-store.ts'
import { REQUEST_TIMEOUT_MS, type Failure, type Reply, type Transport } from './transport.ts'
import { sleep, Wake } from './wake.ts'

/** What a queue needs. */
export interface ResultQueueOptions {
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  readonly logger: WorkerLogger
  readonly backoff: BackoffPolicy
  /** Results that may wait before {@link ResultQueue.isFull}. */
  readonly capacity: number
  /** Where results survive the process. Default: nowhere. */
  readonly store?: ResultStore | undefined
  /** Ends all delivery. */
  readonly signal: AbortSignal
}

/** The results that an orchestrator has not answered yet. */
export class ResultQueue {
  /** Notified when a result leaves. */
  readonly changed = new Wake()
  readonly #options: ResultQueueOptions
  readonly #pending = new Map<QueuedResult, Promise<void>>()
  #delivered = 0
  #refused = 0
  #failures = 0

  constructor(options: ResultQueueOptions) {
    this.#options = options
  }

  /** Whether no more tasks should be taken. Results of tasks at work are still accepted. */
  get isFull(): boolean {
    return this.#pending.size >= this.#options.capacity
  }

  /** The results that wait. */
  get pending(): readonly TaskResult[] {
    return [...this.#pending.keys()].map(({ result }) => result)
  }

  /** How many sendings ended how, since the start. */
  get counts(): { readonly delivered: number; readonly refused: number; readonly failed: number } {
    return { delivered: this.#delivered, refused: this.#refused, failed: this.#failures }
  }

  /**
   * Sends what an earlier process did not get delivered.
   *
   * @throws {@link ConfigError} `CONFIG_INVALID` when the store cannot be used.
   */
  async restore(): Promise<void> {
    const found = (await this.#options.store?.load()) ?? []
    if (found.length > 0) {
      this.#options.logger.info({ results: found.length }, 'sending results of an earlier process')
    }
    for (const queued of found) this.#track(queued, Promise.resolve())
  }

  /**
   * Takes a result and sends it until it is answered.
   *
   * @param before - resolves when what must be sent earlier has been sent.
   */
  add(result: TaskResult, before: Promise<void> = Promise.resolve()): void {
    const queued = { result, body: JSON.stringify(result) }
    this.#track(queued, Promise.all([before, this.#save(queued)]))
  }

  /** Waits until every result is answered, or the abort. */
  async drain(signal: AbortSignal): Promise<void> {
    await this.changed.until(() => this.#pending.size === 0, signal)
  }

  /** Waits until no sender is at work; meant for after the abort of the queue's own signal. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#pending.values())
  }

  #track(queued: QueuedResult, before: Promise<unknown>): void {
    const delivery = before
      .then(() => this.#deliver(queued))
      .finally(() => {
        this.#pending.delete(queued)
        this.changed.notify()
      })
    this.#pending.set(queued, delivery)
  }

  async #deliver(queued: QueuedResult): Promise<void> {
    const { transport, clock, random, backoff, signal } = this.#options
    const { result, body } = queued
    for (let failures = 1; !signal.aborted; failures += 1) {
      const timeoutMs = REQUEST_TIMEOUT_MS
      const path = PATHS.taskResult
      const reply = await transport.request({ method: 'POST', path, body, timeoutMs, signal })
      if (reply.ok || isRefusal(reply)) {
        this.#noteAnswer(result, reply)
        await this.#forget(queued)
        return
      }
      if (signal.aborted) return
      this.#failures += 1
      this.#log(result).warn(
        { err: reply.error, failures },
        'result not delivered, will send it again',
      )
      await sleep(clock, retryWaitMs(backoff, failures, random, reply), signal)
    }
  }

  /** A result that cannot be kept is sent all the same. */
  async #save(queued: QueuedResult): Promise<void> {
    try {
      await this.#options.store?.save(queued)
    } catch (error) {
      this.#log(queued.result).error(
        { err: error },
        'the result is kept in memory only: it is lost if the process ends before it is delivered',
      )
    }
  }

  async #forget(queued: QueuedResult): Promise<void> {
    try {
      await this.#options.store?.remove(queued)
    } catch (error) {
      const message = 'the delivered result stays on disk: it is sent once more at the next start'
      this.#log(queued.result).warn({ err: error }, message)
    }
  }

  #noteAnswer(result: TaskResult, reply: Reply): void {
    const log = this.#log(result)
    if (!reply.ok) {
      this.#refused += 1
      log.error({ err: reply.error }, 'the orchestrator refused the result; it is not sent again')
      return
    }
    this.#delivered += 1
    if (isJsonObject(reply.body) && reply.body['status'] === 'ignored') {
      log.info({ reason: reply.body['reason'] }, 'the orchestrator ignored the result')
    } else {
      log.debug({ status: result.status }, 'result delivered')
    }
  }

  #log({ task_id: taskId, job_id: jobId }: TaskResult): WorkerLogger {
    return this.#options.logger.child({ taskId, jobId })
  }
}

const NOT_ABOUT_THE_RESULT: ReadonlySet<number> = new Set([401, 403, 408, 425, 429])

/** An answer that is final: asking again will not help. */
export function isRefusal({ status, body, error }: Failure): boolean {
  if (status === 404) return saysWhy(body) && error.code !== 'WORKER_NOT_FOUND'
  return status !== null && status >= 400 && status < 500 && !NOT_ABOUT_THE_RESULT.has(status)
}

function saysWhy(body: unknown): boolean {
  return isJsonObject(body) && typeof body['error'] === 'string'
}
