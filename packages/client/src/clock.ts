/** Where the time comes from. Tests drive one by hand. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Resolves after `ms`; rejects with the signal's reason as soon as the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

// A longer setTimeout would fire at once.
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** The clock of this machine. A running sleep keeps the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    const endsAt = Date.now() + ms
    for (let rest = ms; rest > 0; rest = endsAt - Date.now()) {
      await pause(Math.min(rest, LONGEST_TIMER_MS), signal)
    }
  },
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const onAbort = (): void => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    }, ms)
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
