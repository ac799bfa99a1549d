/**
 * Listens on one channel over a connection of its own, and goes on listening whatever happens to it.
 *
 * Such a connection sends nothing by itself, so it would never notice that nobody is there any more: it
 * asks for a sign of life every {@link PING_EVERY_MS}. One that does not come ends the connection (C3).
 */
import { systemClock, type Clock } from '@avtomatika/core'
import type { Redis } from 'ioredis'
import { reasonOf, withoutCommand } from './connection-error.ts'
import type { ConnectionLog } from './connection.ts'

const PING_EVERY_MS = 2_000

export interface SubscriptionOptions {
  /** Not connected yet. */
  readonly redis: Redis
  readonly channel: string
  /** It listens, or listens again; what was said before may have gone unheard. */
  readonly onListening: () => void
  readonly log?: ConnectionLog | undefined
  /** Default: the clock of this machine. */
  readonly clock?: Pick<Clock, 'after'>
}

export class Subscription {
  readonly #options: SubscriptionOptions
  readonly #clock: Pick<Clock, 'after'>
  #listening: Promise<void> | undefined
  #isListening = false
  #stopPings: (() => void) | undefined

  constructor(options: SubscriptionOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    options.redis.on('ready', () => this.#lookAfter())
    options.redis.on('close', () => {
      this.#stopPings?.()
      this.#listening = undefined
      this.#isListening = false
    })
  }

  get isListening(): boolean {
    return this.#isListening
  }

  /** Resolves when it listens; rejects when the connection is not there, or Redis does not let it. */
  listen(): Promise<void> {
    this.#listening ??= this.#subscribe()
    return this.#listening
  }

  async #subscribe(): Promise<void> {
    const { redis, channel, onListening } = this.#options
    try {
      await redis.subscribe(channel)
    } catch (error) {
      this.#listening = undefined
      throw withoutCommand(error)
    }
    this.#isListening = true
    onListening()
  }

  #lookAfter(): void {
    this.#stopPings?.()
    this.#stopPings = this.#clock.after(PING_EVERY_MS, () => this.#lookAfter())
    const { redis, log } = this.#options
    const look = this.#isListening ? redis.ping() : this.listen()
    look.then(undefined, (error: unknown) => {
      log?.debug({ reason: reasonOf(error) }, 'the connection for hints does not answer')
    })
  }
}
