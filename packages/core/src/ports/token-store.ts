/**
 * Tokens that orchestrators issue to workers: short-lived ones to work with, and ones to get the next pair.
 *
 * K1 A store knows the SHA-256 of a token, and never the token.
 * K2 An access token is found until it expires, or until its family ends.
 * K3 A refresh token is good once; of several tries at the same time, one succeeds. Whoever comes with it
 *    again has it from somebody else, or somebody else has: its family ends, with all its tokens (D-64).
 * K4 What is unknown, expired, of another worker or of a family that ended is answered alike.
 * K5 Of each worker, at most {@link MAX_TOKENS_PER_WORKER} tokens are kept, used ones included; beyond
 *    that the one that was issued first is forgotten.
 * K6 `now` is the argument given; the store's own clock decides nothing. What has expired by it may be
 *    forgotten.
 */
import type { EpochMs } from '../job/vocabulary.ts'

/** More than a worker that renews its token every few minutes has in a day. */
export const MAX_TOKENS_PER_WORKER = 100

/** A token that is issued. */
export interface IssuedToken {
  /** SHA-256 of the token, in hex. */
  readonly hash: string
  readonly expiresAt: EpochMs
}

/** What one proof of who a worker is has led to: a first pair of tokens, and all that followed from it. */
export interface TokenFamily {
  readonly id: string
  /** Names what the worker proved it with, without telling it. */
  readonly credential: string
}

/** An access token and the refresh token that comes with it. */
export interface TokenPair {
  readonly access: IssuedToken
  readonly refresh: IssuedToken
}

export type Rotation =
  | { readonly kind: 'rotated'; readonly family: TokenFamily }
  /** It was used before: the family has ended (K3). */
  | { readonly kind: 'reused'; readonly family: TokenFamily }
  | { readonly kind: 'unknown' }

export interface TokenStore {
  /** Begins a family with its first pair. */
  issueTokens(
    issue: TokenPair & {
      readonly workerId: string
      readonly family: TokenFamily
      readonly now: EpochMs
    },
  ): Promise<void>
  /** The family of a live access token (K2, K4). */
  findAccessToken(query: {
    readonly workerId: string
    readonly hash: string
    readonly now: EpochMs
  }): Promise<TokenFamily | undefined>
  /** Takes a refresh token for the next pair of its family (K3, K4). */
  rotateTokens(
    rotation: TokenPair & {
      readonly workerId: string
      /** SHA-256 of the refresh token. */
      readonly hash: string
      readonly now: EpochMs
    },
  ): Promise<Rotation>
  /** Ends a family: none of its tokens is good any more. */
  endTokenFamily(family: { readonly workerId: string; readonly id: string }): Promise<void>
}
