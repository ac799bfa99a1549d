/** Hints: heard in this process at once, and in the others by way of Redis. */
import { randomUUID } from 'node:crypto'
import type { Hint } from '@avtomatika/core'
import type { Redis } from 'ioredis'
import type { ConnectionLog } from './connection.ts'
import { parseHintMessage } from './hint-message.ts'
import type { RedisSession } from './session.ts'

type Listener = (hint: Hint) => void

export interface HintChannelOptions {
  readonly session: RedisSession
  readonly name: string
  /** A connection of its own: one that listens can do nothing else. */
  readonly subscriber: Redis
  readonly log?: Pick<ConnectionLog, 'debug'> | undefined
}

export class HintChannel {
  /** Tells the hints of this process from others'. */
  readonly origin = randomUUID()
  readonly name: string
  readonly #session: RedisSession
  readonly #log: Pick<ConnectionLog, 'debug'> | undefined
  readonly #listeners = new Set<{ readonly listener: Listener }>()

  constructor({ session, name, subscriber, log }: HintChannelOptions) {
    this.#session = session
    this.#log = log
    this.name = name
    subscriber.on('message', (_channel, said) => {
      this.#heard(said)
    })
  }

  listen(listener: Listener): () => void {
    // An object of its own, so that one function may listen twice and stop once.
    const entry = { listener }
    this.#listeners.add(entry)
    return () => {
      this.#listeners.delete(entry)
    }
  }

  /** Tells this process and all others. */
  async tellAll(hints: readonly Hint[]): Promise<void> {
    this.tellHere(hints)
    const said = JSON.stringify({ from: this.origin, hints })
    await this.#session.ask((redis) => redis.publish(this.name, said))
  }

  /** Tells this process by way of Redis, too: everybody hears it in the order of the channel. */
  async tellInOrder(hints: readonly Hint[]): Promise<void> {
    const said = JSON.stringify({ from: '', hints })
    await this.#session.ask((redis) => redis.publish(this.name, said))
  }

  /** Tells this process only, when the present turn's work is done: hints never come within a call. */
  tellHere(hints: readonly Hint[]): void {
    if (hints.length === 0 || this.#listeners.size === 0) return
    queueMicrotask(() => {
      this.#call(hints)
    })
  }

  /** Nobody is told anything any more. */
  close(): void {
    this.#listeners.clear()
  }

  #heard(said: string): void {
    const message = parseHintMessage(said)
    if (message === undefined) {
      this.#log?.debug({ channel: this.name }, 'what was said on the channel of hints is no hint')
      return
    }
    if (message.from !== this.origin) this.#call(message.hints)
  }

  #call(hints: readonly Hint[]): void {
    for (const hint of hints) {
      for (const { listener } of this.#listeners) listener(hint)
    }
  }
}
