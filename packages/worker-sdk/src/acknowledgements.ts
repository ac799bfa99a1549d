// An orchestrator that has agreed to acknowledgements offers a task again that it does not hear of within
// 5 s. A result and a heartbeat that lists the task are word enough, and most tasks have one of these
// within a second; only for the others there is a message, one for all of them.
import { MAX_ACKNOWLEDGED_TASKS, PATHS, taskAckReplySchema } from '@avtomatika/protocol'

import { retryWaitMs, type BackoffPolicy, type Random } from './backoff.ts'
import type { Clock } from './clock.ts'
import type { WorkerLogger } from './logger.ts'
import { isRefusal } from './result-answer.ts'
import { REQUEST_TIMEOUT_MS, type Reply, type Transport } from './transport.ts'
import { sleep } from './wake.ts'

/** How long a task may do without a word, in ms; at most twice that: time for a short one, and for a second try. */
export const ACKNOWLEDGE_AFTER_MS = 1000

/** What {@link Acknowledgements} needs. */
export interface AcknowledgementsOptions {
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  readonly logger: WorkerLogger
  readonly backoff: BackoffPolicy
  readonly workerId: string
  /** Aborts tasks that this worker does not hold any more. */
  readonly onCancel: (taskIds: readonly string[]) => void
  /** Ends all of it. */
  readonly signal: AbortSignal
}

/** Tells one orchestrator which tasks have arrived. */
export class Acknowledgements {
  readonly #options: AcknowledgementsOptions
  /** When those came that the orchestrator has not heard of, in ms since 1970. */
  readonly #untold = new Map<string, number>()
  #telling: Promise<void> | undefined

  constructor(options: AcknowledgementsOptions) {
    this.#options = options
  }

  /** A task has arrived. */
  add(taskId: string): void {
    if (this.#options.signal.aborted) return
    this.#untold.set(taskId, this.#options.clock.now())
    this.#telling ??= this.#tell()
  }

  /** The orchestrator has heard of these tasks in other words. */
  settle(...taskIds: readonly string[]): void {
    if (this.#untold.size === 0) return
    for (const taskId of taskIds) this.#untold.delete(taskId)
  }

  /** Resolves when nothing is told any more; meant for after the abort of the own signal. */
  async settled(): Promise<void> {
    await this.#telling
  }

  /** Never rejects. */
  async #tell(): Promise<void> {
    const { clock, random, backoff, signal } = this.#options
    let failures = 0
    let waitMs = ACKNOWLEDGE_AFTER_MS
    while (this.#untold.size > 0 && !signal.aborted) {
      await sleep(clock, waitMs, signal)
      waitMs = ACKNOWLEDGE_AFTER_MS
      const taskIds = this.#due()
      if (taskIds.length === 0 || signal.aborted) continue
      const reply = await this.#ask(taskIds)
      if (reply.ok || isRefusal(reply)) {
        failures = 0
        this.settle(...taskIds)
        continue
      }
      failures += 1
      waitMs = retryWaitMs(backoff, failures, random, reply)
    }
    this.#telling = undefined
  }

  /** Those that came just now have their time. */
  #due(): readonly string[] {
    const before = this.#options.clock.now() - ACKNOWLEDGE_AFTER_MS
    const due = [...this.#untold].filter(([, cameAt]) => cameAt <= before).map(([taskId]) => taskId)
    return due.slice(0, MAX_ACKNOWLEDGED_TASKS)
  }

  async #ask(taskIds: readonly string[]): Promise<Reply> {
    const { transport, workerId, logger, onCancel, signal } = this.#options
    const reply = await transport.request({
      method: 'POST',
      path: PATHS.acknowledgeTasks,
      body: JSON.stringify({ worker_id: workerId, task_ids: taskIds }),
      timeoutMs: REQUEST_TIMEOUT_MS,
      signal,
    })
    if (!reply.ok && !signal.aborted) {
      logger.warn({ err: reply.error, taskIds }, 'tasks were not acknowledged')
    }
    const said = taskAckReplySchema.safeParse(reply.body)
    const gone = said.data?.cancel_task_ids ?? []
    if (reply.ok && gone.length > 0) onCancel(gone)
    return reply
  }
}
