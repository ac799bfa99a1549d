/**
 * Locks, rate limits and quotas: what orchestrators must agree on beside their jobs.
 *
 * L1 A lock has at most one live grant. Whoever has it asks in vain for another, too: two processes
 *    with one name would otherwise share it.
 * L2 The token of a grant is greater than those of all grants of that name before it, whether they
 *    ended, ran out or were made by a process that is no more. It is not less than `now`, so that it
 *    grows even when a store comes back without its data.
 * L3 `renewLock` and `releaseLock` work for the present grant only: what has run out is not renewed,
 *    and what was given to another is not released.
 * L4 Of hits on one key, as many as the limit are let in at once, and then one more each time that
 *    its share of the window, `windowMs / limit`, has passed.
 * L5 A hit that is refused changes nothing: knocking does not prolong the wait (D-47).
 * L6 A quota is never exceeded: of takes at the same time, as many are allowed as fit. What is refused
 *    is not counted, and giving back never makes the count less than nothing.
 * L7 Keys, and the periods of one key, know nothing of each other.
 * L8 `now` is the argument given; the store's own clock decides nothing. What has run out by it may be
 *    forgotten, so a store holds no more than what is in use.
 *
 * Every call costs the same, however many locks, limits and quotas there are.
 */
import type { EpochMs } from '../job/vocabulary.ts'
import type { Lease } from './lease.ts'

/** One grant of a lock. */
export interface LockGrant {
  readonly name: string
  readonly holder: string
  /** A fencing token: who guards something by the lock refuses what comes with a smaller one (L2). */
  readonly token: number
}

export interface LockStore {
  /** Takes a lock that nobody has; `undefined` if somebody has it (L1). Never waits. */
  acquireLock(
    claim: Lease & { readonly name: string; readonly holder: string },
  ): Promise<{ readonly token: number } | undefined>
  /** Makes the lease end `leaseMs` from now; `false` if the grant is not the present one (L3). */
  renewLock(renewal: Lease & LockGrant): Promise<boolean>
  /** Gives a lock back; `false` if the grant is not the present one (L3). */
  releaseLock(grant: LockGrant): Promise<boolean>
}

/** At most `limit` hits at once, and `limit` more in each `windowMs`. Both are whole numbers, from 1. */
export interface RateLimit {
  readonly limit: number
  readonly windowMs: number
}

export interface Hit extends RateLimit {
  readonly key: string
  readonly now: EpochMs
}

export interface HitOutcome {
  readonly allowed: boolean
  /** How many more would be let in now. */
  readonly remaining: number
  /** When the next one is let in; `now` if it would be at once. */
  readonly nextAt: EpochMs
}

/** A quota counts from `from` on; from `until` on, it is another one. */
export interface QuotaPeriod {
  readonly from: EpochMs
  readonly until: EpochMs
}

/** One quota, and the time, which lies in its period. */
export interface QuotaKey {
  readonly key: string
  readonly period: QuotaPeriod
  readonly now: EpochMs
}

export interface QuotaOutcome {
  readonly allowed: boolean
  /** Taken in this period, this take included if it was allowed. */
  readonly used: number
  readonly limit: number
}

export interface LimitStore {
  /** Counts a hit, if it is let in (L4, L5). */
  hit(hit: Hit): Promise<HitOutcome>
  /** Takes from a quota, all of the amount or nothing of it (L6). */
  takeQuota(
    take: QuotaKey & { readonly amount: number; readonly limit: number },
  ): Promise<QuotaOutcome>
  /** What is taken of a quota. */
  readQuota(quota: QuotaKey): Promise<number>
  /** Gives back what was taken and not used; nothing once the period is over. */
  giveBackQuota(quota: QuotaKey & { readonly amount: number }): Promise<void>
}
