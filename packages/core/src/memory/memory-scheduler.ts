/**
 * Ticks from this process alone. What comes due while it does not run is not made up for: nothing is
 * remembered.
 */
import { backoffMs, type BackoffPolicy } from '../job/retry.ts'
import { systemClock, type Clock } from '../ports/clock.ts'
import { silentLog, type Log } from '../ports/log.ts'
import type { Plan, Scheduler, Tick } from '../ports/scheduler.ts'
import { nextTickAt } from '../ports/ticks.ts'
import type { EpochMs } from '../job/vocabulary.ts'

export interface MemorySchedulerOptions {
  readonly clock?: Clock
  readonly log?: Log
}

/** A tick that failed comes again after 1 s, then 2 s, at most a minute. */
const AGAIN: BackoffPolicy = { initialMs: 1_000, factor: 2, maxMs: 60_000, jitter: 0 }
/** Ticks of one plan that wait for their turn; the oldest ones beyond are given up, with a word. */
const MAX_WAITING = 10_000
/** Timers of Node.js cannot wait longer than 2^31 - 1 ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

type OnTick = (tick: Tick) => Promise<void>

export class MemoryScheduler implements Scheduler {
  readonly #clock: Clock
  readonly #log: Log
  #running: readonly PlanRun[] = []

  constructor({ clock = systemClock, log = silentLog }: MemorySchedulerOptions = {}) {
    this.#clock = clock
    this.#log = log
  }

  start(plans: readonly Plan[], onTick: OnTick): void {
    if (this.#running.length > 0) return
    const tools = { clock: this.#clock, log: this.#log, onTick }
    this.#running = plans.map((plan) => new PlanRun(plan, tools))
    for (const run of this.#running) run.start()
  }

  async stop(graceMs = Infinity): Promise<void> {
    const running = this.#running
    this.#running = []
    const ended = Promise.all(running.map((run) => run.stop())).then(() => undefined)
    if (graceMs === Infinity) return ended
    let cancel = (): void => undefined
    const late = new Promise<void>((resolve) => {
      cancel = this.#clock.after(graceMs, resolve)
    })
    await Promise.race([ended, late])
    cancel()
  }
}

interface PlanTools {
  readonly clock: Clock
  readonly log: Log
  readonly onTick: OnTick
}

/** One plan at work: its ticks come due by themselves, and are handled one after the other. */
class PlanRun {
  readonly #plan: Plan
  readonly #tools: PlanTools
  readonly #waiting: EpochMs[] = []
  #handling: Promise<void> | undefined
  #isStopped = false
  #cancelTimer = (): void => undefined
  #endPause = (): void => undefined

  constructor(plan: Plan, tools: PlanTools) {
    this.#plan = plan
    this.#tools = tools
  }

  start(): void {
    this.#waitFor(nextTickAt(this.#plan.timing, this.#tools.clock.now()))
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#cancelTimer()
    this.#endPause()
    await this.#handling
  }

  #waitFor(at: EpochMs): void {
    const { clock } = this.#tools
    const leftMs = at - clock.now()
    this.#cancelTimer = clock.after(Math.min(Math.max(0, leftMs), LONGEST_TIMER_MS), () => {
      // A timer may come early, and a long one is only a part of the way.
      if (clock.now() < at) return this.#waitFor(at)
      this.#isDue(at)
    })
  }

  #isDue(at: EpochMs): void {
    const { clock, log } = this.#tools
    this.#waiting.push(at)
    if (this.#waiting.length > MAX_WAITING) {
      const fields = { plan: this.#plan.name, at: this.#waiting.shift() }
      log.error(fields, 'a tick is given up: too many of its plan wait already')
    }
    this.#handling ??= this.#handleAll()
    // After a pause of the whole process, what was missed meanwhile counts as this one tick.
    this.#waitFor(nextTickAt(this.#plan.timing, Math.max(at, clock.now())))
  }

  /** Never rejects. */
  async #handleAll(): Promise<void> {
    for (;;) {
      const at = this.#waiting.shift()
      if (at === undefined || this.#isStopped) break
      await this.#handle(at)
    }
    this.#handling = undefined
  }

  async #handle(at: EpochMs): Promise<void> {
    const { log, onTick } = this.#tools
    const { name } = this.#plan
    for (let failures = 1; ; failures += 1) {
      try {
        await onTick({ name, at })
        return
      } catch (error) {
        if (this.#hasStopped()) return
        const retryInMs = backoffMs(AGAIN, failures, 0)
        log.error({ err: error, plan: name, at, retryInMs }, 'a tick failed; trying again')
        await this.#pause(retryInMs)
        if (this.#hasStopped()) return
      }
    }
  }

  // Read through a method: `stop` changes the flag while a tick is awaited.
  #hasStopped(): boolean {
    return this.#isStopped
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#tools.clock.after(ms, resolve)
      this.#endPause = () => {
        cancel()
        resolve()
      }
    })
  }
}
