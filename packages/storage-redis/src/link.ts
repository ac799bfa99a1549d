/** Both connections of a store: how they come about, and what is done when they come back. */
import { systemClock, type Clock } from '@avtomatika/core'
import { ConfigError } from '@avtomatika/protocol'
import type { Redis, RedisOptions } from 'ioredis'
import { reasonOf, withoutCommand } from './connection-error.ts'
import { createConnection, type ConnectionLog } from './connection.ts'
import { Subscription } from './subscription.ts'

/** What to do about a Redis that is not there at the start. */
export type WhenAway = 'reject' | 'retry'

export interface RedisLinkOptions {
  readonly options: RedisOptions
  /** Where others leave word. */
  readonly channel: string
  readonly whenAway: WhenAway
  /** Looks at the server before anything else is asked of it; a ConfigError says that it will not do. */
  readonly onReached: () => Promise<void>
  /** Both connections are there, again: what was said meanwhile went unheard. */
  readonly onBack: () => void
  readonly log?: ConnectionLog | undefined
  /** Default: the clock of this machine. */
  readonly clock?: Pick<Clock, 'after'>
}

/** How long to wait before a server that was reached but did not answer well is asked again. */
const ASK_AGAIN_MS = 500

export class RedisLink {
  readonly redis: Redis
  readonly subscriber: Redis
  readonly #options: RedisLinkOptions
  readonly #clock: Pick<Clock, 'after'>
  readonly #subscription: Subscription
  #isOpen = false

  constructor(settings: RedisLinkOptions) {
    const { options, channel, whenAway, log, clock = systemClock } = settings
    this.#options = settings
    this.#clock = clock
    const mayRetry = (): boolean => this.#isOpen || whenAway === 'retry'
    this.redis = createConnection({ options, log, mayRetry, use: 'commands' })
    this.subscriber = createConnection({ options, log, mayRetry, use: 'hints' })
    const onListening = (): void => this.#tellBack()
    this.#subscription = new Subscription({
      redis: this.subscriber,
      channel,
      onListening,
      log,
      clock,
    })
    this.redis.on('ready', onListening)
  }

  /**
   * Resolves when both connections are there and the server will do.
   * @throws ConfigError of `onReached`; with `reject`, whatever went wrong first.
   */
  async open(): Promise<void> {
    if (this.#options.whenAway === 'reject') {
      await Promise.all([connected(this.redis), connected(this.subscriber)])
      await this.#look()
      this.#isOpen = true
      return
    }
    await this.#openAnyhow()
    this.#isOpen = true
    // Somebody may have looked, and been refused, before.
    this.#tellBack()
  }

  /** Ends both; a second call does nothing. */
  close(): void {
    this.redis.disconnect()
    this.subscriber.disconnect()
  }

  async #openAnyhow(): Promise<void> {
    for (;;) {
      await Promise.all([untilReady(this.redis), untilReady(this.subscriber)])
      try {
        await this.#look()
        return
      } catch (error) {
        if (ConfigError.is(error)) throw error
        const fields = { reason: reasonOf(error), retryInMs: ASK_AGAIN_MS }
        this.#options.log?.warn(fields, 'Redis was reached, but cannot be used yet; trying again')
        await new Promise<void>((resolve) => this.#clock.after(ASK_AGAIN_MS, resolve))
      }
    }
  }

  async #look(): Promise<void> {
    await this.#subscription.listen()
    await this.#options.onReached()
  }

  #tellBack(): void {
    const isThere = this.redis.status === 'ready' && this.#subscription.isListening
    if (this.#isOpen && isThere) this.#options.onBack()
  }
}

/** One try; why it failed is an event, and no part of the rejection. */
async function connected(redis: Redis): Promise<void> {
  const failed = new Promise<never>((_resolve, reject) => {
    redis.once('error', (error: unknown) => {
      reject(withoutCommand(error))
    })
  })
  await Promise.race([redis.connect(), failed])
}

/** As many tries as it takes; the connection tells of each by itself. */
function untilReady(redis: Redis): Promise<void> {
  if (redis.status === 'ready') return Promise.resolve()
  return new Promise((resolve, reject) => {
    const end = (): void => {
      redis.off('ready', begin)
      reject(new Error('The connection to Redis was ended.'))
    }
    const begin = (): void => {
      redis.off('end', end)
      resolve()
    }
    redis.once('ready', begin)
    redis.once('end', end)
    if (redis.status === 'end') end()
    // A first try that fails is followed by others.
    if (redis.status === 'wait') redis.connect().catch(() => undefined)
  })
}
