import type { RetryRules } from './retry.ts'

/** Limits that hold for every job of an engine. */
export interface Rules {
  readonly retry: RetryRules
  /** Changes of state after which a job counts as caught in a loop. */
  readonly maxTransitions: number
}

/** Three retries after 0.5, 1 and 2 s (shortened by up to half), at most 100 transitions. */
export const DEFAULT_RULES: Rules = {
  retry: {
    maxRetries: 3,
    backoff: { initialMs: 500, factor: 2, maxMs: 60_000, jitter: 0.5 },
  },
  maxTransitions: 100,
}
