/** Locks of one process (L1 to L3, L8). */
import type { EpochMs } from '../job/vocabulary.ts'
import type { LockGrant, LockStore } from '../ports/limit-store.ts'
import { ExpiringMap } from './expiring-map.ts'
import type { Synchronous } from './synchronous.ts'

interface Lock extends LockGrant {
  readonly leaseExpiresAt: EpochMs
}

export class MemoryLocks implements Synchronous<LockStore> {
  readonly #locks = new ExpiringMap<Lock>()
  /** Of all names: one number outlives every lock, however many names there are. */
  #lastToken = 0

  /** Locks that are kept in mind. */
  get size(): number {
    return this.#locks.size
  }

  acquireLock({ name, holder, now, leaseMs }: Parameters<LockStore['acquireLock']>[0]):
    | {
        readonly token: number
      }
    | undefined {
    this.#locks.forget(now)
    const held = this.#locks.get(name)
    if (held !== undefined && held.leaseExpiresAt > now) return undefined
    const token = Math.max(this.#lastToken + 1, now)
    this.#lastToken = token
    this.#put({ name, holder, token, leaseExpiresAt: now + leaseMs })
    return { token }
  }

  renewLock({ now, leaseMs, ...grant }: Parameters<LockStore['renewLock']>[0]): boolean {
    const held = this.#find(grant)
    if (held === undefined || held.leaseExpiresAt <= now) return false
    this.#put({ ...held, leaseExpiresAt: now + leaseMs })
    return true
  }

  releaseLock(grant: LockGrant): boolean {
    const held = this.#find(grant)
    if (held !== undefined) this.#locks.delete(grant.name)
    return held !== undefined
  }

  #find({ name, holder, token }: LockGrant): Lock | undefined {
    const held = this.#locks.get(name)
    return held?.holder === holder && held.token === token ? held : undefined
  }

  #put(lock: Lock): void {
    this.#locks.set(lock.name, lock, lock.leaseExpiresAt)
  }
}
