import type { Clock } from '../src/clock.ts'

interface Timer {
  readonly at: number
  readonly ms: number
  readonly callback: () => void
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  #now = 1_700_000_000_000
  readonly #timers = new Set<Timer>()
  readonly #watchers = new Set<() => void>()

  now(): number {
    return this.#now
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + ms, ms, callback }
    this.#timers.add(timer)
    for (const watcher of [...this.#watchers]) watcher()
    return () => this.#timers.delete(timer)
  }

  /** Lengths of the timers that run. */
  get waits(): number[] {
    return [...this.#timers].map(({ ms }) => ms)
  }

  /** Resolves when so many timers of exactly this length run. */
  async timer(ms: number, count = 1): Promise<void> {
    while (this.waits.filter((wait) => wait === ms).length < count) {
      await new Promise<void>((resolve) => {
        const watcher = (): void => {
          this.#watchers.delete(watcher)
          resolve()
        }
        this.#watchers.add(watcher)
      })
    }
  }

  /** Waits for a timer of this length and lets exactly that time pass. */
  async pass(ms: number): Promise<void> {
    await this.timer(ms)
    this.advance(ms)
  }

  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const due = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)
      const [next] = due
      if (next === undefined) break
      this.#timers.delete(next)
      this.#now = Math.max(this.#now, next.at)
      next.callback()
    }
    this.#now = end
  }
}
