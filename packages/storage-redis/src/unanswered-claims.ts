/**
 * Claims whose answer was lost with a connection. Redis may have granted them, and what they took would
 * be idle until its lease runs out; the next claim of the same holder gives it back first. It is known
 * by the end of its lease: one holder claims from one queue one claim after the other.
 */
import type { EpochMs } from '@avtomatika/core'

export class UnansweredClaims {
  readonly #ends = new Map<string, Set<EpochMs>>()

  /** Ends of leases that may have been granted to nobody; those that have run out need no help. */
  of(queue: string, now: EpochMs): readonly EpochMs[] {
    const ends = this.#ends.get(queue)
    if (ends === undefined) return []
    for (const end of ends) if (end <= now) ends.delete(end)
    return [...ends]
  }

  add(queue: string, end: EpochMs): void {
    const ends = this.#ends.get(queue) ?? new Set()
    this.#ends.set(queue, ends.add(end))
  }

  /** They have been given back. */
  settle(queue: string, ends: readonly EpochMs[]): void {
    for (const end of ends) this.#ends.get(queue)?.delete(end)
  }
}
