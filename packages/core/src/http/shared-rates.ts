import type { EpochMs } from '../job/vocabulary.ts'
import type { Hit, HitOutcome, LimitStore } from '../ports/limit-store.ts'
import type { Log } from '../ports/log.ts'

/**
 * Counters that all orchestrators share, asked as seldom as it can be: whoever was refused is refused
 * here, without asking again, until the moment that was told. A store that is away lets everybody in:
 * the request itself will say so if it needs the store.
 *
 * Remembers at most one moment per key, so keys must be few: clients times routes.
 */
export class SharedRates {
  readonly #store: Pick<LimitStore, 'hit'>
  readonly #log: Pick<Log, 'warn'>
  readonly #refusedUntil = new Map<string, EpochMs>()
  #isAway = false

  constructor(store: Pick<LimitStore, 'hit'>, log: Pick<Log, 'warn'>) {
    this.#store = store
    this.#log = log
  }

  async hit(hit: Hit): Promise<HitOutcome> {
    const until = this.#refusedUntil.get(hit.key)
    if (until !== undefined && hit.now < until) {
      return { allowed: false, remaining: 0, nextAt: until }
    }
    try {
      const outcome = await this.#store.hit(hit)
      if (outcome.allowed) this.#refusedUntil.delete(hit.key)
      else this.#refusedUntil.set(hit.key, outcome.nextAt)
      this.#isAway = false
      return outcome
    } catch (error) {
      this.#sayAway(error)
      return { allowed: true, remaining: hit.limit, nextAt: hit.now }
    }
  }

  /** Once per outage: a line per request would be as many as there are requests. */
  #sayAway(error: unknown): void {
    if (this.#isAway) return
    this.#isAway = true
    this.#log.warn({ err: error }, 'rate limits cannot be counted; clients are let in uncounted')
  }
}
