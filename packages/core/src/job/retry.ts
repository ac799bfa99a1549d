/** When a failed step or task is tried again. */

export interface BackoffPolicy {
  /** Pause before the first retry, in ms. */
  readonly initialMs: number
  /** Growth from one retry to the next. */
  readonly factor: number
  /** Longest pause, in ms. */
  readonly maxMs: number
  /** Share of the pause that chance may take away, from 0 to 1. */
  readonly jitter: number
}

export interface RetryRules {
  /** Tries after the first one. */
  readonly maxRetries: number
  readonly backoff: BackoffPolicy
}

/**
 * The pause before retry number `retry` (from 1), in whole ms: truncated exponential back-off with
 * partial jitter, `min(max, initial × factor^(retry−1)) × (1 − jitter × chance)`. Jitter shortens
 * only, so that `maxMs` is a bound.
 */
export function backoffMs(policy: BackoffPolicy, retry: number, chance: number): number {
  // Finite, since no pause at all times an endless growth would be no number.
  const growth = Math.min(Number.MAX_VALUE, policy.factor ** (retry - 1))
  const pause = Math.min(policy.maxMs, policy.initialMs * growth)
  return Math.round(pause * (1 - policy.jitter * chance))
}
