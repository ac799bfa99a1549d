/** Reputations that all orchestrators on one Redis share (P1 to P6). */
import {
  RECOVERY_HALF_MS,
  REPUTATION_DAYS,
  reputationDay,
  type Rating,
  type Reputation,
  type ReputationStore,
} from '@avtomatika/core'
import type { Call } from './call.ts'
import { number } from './reply.ts'
import type { Reply } from './script-runner.ts'
import { SCRIPTS } from './scripts.ts'
import type { RedisSession } from './session.ts'

const DAY_MS = 86_400_000
/** Workers that one script sees to: it holds up all others meanwhile. */
const BATCH = 200

export class RedisReputations implements ReputationStore {
  readonly #session: Pick<RedisSession, 'run'>

  constructor(session: Pick<RedisSession, 'run'>) {
    this.#session = session
  }

  rateWorkers({ ratings, now }: Call<'rateWorkers'>): Promise<readonly Reputation[]> {
    // A day more than what counts, for clocks that are behind.
    return this.#each(ratings, now, (REPUTATION_DAYS + 1) * DAY_MS)
  }

  readReputations({ workerIds, now }: Call<'readReputations'>): Promise<readonly Reputation[]> {
    const asked = workerIds.map((workerId) => ({ workerId, by: 0, good: 0, bad: 0 }))
    return this.#each(asked, now, '')
  }

  async #each(
    ratings: readonly Rating[],
    now: number,
    ttlMs: number | '',
  ): Promise<readonly Reputation[]> {
    const told: Reputation[] = []
    for (let at = 0; at < ratings.length; at += BATCH) {
      const batch = ratings.slice(at, at + BATCH)
      const args = batch.flatMap(({ workerId, by, good, bad }) => [workerId, by, good, bad])
      const day = reputationDay(now)
      const known = [now, RECOVERY_HALF_MS, day, REPUTATION_DAYS, ttlMs]
      const reply = await this.#session.run(SCRIPTS.reputation, ...known, ...args)
      const rows = Array.isArray(reply) ? (reply as readonly Reply[]) : []
      told.push(...batch.map(({ workerId }, n) => ({ workerId, ...reputationOf(rows[n] ?? null) })))
    }
    return told
  }
}

function reputationOf(reply: Reply): Omit<Reputation, 'workerId'> {
  const [reputation = null, good = null, bad = null] = Array.isArray(reply)
    ? (reply as readonly Reply[])
    : []
  return { reputation: number(reputation) ?? 1, good: number(good) ?? 0, bad: number(bad) ?? 0 }
}
