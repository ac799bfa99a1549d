/** Who calls the webhooks. */
import type { JsonValue } from '@avtomatika/protocol'
import type { EpochMs } from '../job/vocabulary.ts'

/** One call of a job's webhook. */
export interface Notification {
  /** Stable over repeats of the same call, so that the receiver can drop them. */
  readonly id: string
  readonly jobId: string
  /** Whose job it is; sees the call when it is given up. */
  readonly ownerId: string
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

/** What came of one call. */
export type WebhookVerdict =
  | { readonly kind: 'delivered' }
  /** It may pass. */
  | { readonly kind: 'again'; readonly reason: string }
  /** Trying again changes nothing. */
  | { readonly kind: 'refused'; readonly reason: string }

/** Calls once; never rejects. A call that the signal ends is one to make again. */
export type WebhookCall = (
  notification: Notification,
  signal?: AbortSignal,
) => Promise<WebhookVerdict>

/** A call that was given up. */
export interface DeadLetter {
  /** That of the notification. */
  readonly id: string
  readonly jobId: string
  readonly event: string
  /** Where it should have gone; the host only, since the rest of a URL may hold secrets. */
  readonly host: string
  /** How often it was tried. */
  readonly attempts: number
  /** What came of the last attempt. */
  readonly reason: string
  readonly failedAt: EpochMs
}

export interface DeadLetterQuery {
  /** Left out, those of all owners. */
  readonly ownerId?: string | undefined
  readonly limit: number
}

/** Every implementation runs the same suite: `notifierContract` of `@avtomatika/core/testing`. */
export interface Notifier {
  /**
   * Takes responsibility for a delivery; resolves when it is accepted, not when it is delivered. A
   * notification whose id is under way already is accepted and sent once; one that was given up is
   * accepted and stays a dead letter until it is sent again.
   * @throws UnavailableError when it cannot take more; try again later.
   */
  notify(notification: Notification): Promise<void>
  /**
   * Calls that were given up, newest first. Only so many are kept, and only for so long.
   * @throws UnavailableError when they cannot be read; try again later.
   */
  listDeadLetters(query: DeadLetterQuery): Promise<readonly DeadLetter[]>
  /**
   * Starts over with a call that was given up, with all its attempts.
   * @param ownerId - one of another owner is as good as none; left out, all are seen.
   * @returns whether there was one.
   * @throws UnavailableError when it cannot be done now; try again later.
   */
  resend(id: string, ownerId?: string): Promise<boolean>
  /**
   * Takes nothing more, lets what is being sent go out, and ends what is left after `graceMs`.
   * Resolves when nothing is under way in this process any more; a second call waits for the same end.
   */
  stop(graceMs?: number): Promise<void>
}
