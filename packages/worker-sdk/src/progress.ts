import { PATHS, PROGRESS_EVENT, progressPayload, type WorkerEvent } from '@avtomatika/protocol'

import type { Clock } from './clock.ts'
import type { WorkerLogger } from './logger.ts'
import type { Transport } from './transport.ts'

/** Shortest time between two reports of one task, in ms. */
export const PROGRESS_INTERVAL_MS = 200

/**
 * The last report goes out before the result, so a slow answer to it would hold the result up; a
 * report is not worth more than this, in ms.
 */
const PROGRESS_TIMEOUT_MS = 5000

/** What a reporter needs. */
export interface ProgressReporterOptions {
  readonly transport: Transport
  readonly clock: Clock
  readonly newId: () => string
  readonly logger: WorkerLogger
  readonly workerId: string
  readonly jobId: string
  readonly taskId: string
  /**
   * Sends a message over an open connection; `false` when there is none. It may be lost there, which a
   * report may be: the next one, or the result, tells more.
   */
  readonly sendFrame?: ((text: string) => boolean) | undefined
  readonly signal: AbortSignal
}

interface Report {
  readonly fraction: number
  readonly message: string | undefined
}

/** Sends the progress of one task: one report at a time, not too often, the last one wins. */
export class ProgressReporter {
  readonly #options: ProgressReporterOptions
  #pending: Report | undefined
  #sending: Promise<void> | undefined
  #cancelTimer: (() => void) | undefined
  #nextAt = -Infinity
  #flushed = false

  constructor(options: ProgressReporterOptions) {
    this.#options = options
  }

  /** Notes a report; sends it as soon as the rate allows. Ignored after {@link flush}. */
  report(fraction: number, message?: string): void {
    if (this.#flushed) return
    if (!Number.isFinite(fraction)) {
      this.#options.logger.warn({ fraction }, 'progress ignored: it must be a number from 0 to 1')
      return
    }
    this.#pending = { fraction: Math.min(1, Math.max(0, fraction)), message }
    this.#schedule()
  }

  /** Sends what is still pending; takes no more reports. Never rejects. */
  async flush(): Promise<void> {
    this.#flushed = true
    this.#cancelTimer?.()
    await this.#sending
    await this.#sendPending()
  }

  #schedule(): void {
    if (this.#flushed || this.#sending !== undefined || this.#cancelTimer !== undefined) return
    const { clock } = this.#options
    const start = (): void => {
      this.#cancelTimer = undefined
      this.#sending = this.#sendPending().finally(() => {
        this.#sending = undefined
        if (this.#pending !== undefined) this.#schedule()
      })
    }
    const waitMs = this.#nextAt - clock.now()
    if (waitMs <= 0) start()
    else this.#cancelTimer = clock.after(waitMs, start)
  }

  async #sendPending(): Promise<void> {
    const report = this.#pending
    if (report === undefined) return
    const { transport, clock, logger, sendFrame, signal } = this.#options
    this.#pending = undefined
    this.#nextAt = clock.now() + PROGRESS_INTERVAL_MS
    const body = JSON.stringify(this.#event(report))
    if (sendFrame?.(body) === true) return
    const reply = await transport.request({
      method: 'POST',
      path: PATHS.workerEvents,
      body,
      timeoutMs: PROGRESS_TIMEOUT_MS,
      signal,
    })
    // Not sent again: the next report, or the result, tells more than this one did.
    if (!reply.ok) logger.debug({ err: reply.error }, 'progress report lost')
  }

  #event({ fraction, message }: Report): WorkerEvent {
    const { newId, workerId, jobId, taskId } = this.#options
    return {
      event_id: newId(),
      worker_id: workerId,
      origin_worker_id: workerId,
      event_type: PROGRESS_EVENT,
      payload: progressPayload(fraction, message),
      target_job_id: jobId,
      target_task_id: taskId,
    }
  }
}
