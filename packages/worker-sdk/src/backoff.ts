/** How long to wait before trying again. */
export interface BackoffPolicy {
  /** Upper bound of the first wait, in ms. */
  readonly initialMs: number
  /** Upper bound of every wait, in ms. */
  readonly maxMs: number
  /** What the bound grows by with each failure. Default 2. */
  readonly factor?: number
  /** Shortest wait after a 429 that does not say how long to wait, in ms. Default: none. */
  readonly rateLimitFloorMs?: number
}

/** What came instead of an answer. */
export interface Refusal {
  /** HTTP status, or `null` when there was none. */
  readonly status: number | null
  /** What the peer asked to wait, in ms. */
  readonly retryAfterMs?: number | undefined
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
  const bound = policy.initialMs * (policy.factor ?? 2) ** Math.min(failures - 1, 30)
  return random() * Math.min(bound, policy.maxMs)
}

/**
 * How long to wait before asking again, in ms. Some orchestrators lose the `Retry-After` of their own
 * 429 on the way; then the floor of the policy stands in for it.
 */
export function retryWaitMs(
  policy: BackoffPolicy,
  failures: number,
  random: Random,
  { status, retryAfterMs }: Refusal,
): number {
  const floor = status === 429 ? policy.rateLimitFloorMs : undefined
  return backoffMs(policy, failures, random, retryAfterMs ?? floor)
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
