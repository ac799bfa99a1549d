/** Carries history rows from the outbox to the history and the host, in batches, at least once. */
import type { History } from '../../ports/history.ts'
import type { EngineParts } from '../engine-parts.ts'
import { callHooks, type Hooks } from './hooks.ts'
import { Loop } from '../loop.ts'
import type { Metrics } from '../metrics.ts'
import { OutboxBound } from './outbox-bound.ts'

/** Rows of an orchestrator that died come this much later. */
const LEASE_MS = 10_000
const BATCH = 500
const SLOW_TICK_MS = 1_000

export interface OutboxOptions {
  readonly history: History
  readonly hooks: Hooks
  readonly metrics: Metrics
  /** Rows that may wait; beyond that the oldest are dropped. */
  readonly maxRecords: number
}

export class Outbox {
  readonly #parts: EngineParts
  readonly #history: History
  readonly #hooks: Hooks
  readonly #metrics: Metrics
  readonly #bound: OutboxBound
  readonly #loop: Loop
  #isStarted = false

  constructor(parts: EngineParts, { history, hooks, metrics, maxRecords }: OutboxOptions) {
    this.#parts = parts
    this.#history = history
    this.#hooks = hooks
    this.#metrics = metrics
    this.#bound = new OutboxBound(parts, { metrics, maxRecords })
    const { clock, log } = parts
    this.#loop = new Loop({ name: 'outbox', clock, log, round: () => this.#round() })
  }

  start(): void {
    this.#isStarted = true
    this.#loop.start()
  }

  wake(): void {
    this.#loop.wake()
  }

  /** Delivers what is there by now, and ends. */
  async stop(): Promise<void> {
    await this.#loop.stop()
    if (!this.#isStarted) return
    this.#isStarted = false
    try {
      while ((await this.#deliver()) === BATCH);
    } catch (error) {
      const { log } = this.#parts
      log.warn({ err: error }, 'history rows stay in the outbox until an engine delivers them')
    }
  }

  async #round(): Promise<number> {
    await this.#bound.keep()
    return (await this.#deliver()) === BATCH ? 0 : SLOW_TICK_MS
  }

  /** Carries one batch; answers how many rows it had. */
  async #deliver(): Promise<number> {
    const { storage, clock } = this.#parts
    const claim = { now: clock.now(), leaseMs: LEASE_MS, limit: BATCH }
    const records = await storage.claimRecords(claim)
    if (records.length === 0) return 0
    await this.#history.append(records)
    await callHooks(this.#parts, this.#hooks, records)
    this.#metrics.observe(records)
    await storage.ackRecords(records.map(({ eventId }) => eventId))
    return records.length
  }
}
