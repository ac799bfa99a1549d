/**
 * What is known of workers besides what they say: how their tasks came out. Kept apart from the
 * registry, so that it outlives registrations, and writing it prolongs nobody's life (D-38, D-41).
 *
 * P1 A reputation is from 0 to 1; a worker that nothing is known of has 1.
 * P2 Ratings add up, whoever brings them at the same time.
 * P3 What was lost comes back by itself: half of what is missing in each `RECOVERY_HALF_MS`. So nobody
 *    is shut out for ever.
 * P4 Good and bad outcomes are counted by day (UTC), for `REPUTATION_DAYS` days, today included.
 * P5 Removing or registering a worker changes nothing here; what nobody has rated for so many days may
 *    be forgotten.
 * P6 `now` is the argument given; the store's own clock decides nothing, and one that is behind takes
 *    nothing back.
 */
import type { EpochMs } from '../job/vocabulary.ts'

/** In this time half of what is missing from a full reputation comes back: an hour, in ms. */
export const RECOVERY_HALF_MS = 3_600_000
/** Days of which outcomes are counted. */
export const REPUTATION_DAYS = 30
const DAY_MS = 86_400_000

/** What a worker has earned. */
export interface Rating {
  readonly workerId: string
  /** Added to the reputation; less than 0 for a penalty. */
  readonly by: number
  /** Outcomes to count. */
  readonly good: number
  readonly bad: number
}

export interface Reputation {
  readonly workerId: string
  /** From 0 to 1. */
  readonly reputation: number
  /** Outcomes of the last {@link REPUTATION_DAYS} days. */
  readonly good: number
  readonly bad: number
}

export interface ReputationStore {
  /** Adds ratings, at most one of a worker; answers what has become of each, in their order. */
  rateWorkers(query: {
    readonly ratings: readonly Rating[]
    readonly now: EpochMs
  }): Promise<readonly Reputation[]>
  /** What is known of each, in their order (P1). */
  readReputations(query: {
    readonly workerIds: readonly string[]
    readonly now: EpochMs
  }): Promise<readonly Reputation[]>
}

/** The day of a moment, as outcomes are counted. */
export function reputationDay(now: EpochMs): number {
  return Math.floor(now / DAY_MS)
}

/** What a reputation has grown to in some time, and with what was earned meanwhile (P1, P3). */
export function grown(reputation: number, sinceMs: number, by = 0): number {
  const missing = (1 - reputation) * 2 ** (-Math.max(0, sinceMs) / RECOVERY_HALF_MS)
  return Math.min(1, Math.max(0, 1 - missing + by))
}
