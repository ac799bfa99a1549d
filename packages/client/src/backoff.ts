/** How pauses grow from one try to the next. */
export interface BackoffPolicy {
  /** The first pause, in ms. */
  readonly firstMs: number
  /** No pause is longer, in ms. */
  readonly maxMs: number
}

/**
 * The pause after the nth try: doubles each time, and loses up to half of itself by chance, so that
 * many clients hit by the same outage do not come back in step.
 *
 * @param attempt - from 1.
 * @param random - 0 to 1.
 */
export function backoffMs(policy: BackoffPolicy, attempt: number, random: () => number): number {
  const full = Math.min(policy.firstMs * 2 ** (attempt - 1), policy.maxMs)
  return full * (0.5 + random() / 2)
}
