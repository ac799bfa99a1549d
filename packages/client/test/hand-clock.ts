import type { Clock } from '../src/clock.ts'

interface Sleeper {
  readonly at: number
  readonly ms: number
  readonly wake: () => void
}

/**
 * A clock that stands still until it is told. Sleeps of up to `skipMs` end at once, moving the time
 * on, and are written down in `pauses`; longer ones (deadlines) wait for `advance`.
 */
export class HandClock implements Clock {
  readonly pauses: number[] = []
  readonly #skipMs: number
  readonly #sleepers = new Set<Sleeper>()
  #onSleep: () => void = () => undefined
  #now = Date.UTC(2026, 0, 1)

  constructor(skipMs = 5_000) {
    this.#skipMs = skipMs
  }

  /** Deadlines that nobody called off. */
  get pending(): readonly number[] {
    return [...this.#sleepers].map((sleeper) => sleeper.ms)
  }

  /** Resolves as soon as somebody sleeps for this long. */
  async untilPending(ms: number): Promise<void> {
    while (!this.pending.includes(ms)) {
      await new Promise<void>((resolve) => {
        this.#onSleep = resolve
      })
    }
  }

  now(): number {
    return this.#now
  }

  advance(ms: number): void {
    this.#now += ms
    for (const sleeper of [...this.#sleepers]) {
      if (sleeper.at <= this.#now) sleeper.wake()
    }
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (ms <= this.#skipMs) {
      this.pauses.push(ms)
      this.#now += ms
      return
    }
    await this.#sleepLong(ms, signal)
  }

  #sleepLong(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const wake = (): void => {
        this.#sleepers.delete(sleeper)
        resolve()
      }
      const sleeper: Sleeper = { at: this.#now + ms, ms, wake }
      this.#sleepers.add(sleeper)
      this.#onSleep()
      signal.addEventListener('abort', () => {
        if (this.#sleepers.delete(sleeper)) reject(signal.reason)
      })
    })
  }
}
