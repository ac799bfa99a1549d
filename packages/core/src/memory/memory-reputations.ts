/** Reputations of one process (P1 to P6). */
import type { EpochMs } from '../job/vocabulary.ts'
import {
  grown,
  REPUTATION_DAYS,
  reputationDay,
  type Rating,
  type Reputation,
  type ReputationStore,
} from '../ports/reputation-store.ts'
import type { Synchronous } from './synchronous.ts'

interface Known {
  readonly reputation: number
  readonly at: EpochMs
  /** Outcomes by day. */
  readonly days: ReadonlyMap<number, { readonly good: number; readonly bad: number }>
}

const UNKNOWN: Known = { reputation: 1, at: 0, days: new Map() }

export class MemoryReputations implements Synchronous<ReputationStore> {
  /** Who was rated longest ago stands first. */
  readonly #known = new Map<string, Known>()

  rateWorkers({
    ratings,
    now,
  }: Parameters<ReputationStore['rateWorkers']>[0]): readonly Reputation[] {
    this.#forget(now)
    return ratings.map((rating) => {
      const { workerId } = rating
      const rated = rate(this.#known.get(workerId) ?? UNKNOWN, rating, now)
      this.#known.delete(workerId)
      this.#known.set(workerId, rated)
      return told(workerId, rated, now)
    })
  }

  readReputations({
    workerIds,
    now,
  }: Parameters<ReputationStore['readReputations']>[0]): readonly Reputation[] {
    return workerIds.map((id) => told(id, this.#known.get(id) ?? UNKNOWN, now))
  }

  #forget(now: EpochMs): void {
    for (const [workerId, { at }] of this.#known) {
      if (reputationDay(at) > reputationDay(now) - REPUTATION_DAYS) return
      this.#known.delete(workerId)
    }
  }
}

function rate({ reputation, at, days }: Known, { by, good, bad }: Rating, now: EpochMs): Known {
  const day = reputationDay(now)
  const today = days.get(day) ?? { good: 0, bad: 0 }
  const kept = [...days].filter(([past]) => past > day - REPUTATION_DAYS)
  return {
    reputation: grown(reputation, now - at, by),
    at: Math.max(at, now),
    days: new Map([...kept, [day, { good: today.good + good, bad: today.bad + bad }]]),
  }
}

function told(workerId: string, { reputation, at, days }: Known, now: EpochMs): Reputation {
  let [good, bad] = [0, 0]
  for (const [day, counted] of days) {
    if (day <= reputationDay(now) - REPUTATION_DAYS) continue
    good += counted.good
    bad += counted.bad
  }
  return { workerId, reputation: grown(reputation, now - at), good, bad }
}
