/** Where the time comes from; nothing in the worker reads a clock any other way. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Calls back once, `ms` from now, unless it is cancelled first by the returned function. */
  after(ms: number, callback: () => void): () => void
}

/** The longest time a timer of the platform can wait; a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * The clock of this machine. Its timers keep the process alive: a worker that waits for its
 * orchestrator to come back has no open connection and must not end.
 */
export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, callback) => {
    let timer: NodeJS.Timeout
    const start = (rest: number): void => {
      if (rest <= LONGEST_TIMER_MS) timer = setTimeout(callback, Math.max(0, rest))
      else timer = setTimeout(start, LONGEST_TIMER_MS, rest - LONGEST_TIMER_MS)
    }
    start(ms)
    return () => {
      clearTimeout(timer)
    }
  },
}
