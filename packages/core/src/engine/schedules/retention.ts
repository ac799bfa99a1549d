/** Forgets ended jobs when they are old enough and their history is written. */
import type { Plan } from '../../ports/scheduler.ts'
import type { EngineParts } from '../engine-parts.ts'
import type { Duty } from './timetable.ts'

export interface RetentionOptions {
  /** How long ended jobs can be read, in ms. */
  readonly retainMs: number
  /** How often to look for older ones, in ms. */
  readonly everyMs: number
}

/** What is removed in one go: storage must not be held up. */
const BATCH = 500

export class Retention {
  readonly #parts: Pick<EngineParts, 'storage' | 'clock' | 'log'>
  readonly #retainMs: number
  readonly #plan: Plan
  #isStopping = false

  constructor(parts: Pick<EngineParts, 'storage' | 'clock' | 'log'>, options: RetentionOptions) {
    this.#parts = parts
    this.#retainMs = options.retainMs
    this.#plan = { name: 'retention', timing: { everyMs: options.everyMs } }
  }

  /** The sweep, for the timetable. */
  duty(): Duty {
    this.#isStopping = false
    return { plan: this.#plan, run: () => this.sweep() }
  }

  /** Lets a sweep end after its present batch; the next one goes on with the rest. */
  stop(): void {
    this.#isStopping = true
  }

  /** Removes what is old enough, in batches until nothing is left. */
  async sweep(): Promise<void> {
    const { storage, clock, log } = this.#parts
    // Rows of a job may be on their way to its history; until they are there, the job stays.
    const oldestRecordAt = await storage.oldestRecordAt()
    const endedBefore = Math.min(clock.now() - this.#retainMs, oldestRecordAt ?? Infinity)
    let removed = 0
    let batch = BATCH
    while (batch === BATCH && !this.#isStopping) {
      batch = await storage.removeEndedJobs({ endedBefore, limit: BATCH })
      removed += batch
    }
    if (removed > 0)
      log.info({ removed, endedBefore }, `${String(removed)} ended jobs were forgotten`)
  }
}
