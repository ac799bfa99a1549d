/**
 * The connection of the background queues. Their workers wait for Redis to come back, so it keeps
 * commands until then; those who hand something in must not wait so long, and are told at once.
 */
import { systemClock, type Log } from '@avtomatika/core'
import { UnavailableError } from '@avtomatika/protocol'
import { Redis, type RedisOptions } from 'ioredis'
import {
  insistOnDatabase,
  isReadOnly,
  reasonOf,
  surviveSecondErrors,
  withoutCommand,
} from '../connection-error.ts'
import { placeOf } from '../connection-options.ts'
import { pauseMs } from '../connection.ts'

export interface BackgroundLinkOptions {
  readonly options: RedisOptions
  /** Before all keys of the queues. */
  readonly prefix: string
  readonly log: Log
}

/** An answer that takes longer counts as lost; whoever asked tries again. */
const ANSWER_MS = 5_000
/** How long the start waits for a first connection. */
const FIRST_MS = 500

const BEHAVIOUR = {
  // What a worker asks for is sent when Redis is back, and again if its answer was lost: its scripts
  // bear that, as each of them checks who holds the work.
  maxRetriesPerRequest: null,
  // As the queues expect replies.
  replyMapping: 'legacy',
  connectTimeout: 5_000,
  // A connection that owes an answer for so long is dead. Workers wait up to 10 s for work.
  socketTimeout: 15_000,
  disconnectTimeout: 500,
  maxLoadingRetryTime: 500,
  // A master that was made a replica refuses to write: the sentinels know the new one.
  reconnectOnError: isReadOnly,
} as const satisfies RedisOptions

export class BackgroundLink {
  readonly redis: Redis
  readonly prefix: string
  readonly log: Log
  /** The connections on which workers wait for work. */
  readonly #waiting = new Set<Redis>()

  constructor({ options, prefix, log }: BackgroundLinkOptions) {
    this.prefix = prefix
    this.log = log
    const place = placeOf(options)
    const pause = (attempt: number): number => pauseMs(attempt, 0)
    const strategies = { retryStrategy: pause, sentinelRetryStrategy: pause }
    this.redis = new Redis({ ...options, ...BEHAVIOUR, ...strategies })
    insistOnDatabase(this.redis)
    surviveSecondErrors(this.redis)
    // Without a listener the process would end by them.
    this.redis.on('error', (error: unknown) => {
      const fields = { redis: place, use: 'background', reason: reasonOf(error) }
      log.warn(
        fields,
        `Redis at ${place} cannot be reached for webhooks and schedules; trying again`,
      )
    })
    this.#keepCopies()
  }

  /** Waits a little for the first connection; without one, the queues begin when there is one. */
  async open(): Promise<void> {
    if (this.isConnected) return
    await new Promise<void>((resolve) => {
      const cancel = systemClock.after(FIRST_MS, resolve)
      this.redis.once('ready', () => {
        cancel()
        resolve()
      })
    })
  }

  /** Whether Redis answers, as far as we know. */
  get isConnected(): boolean {
    return this.redis.status === 'ready'
  }

  /** Asks something; fails at once without a connection. @throws UnavailableError `UNAVAILABLE` */
  async ask<T>(question: () => Promise<T>): Promise<T> {
    if (!this.isConnected) throw away()
    let cancel = (): void => undefined
    const late = new Promise<never>((_resolve, reject) => {
      cancel = systemClock.after(ANSWER_MS, () => {
        reject(away())
      })
    })
    try {
      return await Promise.race([question(), late])
    } catch (error) {
      throw UnavailableError.is(error) ? error : away(withoutCommand(error))
    } finally {
      cancel()
    }
  }

  /** What a queue reports of itself. */
  readonly report = (error: Error): void => {
    const level = this.isConnected && !isExpected(error) ? 'warn' : 'debug'
    this.log[level]({ err: withoutCommand(error) }, 'a background queue met an error; it goes on')
  }

  /** Ends all connections; whatever waits on them ends, too. */
  close(): void {
    this.redis.disconnect()
    for (const redis of this.#waiting) redis.disconnect()
  }

  /** Workers make their connections from ours; they must end with it even if a worker does not. */
  #keepCopies(): void {
    const duplicate = this.redis.duplicate.bind(this.redis)
    this.redis.duplicate = (override) => {
      const copy = duplicate(override)
      insistOnDatabase(copy)
      surviveSecondErrors(copy)
      copy.on('error', this.report)
      this.#waiting.add(copy)
      copy.once('end', () => this.#waiting.delete(copy))
      return copy
    }
  }
}

/**
 * Troubles of a connection, which tells of them itself; and entries that were found done, or in other
 * hands (a number below 0), as after an answer that was lost.
 */
function isExpected(error: Error): boolean {
  if ('errno' in error) return true
  return 'code' in error && typeof error.code === 'number' && error.code < 0
}

function away(cause?: unknown): UnavailableError {
  const message = 'The background queues (Redis) cannot be reached or refuse; try again.'
  return new UnavailableError('UNAVAILABLE', { message, cause })
}
