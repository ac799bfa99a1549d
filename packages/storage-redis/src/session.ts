/** One connection to Redis, what may be asked of it, and when it is over. */
import { UnavailableError } from '@avtomatika/protocol'
import type { Redis } from 'ioredis'
import {
  ScriptRunner,
  unavailable,
  type Argument,
  type Reply,
  type Script,
} from './script-runner.ts'

export interface RedisSessionOptions {
  readonly redis: Redis
  /** Before all keys, with a hash tag: they must live in one slot. */
  readonly keys: string
}

export class RedisSession {
  /** Before all keys. */
  readonly keys: string
  readonly #redis: Redis
  readonly #runner: ScriptRunner
  #isOpen = false
  #isClosed = false

  constructor({ redis, keys }: RedisSessionOptions) {
    this.#redis = redis
    this.keys = keys
    this.#runner = new ScriptRunner(redis, keys)
  }

  /** From now on calls are let through: the server has been reached, and will do. */
  open(): void {
    this.#isOpen = true
  }

  /** @throws UnavailableError `STORAGE_CLOSED` after `close`. */
  assertNotClosed(): void {
    if (!this.#isClosed) return
    const message = 'The storage (Redis) is closed.'
    throw new UnavailableError('STORAGE_CLOSED', { message })
  }

  /** Runs a script. @throws UnavailableError `STORAGE_CLOSED`, `STORAGE_UNAVAILABLE` */
  async run(script: Script, ...args: readonly Argument[]): Promise<Reply> {
    this.#assertOpen()
    return this.#runner.run(script, ...args)
  }

  /** Asks something simple. @throws UnavailableError `STORAGE_CLOSED`, `STORAGE_UNAVAILABLE` */
  async ask<T>(question: (redis: Redis, keys: string) => Promise<T>): Promise<T> {
    this.#assertOpen()
    try {
      return await question(this.#redis, this.keys)
    } catch (error) {
      throw unavailable(error)
    }
  }

  /** The document in a hash; `null` if there is none. */
  document(key: string): Promise<Buffer | null> {
    return this.ask((redis, keys) => redis.hgetBuffer(`${keys}${key}`, 'd'))
  }

  /** Nothing is asked any more; the connection is its owner's to end. */
  close(): void {
    this.#isClosed = true
  }

  #assertOpen(): void {
    this.assertNotClosed()
    if (this.#isOpen) return
    const message = 'The storage (Redis) has not been reached yet; try again.'
    throw new UnavailableError('STORAGE_UNAVAILABLE', { message })
  }
}
