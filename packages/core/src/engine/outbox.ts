/** Carries history rows from the outbox to the history, in batches, at least once. */
import type { History } from '../ports/history.ts'
import type { EngineParts } from './engine-parts.ts'
import { Loop } from './loop.ts'

const LEASE_MS = 30_000
const BATCH = 500
const SLOW_TICK_MS = 1_000

export class Outbox {
  readonly #parts: EngineParts
  readonly #history: History
  readonly #loop: Loop

  constructor(parts: EngineParts, history: History) {
    this.#parts = parts
    this.#history = history
    const { clock, log } = parts
    this.#loop = new Loop({ name: 'outbox', clock, log, round: () => this.#round() })
  }

  start(): void {
    this.#loop.start()
  }

  wake(): void {
    this.#loop.wake()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  async #round(): Promise<number> {
    const { storage, clock } = this.#parts
    const claim = { now: clock.now(), leaseMs: LEASE_MS, limit: BATCH }
    const records = await storage.claimRecords(claim)
    if (records.length === 0) return SLOW_TICK_MS
    await this.#history.append(records)
    await storage.ackRecords(records.map(({ eventId }) => eventId))
    return records.length === BATCH ? 0 : SLOW_TICK_MS
  }
}
