/** A clock that moves only when told, and runs what is due on the way. */
import type { Clock } from '../ports/clock.ts'

/** Taken now, since a test may fake the global one and would then wait for ever. */
const immediately = setImmediate

interface Timer {
  readonly at: number
  readonly order: number
  readonly callback: () => void
}

export class SimulatedClock implements Clock {
  #now: number
  #order = 0
  readonly #timers = new Set<Timer>()
  readonly #settled: () => Promise<void>

  /**
   * @param startAt - the first time it tells, in ms. Default: 2030-01-01.
   * @param settle - waits until the consequences of a timer have happened. Default: {@link settled}, which
   * does not wait for I/O.
   */
  constructor(startAt = 1_893_456_000_000, settle = settled) {
    this.#now = startAt
    this.#settled = settle
  }

  now(): number {
    return this.#now
  }

  after(ms: number, callback: () => void): () => void {
    this.#order += 1
    const timer = { at: this.#now + Math.max(0, ms), order: this.#order, callback }
    this.#timers.add(timer)
    return () => {
      this.#timers.delete(timer)
    }
  }

  /** Moves on by `ms`, running every timer in order and letting all its consequences happen. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms
    await this.#settled()
    while (await this.step(until));
    this.#now = until
  }

  /**
   * Skips to `at`: what was due on the way runs now, once. A timer that sets itself again every
   * second runs once, not once for each second that was skipped.
   */
  async jump(at: number): Promise<void> {
    this.#now = Math.max(this.#now, at)
    while (await this.step(this.#now));
  }

  /** Runs the next timer if it is due by `until`; `false` if there is none. */
  async step(until: number): Promise<boolean> {
    const timer = this.#next()
    if (timer === undefined || timer.at > until) return false
    this.#timers.delete(timer)
    this.#now = Math.max(this.#now, timer.at)
    timer.callback()
    await this.#settled()
    return true
  }

  #next(): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.#timers) {
      if (first === undefined || isBefore(timer, first)) first = timer
    }
    return first
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

/** Resolves when every promise chain that can go on without a timer or I/O has done so. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    immediately(resolve)
  })
}
