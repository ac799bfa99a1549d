/** A clock that runs faster than the world, so that leases of half a minute can be waited out in tests. */
import type { Clock } from '@avtomatika/core'

/** The same for all that shall agree on the time. */
export interface FastTime {
  /** When it tells the world's time, in ms since 1970. */
  readonly origin: number
  /** How many of its ms pass in one of the world's. */
  readonly speed: number
}

export function fastClock({ origin, speed }: FastTime): Clock {
  return {
    now: () => Math.floor(origin + (Date.now() - origin) * speed),
    after: (ms, callback) => {
      const timer = setTimeout(callback, ms / speed)
      timer.unref()
      return () => {
        clearTimeout(timer)
      }
    },
  }
}
