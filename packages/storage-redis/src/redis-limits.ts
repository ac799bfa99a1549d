/**
 * Locks, rate limits and quotas that all orchestrators on one Redis share (L1 to L8).
 *
 * Keys live as long as what they say, and an hour more: no decision waits for the server to drop one,
 * so that hosts whose clocks are behind are answered by the time that they give (L8).
 */
import type { HitOutcome, LimitStore, LockStore, QuotaKey, QuotaOutcome } from '@avtomatika/core'
import type { Call } from './call.ts'
import { number } from './reply.ts'
import type { Reply } from './script-runner.ts'
import { SCRIPTS } from './scripts.ts'
import type { RedisSession } from './session.ts'

const GRACE_MS = 3_600_000

export class RedisLimits implements LockStore, LimitStore {
  readonly #session: Pick<RedisSession, 'run'>

  constructor(session: Pick<RedisSession, 'run'>) {
    this.#session = session
  }

  async acquireLock(claim: Call<'acquireLock'>): Promise<{ readonly token: number } | undefined> {
    const { name, holder, now, leaseMs } = claim
    const args = [name, holder, now, now + leaseMs, Math.ceil(leaseMs) + GRACE_MS]
    const token = number(await this.#session.run(SCRIPTS.acquireLock, ...args))
    return token === undefined ? undefined : { token }
  }

  async renewLock(renewal: Call<'renewLock'>): Promise<boolean> {
    const { name, holder, token, now, leaseMs } = renewal
    const args = [name, holder, token, now, now + leaseMs, Math.ceil(leaseMs) + GRACE_MS]
    return (await this.#session.run(SCRIPTS.lock, 'renew', ...args)) === 1
  }

  async releaseLock({ name, holder, token }: Call<'releaseLock'>): Promise<boolean> {
    return (await this.#session.run(SCRIPTS.lock, 'release', name, holder, token)) === 1
  }

  async hit({ key, now, limit, windowMs }: Call<'hit'>): Promise<HitOutcome> {
    const reply = await this.#session.run(SCRIPTS.hit, key, now, limit, windowMs, GRACE_MS)
    const [allowed, remaining, nextAt] = numbers(reply)
    return { allowed: allowed === 1, remaining: remaining ?? 0, nextAt: nextAt ?? now }
  }

  async takeQuota({ amount, limit, ...quota }: Call<'takeQuota'>): Promise<QuotaOutcome> {
    const [allowed, used = 0] = await this.#change(quota, amount, limit)
    return { allowed: allowed === 1, used, limit }
  }

  async readQuota(quota: QuotaKey): Promise<number> {
    if (isOver(quota)) return 0
    return number(await this.#session.run(SCRIPTS.readQuota, idOf(quota))) ?? 0
  }

  async giveBackQuota({ amount, ...quota }: Call<'giveBackQuota'>): Promise<void> {
    if (!isOver(quota)) await this.#change(quota, -amount, 0)
  }

  async #change(quota: QuotaKey, amount: number, limit: number): Promise<readonly number[]> {
    const ttlMs = Math.max(0, Math.ceil(quota.period.until - quota.now)) + GRACE_MS
    return numbers(await this.#session.run(SCRIPTS.quota, idOf(quota), amount, limit, ttlMs))
  }
}

function isOver({ period, now }: QuotaKey): boolean {
  return now >= period.until
}

/** The last colon parts them, whatever the key holds. */
function idOf({ key, period }: QuotaKey): string {
  return `${key}:${String(period.from)}`
}

function numbers(reply: Reply): readonly number[] {
  return Array.isArray(reply) ? (reply as readonly Reply[]).map((each) => number(each) ?? 0) : []
}
