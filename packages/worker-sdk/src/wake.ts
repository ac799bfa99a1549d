import type { Clock } from './clock.ts'

/** A timer that ends a wait. */
export interface WaitTimer {
  readonly clock: Clock
  readonly ms: number
}

/** Lets loops wait for a change instead of looking again and again. */
export class Wake {
  readonly #waiters = new Set<() => void>()

  /** Wakes everybody who waits now. */
  notify(): void {
    for (const wake of [...this.#waiters]) wake()
  }

  /** Waits for the next {@link notify}, the timer, or the abort, whichever is first. Never rejects. */
  wait(signal: AbortSignal, timer?: WaitTimer): Promise<void> {
    if (signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const finish = (): void => {
        cancelTimer?.()
        this.#waiters.delete(finish)
        signal.removeEventListener('abort', finish)
        resolve()
      }
      this.#waiters.add(finish)
      signal.addEventListener('abort', finish)
      const cancelTimer = timer?.clock.after(timer.ms, finish)
    })
  }

  /** Waits until something holds that can only change together with a {@link notify}, or the abort. */
  async until(holds: () => boolean, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !holds()) await this.wait(signal)
  }
}

/** Waits; an abort ends the wait early. Never rejects. */
export function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Wake().wait(signal, { clock, ms })
}
