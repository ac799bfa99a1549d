import type { RetryRules } from './retry.ts'

/** Limits that hold for every job of an engine. */
export interface Rules {
  readonly retry: RetryRules
  /** Changes of state after which a job counts as caught in a loop. */
  readonly maxTransitions: number
  /** How deep children may have children; a job that a client created has depth 0. */
  readonly maxDepth: number
  /** Events that one job keeps until it waits for them. */
  readonly maxStoredEvents: number
  /** Data of one job, in bytes of JSON. */
  readonly maxJobDataBytes: number
}

/**
 * Three retries after 0.5, 1 and 2 s (shortened by up to half), at most 100 transitions, children
 * down to depth 10, 100 stored events, 16 MiB of data.
 */
export const DEFAULT_RULES: Rules = {
  retry: {
    maxRetries: 3,
    backoff: { initialMs: 500, factor: 2, maxMs: 60_000, jitter: 0.5 },
  },
  maxTransitions: 100,
  maxDepth: 10,
  maxStoredEvents: 100,
  maxJobDataBytes: 16 * 1024 * 1024,
}
