/** Rate limits and quotas of one process (L4 to L8). What has run out is forgotten. */
import { emptyAt, peek, pour, type Bucket } from '../ports/leaky-bucket.ts'
import type { Hit, HitOutcome, LimitStore, QuotaKey, QuotaOutcome } from '../ports/limit-store.ts'
import { ExpiringMap } from './expiring-map.ts'
import type { Synchronous } from './synchronous.ts'

export class MemoryLimits implements Synchronous<LimitStore> {
  readonly #buckets = new ExpiringMap<Bucket>()
  readonly #quotas = new ExpiringMap<number>()

  /** Rate limits and quotas that are kept in mind. */
  get size(): number {
    return this.#buckets.size + this.#quotas.size
  }

  hit(hit: Hit): HitOutcome {
    this.#buckets.forget(hit.now)
    const { bucket, outcome } = pour(this.#buckets.get(hit.key), hit)
    if (outcome.allowed) this.#buckets.set(hit.key, bucket, emptyAt(bucket, hit))
    return outcome
  }

  /** What a hit would be answered; counts nothing. */
  peek(hit: Hit): HitOutcome {
    return peek(this.#buckets.get(hit.key), hit)
  }

  takeQuota(take: Parameters<LimitStore['takeQuota']>[0]): QuotaOutcome {
    const { amount, limit } = take
    this.#quotas.forget(take.now)
    const used = this.readQuota(take)
    if (used + amount > limit) return { allowed: false, used, limit }
    this.#quotas.set(idOf(take), used + amount, take.period.until)
    return { allowed: true, used: used + amount, limit }
  }

  readQuota(quota: QuotaKey): number {
    return quota.now < quota.period.until ? (this.#quotas.get(idOf(quota)) ?? 0) : 0
  }

  giveBackQuota(quota: Parameters<LimitStore['giveBackQuota']>[0]): void {
    const used = this.readQuota(quota)
    if (used === 0) return
    this.#quotas.set(idOf(quota), Math.max(0, used - quota.amount), quota.period.until)
  }
}

/** The last colon parts them, whatever the key holds. */
function idOf({ key, period }: QuotaKey): string {
  return `${key}:${String(period.from)}`
}
