/**
 * Tokens that stand in for what a worker proved itself with. They begin with a prefix and the worker's id, so
 * that no other token costs a look into the storage, and one of a worker is looked for in one place.
 */
import { AuthError, isIdentifier, type TokenResponse } from '@avtomatika/protocol'
import type { TokenFamily, TokenPair, TokenStore } from '../ports/token-store.ts'
import { hashToken } from './tokens.ts'

/** Of an access token, in ms. */
export const ACCESS_TOKEN_MS = 3_600_000
/** Of a refresh token, in ms. */
export const REFRESH_TOKEN_MS = 86_400_000

/** How long a token that was good is good without another look: so late is an end heard of elsewhere. */
const REMEMBERED_MS = 2_000
/** Beyond that, what was remembered first is looked up again. */
const MAX_REMEMBERED = 10_000

type Kind = 'access' | 'refresh'
const PREFIXES: Readonly<Record<Kind, string>> = { access: 'avta', refresh: 'avtr' }

export interface AccessTokensOptions {
  readonly store: TokenStore
  readonly now: () => number
  /** A text that nobody can guess. */
  readonly newSecret: () => string
}

/** Whom an access token was issued to. */
export interface TokenGrant {
  readonly workerId: string
  readonly family: TokenFamily
}

interface Remembered {
  readonly grant: TokenGrant
  readonly until: number
}

export class AccessTokens {
  readonly #options: AccessTokensOptions
  /** By hash. */
  readonly #remembered = new Map<string, Remembered>()

  constructor(options: AccessTokensOptions) {
    this.#options = options
  }

  /** Whether a token looks like one of ours. */
  isOne(token: string): boolean {
    return workerOf(token, 'access') !== undefined
  }

  /** Whom a token was issued to; `undefined` for one that is unknown or has expired. */
  async find(token: string): Promise<TokenGrant | undefined> {
    const workerId = workerOf(token, 'access')
    if (workerId === undefined) return undefined
    const hash = hashToken(token)
    const now = this.#options.now()
    const remembered = this.#remembered.get(hash)
    if (remembered !== undefined && now < remembered.until) return remembered.grant
    this.#remembered.delete(hash)
    const family = await this.#options.store.findAccessToken({ workerId, hash, now })
    if (family === undefined) return undefined
    const grant = { workerId, family }
    this.#remember(hash, grant, now)
    return grant
  }

  /** The first pair of a family. */
  async issue(workerId: string, credential: string): Promise<TokenResponse> {
    const { store, now, newSecret } = this.#options
    const { pair, response } = this.#newPair(workerId)
    const family = { id: newSecret(), credential }
    await store.issueTokens({ workerId, family, now: now(), ...pair })
    return response
  }

  /**
   * The next pair of a family.
   * @param token - a refresh token, which is good once.
   * @param options.stands - whether what the family began with still proves who the worker is.
   * @throws AuthError `INVALID_TOKEN`, whatever is wrong with the token (D-64).
   */
  async refresh(
    token: string,
    {
      claimed,
      stands,
    }: {
      readonly claimed: string | undefined
      readonly stands: (grant: TokenGrant) => boolean
    },
  ): Promise<TokenResponse> {
    const { store, now } = this.#options
    const workerId = workerOf(token, 'refresh')
    if (workerId === undefined || (claimed ?? workerId) !== workerId) throw invalidRefresh()
    const { pair, response } = this.#newPair(workerId)
    const hash = hashToken(token)
    const rotation = await store.rotateTokens({ workerId, hash, now: now(), ...pair })
    if (rotation.kind === 'unknown') throw invalidRefresh()
    const { family } = rotation
    if (rotation.kind === 'rotated' && stands({ workerId, family })) return response
    await store.endTokenFamily({ workerId, id: family.id })
    this.#forget(family)
    throw invalidRefresh()
  }

  #newPair(workerId: string): { readonly pair: TokenPair; readonly response: TokenResponse } {
    const { now, newSecret } = this.#options
    const named = (kind: Kind): string => `${PREFIXES[kind]}.${workerId}.${newSecret()}`
    const [access, refresh] = [named('access'), named('refresh')]
    const at = now()
    return {
      pair: {
        access: { hash: hashToken(access), expiresAt: at + ACCESS_TOKEN_MS },
        refresh: { hash: hashToken(refresh), expiresAt: at + REFRESH_TOKEN_MS },
      },
      response: {
        access_token: access,
        expires_in: ACCESS_TOKEN_MS / 1000,
        worker_id: workerId,
        refresh_token: refresh,
      },
    }
  }

  #remember(hash: string, grant: TokenGrant, now: number): void {
    this.#remembered.set(hash, { grant, until: now + REMEMBERED_MS })
    if (this.#remembered.size <= MAX_REMEMBERED) return
    const [first] = this.#remembered.keys()
    if (first !== undefined) this.#remembered.delete(first)
  }

  #forget({ id }: TokenFamily): void {
    for (const [hash, { grant }] of this.#remembered) {
      if (grant.family.id === id) this.#remembered.delete(hash)
    }
  }
}

/** The worker that a token names; whether it is right is another matter. */
function workerOf(token: string, kind: Kind): string | undefined {
  const [prefix, workerId, secret, ...more] = token.split('.')
  if (prefix !== PREFIXES[kind] || workerId === undefined || !isIdentifier(workerId))
    return undefined
  return secret === undefined || more.length > 0 ? undefined : workerId
}

function invalidRefresh(): AuthError {
  const message =
    'Unauthorized: Invalid refresh token. Ask for a new pair with what the worker was given.'
  return new AuthError('INVALID_TOKEN', { message })
}
