/** What is not part of a job's truth but needs retries, pauses and a calendar: webhooks, schedules. */
import type { Log, Notifier, Scheduler } from '@avtomatika/core'
import { redisOptions, type RedisConnectionOptions } from '../connection-options.ts'
import { BackgroundLink } from './background-link.ts'
import { RedisNotifier, type RedisNotifierOptions } from './redis-notifier.ts'
import { RedisScheduler, type RedisSchedulerOptions } from './redis-scheduler.ts'

export type RedisBackgroundOptions = RedisConnectionOptions & {
  /** Before all keys; that of the storage. Default `avt`. */
  readonly prefix?: string
  /** Default: nobody is told. */
  readonly log?: Log
}

const ignore = (): void => undefined
const SILENT: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore }

/**
 * The background queues of one orchestrator: one connection for commands, and one for each queue that
 * waits for work.
 */
export class RedisBackground {
  readonly #link: BackgroundLink

  private constructor({ prefix = 'avt', log = SILENT, ...connection }: RedisBackgroundOptions) {
    const options = redisOptions(connection)
    // In the slot of the storage's keys.
    this.#link = new BackgroundLink({ options, prefix: `${prefix}:{0}:bull`, log })
  }

  /**
   * Connects; a Redis that is away is no reason to fail, the queues begin when it is there.
   * @throws ConfigError `CONFIG_INVALID` for a connection that cannot be used.
   */
  static async open(options: RedisBackgroundOptions): Promise<RedisBackground> {
    const background = new RedisBackground(options)
    await background.#link.open()
    return background
  }

  /** Calls webhooks, from now until it is stopped. */
  notifier(options: RedisNotifierOptions = {}): Notifier {
    return new RedisNotifier(this.#link, options)
  }

  /** Says when schedules are due, from its start until its stop. */
  scheduler(options: RedisSchedulerOptions = {}): Scheduler {
    return new RedisScheduler(this.#link, options)
  }

  /** Ends the connections. Stop what was made of it before; a second call does nothing. */
  close(): void {
    this.#link.close()
  }
}
