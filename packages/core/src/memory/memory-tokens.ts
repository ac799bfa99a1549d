/** Tokens of the workers of one process (K1 to K6). */
import type { EpochMs } from '../job/vocabulary.ts'
import {
  MAX_TOKENS_PER_WORKER,
  type IssuedToken,
  type Rotation,
  type TokenFamily,
  type TokenPair,
  type TokenStore,
} from '../ports/token-store.ts'
import { ExpiringMap } from './expiring-map.ts'
import type { Synchronous } from './synchronous.ts'

interface Known {
  readonly kind: 'access' | 'refresh' | 'used'
  readonly family: TokenFamily
  readonly expiresAt: EpochMs
}

/** Of one worker, by hash, in the order in which they were issued. */
type Tokens = Map<string, Known>

export class MemoryTokens implements Synchronous<TokenStore> {
  readonly #byWorker = new ExpiringMap<Tokens>()

  issueTokens({ workerId, family, now, ...pair }: Parameters<TokenStore['issueTokens']>[0]): void {
    this.#add({ workerId, family, now }, pair)
  }

  findAccessToken({
    workerId,
    hash,
    now,
  }: Parameters<TokenStore['findAccessToken']>[0]): TokenFamily | undefined {
    const known = this.#live(workerId, hash, now)
    return known?.kind === 'access' ? known.family : undefined
  }

  rotateTokens({
    workerId,
    hash,
    now,
    ...pair
  }: Parameters<TokenStore['rotateTokens']>[0]): Rotation {
    const known = this.#live(workerId, hash, now)
    if (known === undefined || known.kind === 'access') return { kind: 'unknown' }
    const { family } = known
    if (known.kind === 'used') {
      this.endTokenFamily({ workerId, id: family.id })
      return { kind: 'reused', family }
    }
    this.#byWorker.get(workerId)?.set(hash, { ...known, kind: 'used' })
    this.#add({ workerId, family, now }, pair)
    return { kind: 'rotated', family }
  }

  endTokenFamily({ workerId, id }: Parameters<TokenStore['endTokenFamily']>[0]): void {
    const tokens = this.#byWorker.get(workerId)
    for (const [hash, { family }] of tokens ?? []) if (family.id === id) tokens?.delete(hash)
  }

  #live(workerId: string, hash: string, now: EpochMs): Known | undefined {
    const known = this.#byWorker.get(workerId)?.get(hash)
    return known !== undefined && now < known.expiresAt ? known : undefined
  }

  #add(
    { workerId, family, now }: { workerId: string; family: TokenFamily; now: EpochMs },
    { access, refresh }: TokenPair,
  ): void {
    this.#byWorker.forget(now)
    const tokens = this.#byWorker.get(workerId) ?? new Map<string, Known>()
    for (const [hash, { expiresAt }] of tokens) if (expiresAt <= now) tokens.delete(hash)
    const put = (kind: Known['kind'], { hash, expiresAt }: IssuedToken): void => {
      tokens.set(hash, { kind, family, expiresAt })
    }
    put('access', access)
    put('refresh', refresh)
    for (const hash of tokens.keys()) {
      if (tokens.size <= MAX_TOKENS_PER_WORKER) break
      tokens.delete(hash)
    }
    const lastAt = Math.max(...[...tokens.values()].map(({ expiresAt }) => expiresAt))
    this.#byWorker.set(workerId, tokens, lastAt)
  }
}
