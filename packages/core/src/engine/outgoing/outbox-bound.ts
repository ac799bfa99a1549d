/** Keeps the outbox within its bound while the history is away, and says so before it comes to that. */
import type { EngineParts } from '../engine-parts.ts'
import type { Metrics } from '../metrics.ts'

/** How often the outbox is counted, in ms. */
const CHECK_MS = 5_000
/** From this part of the bound on there is a warning. */
const WARN_AT = 0.5
const WARN_EVERY_MS = 60_000
/** Dropped in one go: a store is not to be held up by it. */
const BATCH = 1_000

export interface OutboxBoundOptions {
  readonly metrics: Metrics
  readonly maxRecords: number
}

export class OutboxBound {
  readonly #parts: EngineParts
  readonly #metrics: Metrics
  readonly #maxRecords: number
  #checkAt = -Infinity
  #warnAt = -Infinity

  constructor(parts: EngineParts, { metrics, maxRecords }: OutboxBoundOptions) {
    this.#parts = parts
    this.#metrics = metrics
    this.#maxRecords = maxRecords
  }

  /** Drops the oldest rows beyond the bound. */
  async keep(): Promise<void> {
    const { storage, clock } = this.#parts
    const now = clock.now()
    if (now < this.#checkAt) return
    this.#checkAt = now + CHECK_MS
    const waiting = await storage.countRecords()
    if (waiting >= this.#maxRecords * WARN_AT) this.#warn(waiting, now)
    // Counted anew each time: other orchestrators drop, too.
    for (let left = waiting - this.#maxRecords; left > 0;) {
      const dropped = await storage.dropOldestRecords(Math.min(left, BATCH))
      this.#metrics.countDropped(dropped)
      left = (await storage.countRecords()) - this.#maxRecords
    }
  }

  #warn(waiting: number, now: number): void {
    if (now < this.#warnAt) return
    this.#warnAt = now + WARN_EVERY_MS
    const what = { waiting, maxRecords: this.#maxRecords }
    this.#parts.log.warn(
      what,
      'history rows pile up because the history does not take them; beyond maxRecords the oldest are dropped',
    )
  }
}
