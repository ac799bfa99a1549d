// Delivery rules.  R1 A result is sent again until it is answered.  R2 Any 2xx with JSON is an answer,
// `ignored` included, and so is a refusal (4xx but 408, 425, 429).  R3 Each result has its own sender:
// one that is not answered holds up no other.  R4 The text is fixed when the task ends: every sending
// is the same, so a server that counts a result once per task and attempt counts it once.
import { isJsonObject, PATHS, type TaskResult } from '@avtomatika/protocol'

import { backoffMs, type BackoffPolicy, type Random } from './backoff.ts'
import type { Clock } from './clock.ts'
import type { WorkerLogger } from './logger.ts'
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
  /** Ends all delivery. */
  readonly signal: AbortSignal
}

/** The results that an orchestrator has not answered yet. */
export class ResultQueue {
  /** Notified when a result leaves. */
  readonly changed = new Wake()
  readonly #options: ResultQueueOptions
  readonly #pending = new Map<TaskResult, Promise<void>>()

  constructor(options: ResultQueueOptions) {
    this.#options = options
  }

  /** Whether no more tasks should be taken. Results of tasks at work are still accepted. */
  get isFull(): boolean {
    return this.#pending.size >= this.#options.capacity
  }

  /** The results that wait. */
  get pending(): readonly TaskResult[] {
    return [...this.#pending.keys()]
  }

  /**
   * Takes a result and sends it until it is answered.
   *
   * @param before - resolves when what must be sent earlier has been sent.
   */
  add(result: TaskResult, before: Promise<void> = Promise.resolve()): void {
    const delivery = before
      .then(() => this.#deliver(result))
      .finally(() => {
        this.#pending.delete(result)
        this.changed.notify()
      })
    this.#pending.set(result, delivery)
  }

  /** Waits until every result is answered, or the abort. */
  async drain(signal: AbortSignal): Promise<void> {
    await this.changed.until(() => this.#pending.size === 0, signal)
  }

  /** Waits until no sender is at work; meant for after the abort of the queue's own signal. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#pending.values())
  }

  async #deliver(result: TaskResult): Promise<void> {
    const { transport, clock, random, backoff, signal } = this.#options
    const body = JSON.stringify(result)
    for (let failures = 1; !signal.aborted; failures += 1) {
      const timeoutMs = REQUEST_TIMEOUT_MS
      const path = PATHS.taskResult
      const reply = await transport.request({ method: 'POST', path, body, timeoutMs, signal })
      if (reply.ok || isRefusal(reply)) {
        this.#logAnswer(result, reply)
        return
      }
      if (signal.aborted) return
      this.#log(result).warn(
        { err: reply.error, failures },
        'result not delivered, will send it again',
      )
      await sleep(clock, backoffMs(backoff, failures, random, reply.retryAfterMs), signal)
    }
  }

  #logAnswer(result: TaskResult, reply: Reply): void {
    const log = this.#log(result)
    if (!reply.ok) {
      log.error({ err: reply.error }, 'the orchestrator refused the result; it is not sent again')
    } else if (isJsonObject(reply.body) && reply.body['status'] === 'ignored') {
      log.info({ reason: reply.body['reason'] }, 'the orchestrator ignored the result')
    } else {
      log.debug({ status: result.status }, 'result delivered')
    }
  }

  #log({ task_id: taskId, job_id: jobId }: TaskResult): WorkerLogger {
    return this.#options.logger.child({ taskId, jobId })
  }
}

const RETRIED_REFUSALS: ReadonlySet<number> = new Set([408, 425, 429])

function isRefusal({ status }: Failure): boolean {
  return status !== null && status >= 400 && status < 500 && !RETRIED_REFUSALS.has(status)
}
