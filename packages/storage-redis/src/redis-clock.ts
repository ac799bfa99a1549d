/** The time of the Redis server, which all orchestrators on it can agree on. */
import { systemClock, type Clock, type Log } from '@avtomatika/core'
import type { Redis } from 'ioredis'

const MEASURE_EVERY_MS = 60_000

/** One question for the time, by this machine's clock before and after it. */
export interface Measurement {
  readonly askedAt: number
  /** What the server said. */
  readonly serverAt: number
  readonly answeredAt: number
}

/**
 * How far the server's clock is ahead of ours, in ms: Cristian's algorithm (Distributed Computing 3,
 * 1989), which takes the way there to be as long as the way back.
 */
export function offsetOf({ askedAt, serverAt, answeredAt }: Measurement): number {
  return serverAt - (askedAt + answeredAt) / 2
}

export class RedisClock implements Clock {
  readonly #redis: Redis
  readonly #log: Pick<Log, 'warn'> | undefined
  #offset = 0
  #cancel: (() => void) | undefined

  constructor(redis: Redis, log?: Pick<Log, 'warn'>) {
    this.#redis = redis
    this.#log = log
  }

  now(): number {
    return Math.round(systemClock.now() + this.#offset)
  }

  after(ms: number, callback: () => void): () => void {
    return systemClock.after(ms, callback)
  }

  /** Measures now, and every minute from now on; also when it did already. */
  async start(): Promise<void> {
    this.stop()
    this.#plan()
    await this.#measure()
  }

  stop(): void {
    this.#cancel?.()
  }

  #plan(): void {
    this.#cancel = systemClock.after(MEASURE_EVERY_MS, () => {
      this.#plan()
      // The distance changes slowly: the one measured last serves until the server is back.
      this.#measure().catch((error: unknown) => {
        this.#log?.warn({ err: error }, 'the time of Redis could not be asked for')
      })
    })
  }

  async #measure(): Promise<void> {
    const askedAt = systemClock.now()
    const [seconds, micros] = await this.#redis.time()
    const answeredAt = systemClock.now()
    const serverAt = Number(seconds) * 1000 + Number(micros) / 1000
    this.#offset = offsetOf({ askedAt, serverAt, answeredAt })
  }
}
