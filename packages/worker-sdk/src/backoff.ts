/** How long to wait before trying again. */
export interface BackoffPolicy {
  /** Upper bound of the first wait, in ms; doubles with each failure. */
  readonly initialMs: number
  /** Upper bound of every wait, in ms. */
  readonly maxMs: number
}

/** A number from 0 (included) to 1 (excluded). */
export type Random = () => number

/** An order to wait for days is a mistake somewhere; an hour later it does no harm to ask again. */
const LONGEST_RETRY_AFTER_MS = 3_600_000

/**
 * "Full jitter" (M. Brooker, Exponential Backoff and Jitter, 2015): a random time between 0 and the
 * bound, so that workers which failed together do not come back together.
 *
 * @param failures - how many tries failed so far, from 1.
 * @param retryAfterMs - what the peer asked for; then only the jitter of a first failure is added.
 */
export function backoffMs(
  policy: BackoffPolicy,
  failures: number,
  random: Random,
  retryAfterMs?: number,
): number {
  if (retryAfterMs !== undefined) {
    return Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS) + random() * policy.initialMs
  }
  const bound = policy.initialMs * 2 ** Math.min(failures - 1, 30)
  return random() * Math.min(bound, policy.maxMs)
}

/**
 * Reads a `Retry-After` header: seconds or an HTTP date. A date in the past is 0.
 *
 * @returns milliseconds, or `undefined` when there is nothing to read.
 */
export function parseRetryAfter(header: unknown, now: number): number | undefined {
  if (typeof header !== 'string' || header.trim() === '') return undefined
  const seconds = Number(header)
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000)
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}
