/** Who calls the webhooks. */
import type { JsonValue } from '@avtomatika/protocol'
import type { EpochMs } from '../job/vocabulary.ts'

/** One call of a job's webhook. */
export interface Notification {
  /** Stable over repeats of the same call, so that the receiver can drop them. */
  readonly id: string
  readonly jobId: string
  /** May hold secrets in its path and query: never logged. */
  readonly url: string
  /** `job_finished`, `job_failed`, `job_quarantined`, `job_cancelled` or `worker_event:<type>`. */
  readonly event: string
  /** The job's status at the time. */
  readonly status: string
  readonly result: JsonValue
  readonly error: string | null
  readonly at: EpochMs
}

export interface Notifier {
  /**
   * Takes responsibility for a delivery; resolves when it is accepted, not when it is delivered. A
   * notification whose id is under way already is accepted and sent once.
   * @throws UnavailableError when it cannot take more; try again later.
   */
  notify(notification: Notification): Promise<void>
  /**
   * Takes nothing more, lets what was accepted go out, and gives up what is left after `graceMs`.
   * Resolves when nothing is under way any more; a second call waits for the same end.
   */
  stop(graceMs?: number): Promise<void>
}
