/**
 * Tokens of workers that all orchestrators on one Redis share (K1 to K6). All of one worker are in one
 * key, which lives as long as the last of them, and an hour more, for hosts whose clocks are behind.
 */
import {
  MAX_TOKENS_PER_WORKER,
  type Rotation,
  type TokenFamily,
  type TokenPair,
  type TokenStore,
} from '@avtomatika/core'
import type { Call } from './call.ts'
import { texts } from './reply.ts'
import type { Argument } from './script-runner.ts'
import { SCRIPTS } from './scripts.ts'
import type { RedisSession } from './session.ts'

const GRACE_MS = 3_600_000

interface Answered {
  readonly kind: string | undefined
  readonly family: TokenFamily
}

export class RedisTokens implements TokenStore {
  readonly #session: Pick<RedisSession, 'run'>

  constructor(session: Pick<RedisSession, 'run'>) {
    this.#session = session
  }

  async issueTokens({ workerId, family, now, ...pair }: Call<'issueTokens'>): Promise<void> {
    const { id, credential } = family
    await this.#run('put', workerId, '', now, id, credential, ...newPair(pair, now))
  }

  async findAccessToken({
    workerId,
    hash,
    now,
  }: Call<'findAccessToken'>): Promise<TokenFamily | undefined> {
    const { kind, family } = await this.#run('find', workerId, hash, now)
    return kind === 'ok' ? family : undefined
  }

  async rotateTokens({ workerId, hash, now, ...pair }: Call<'rotateTokens'>): Promise<Rotation> {
    const { kind, family } = await this.#run('rotate', workerId, hash, now, ...newPair(pair, now))
    if (kind === 'ok') return { kind: 'rotated', family }
    return kind === 'reused' ? { kind, family } : { kind: 'unknown' }
  }

  async endTokenFamily({ workerId, id }: Call<'endTokenFamily'>): Promise<void> {
    await this.#run('end', workerId, '', 0, id)
  }

  async #run(...args: readonly Argument[]): Promise<Answered> {
    const [kind, id = '', credential = ''] = texts(await this.#session.run(SCRIPTS.token, ...args))
    return { kind, family: { id, credential } }
  }
}

function newPair({ access, refresh }: TokenPair, now: number): readonly Argument[] {
  const lastAt = Math.max(access.expiresAt, refresh.expiresAt)
  const ttlMs = Math.max(0, Math.ceil(lastAt - now)) + GRACE_MS
  return [
    ...[access, refresh].flatMap(({ hash, expiresAt }) => [hash, expiresAt]),
    MAX_TOKENS_PER_WORKER,
    ttlMs,
  ]
}
