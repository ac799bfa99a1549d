import type { EpochMs } from '../job/vocabulary.ts'

/** Where the time comes from. Nothing in the engine reads a clock any other way. */
export interface Clock {
  now(): EpochMs
  /**
   * Calls back once, `ms` from now, unless it is cancelled first by the returned function.
   * A timer must not keep the process alive by itself.
   */
  after(ms: number, callback: () => void): () => void
}

/** The clock of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms)
    timer.unref()
    return () => {
      clearTimeout(timer)
    }
  },
}
