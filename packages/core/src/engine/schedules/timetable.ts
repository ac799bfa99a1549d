/** What this orchestrator does again and again, and the scheduler that says when. */
import type { Plan, Scheduler, Tick } from '../../ports/scheduler.ts'

/** A plan, and what to do when it is due. */
export interface Duty {
  readonly plan: Plan
  /** May be called again with the same tick; one that rejects will be. */
  readonly run: (tick: Tick) => Promise<void>
}

export class Timetable {
  readonly #make: () => Scheduler
  #scheduler: Scheduler | undefined

  /** @param scheduler - makes one, once per start. */
  constructor(scheduler: () => Scheduler) {
    this.#make = scheduler
  }

  /** A second call changes nothing. */
  start(duties: readonly Duty[]): void {
    if (this.#scheduler !== undefined) return
    const byName = new Map(duties.map((duty) => [duty.plan.name, duty]))
    this.#scheduler = this.#make()
    this.#scheduler.start(
      duties.map(({ plan }) => plan),
      async (tick) => byName.get(tick.name)?.run(tick),
    )
  }

  /** Resolves when no duty runs any more, or after `graceMs`. */
  async stop(graceMs?: number): Promise<void> {
    const scheduler = this.#scheduler
    this.#scheduler = undefined
    await scheduler?.stop(graceMs)
  }
}
