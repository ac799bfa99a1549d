/** Runs scripts in Redis: by their hash, and whole where the server does not know them yet. */
import { createHash } from 'node:crypto'
import { UnavailableError } from '@avtomatika/protocol'
import type { Redis } from 'ioredis'
import { withoutCommand } from './connection-error.ts'

export interface Script {
  readonly source: string
  readonly sha: string
}

export type Argument = string | number | Buffer

/** A reply, with every text as bytes: they may be a document. */
export type Reply = Buffer | number | null | readonly Reply[]

/** A script and the hash that Redis knows it by. */
export function scriptOf(source: string): Script {
  return { source, sha: createHash('sha1').update(source).digest('hex') }
}

export class ScriptRunner {
  readonly #redis: Redis
  readonly #prefix: string

  /** @param prefix - of all keys, with a hash tag: they must live in one slot. */
  constructor(redis: Redis, prefix: string) {
    this.#redis = redis
    this.#prefix = prefix
  }

  /** @throws UnavailableError `STORAGE_UNAVAILABLE` when Redis cannot be reached or refuses. */
  async run({ source, sha }: Script, ...args: readonly Argument[]): Promise<Reply> {
    try {
      return await this.#evaluate('EVALSHA', sha, args)
    } catch (error) {
      if (!isUnknownScript(error)) throw unavailable(error)
    }
    try {
      return await this.#evaluate('EVAL', source, args)
    } catch (error) {
      throw unavailable(error)
    }
  }

  async #evaluate(command: string, script: string, args: readonly Argument[]): Promise<Reply> {
    const reply = await this.#redis.callBuffer(command, script, 1, this.#prefix, ...args)
    return reply as Reply
  }
}

/** What went wrong between us and Redis, as the engine understands it. */
export function unavailable(error: unknown): UnavailableError {
  const message = 'The storage (Redis) cannot be reached or refuses; try again.'
  return new UnavailableError('STORAGE_UNAVAILABLE', { message, cause: withoutCommand(error) })
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT')
}
