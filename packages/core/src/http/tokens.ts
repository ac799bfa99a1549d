/** Who a token belongs to. Tokens are kept as hashes only, and compared by hash. */
import { createHash } from 'node:crypto'

/** The SHA-256 of a token, in hex. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

/** Looks owners up by token. Comparing hashes leaks nothing about the token by its timing (D-65). */
export class TokenMap<Owner> {
  readonly #byHash = new Map<string, Owner>()

  /** @returns `false` when the token is taken. */
  add(token: string, owner: Owner): boolean {
    const hash = hashToken(token)
    if (this.#byHash.has(hash)) return false
    this.#byHash.set(hash, owner)
    return true
  }

  find(token: string): Owner | undefined {
    return this.#byHash.get(hashToken(token))
  }
}
