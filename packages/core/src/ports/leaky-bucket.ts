/**
 * A rate limit as a bucket that leaks: the "continuous-state leaky bucket" of the generic cell rate
 * algorithm (ITU-T Recommendation I.371, annex A). Each hit that fits pours its share in; the bucket
 * runs empty in one window; a hit that would make it run over is refused and pours nothing in.
 *
 * Chosen over counting by fixed windows, which lets twice the limit through around the turn of one,
 * and over weighing two windows, which only estimates when the next hit is let in. It takes one number
 * and one moment per key, and says that moment exactly.
 *
 * A hit weighs `windowMs` and the bucket loses `limit` per ms, so that whole numbers stay whole.
 */
import type { EpochMs } from '../job/vocabulary.ts'
import type { Hit, HitOutcome, RateLimit } from './limit-store.ts'

/** How full a bucket was, and when. */
export interface Bucket {
  readonly level: number
  readonly at: EpochMs
}

/**
 * The bucket and the answer after a hit.
 * @param bucket - `undefined` for one that was never hit, or is known to be empty.
 */
export function pour(
  bucket: Bucket | undefined,
  hit: Omit<Hit, 'key'>,
): { readonly bucket: Bucket; readonly outcome: HitOutcome } {
  const before = leaked(bucket, hit)
  const allowed = before.level + hit.windowMs <= hit.limit * hit.windowMs
  const after = allowed ? { level: before.level + hit.windowMs, at: before.at } : before
  return { bucket: after, outcome: { allowed, ...roomIn(after, hit) } }
}

/** What a hit would be answered, without making it. */
export function peek(bucket: Bucket | undefined, hit: Omit<Hit, 'key'>): HitOutcome {
  const room = roomIn(leaked(bucket, hit), hit)
  return { allowed: room.remaining > 0, ...room }
}

/** When the bucket is as good as none. */
export function emptyAt({ level, at }: Bucket, { limit }: RateLimit): EpochMs {
  return at + Math.ceil(level / limit)
}

/** A `now` before the last one, from a clock that is behind, does not fill the bucket again. */
function leaked(bucket: Bucket | undefined, { now, limit }: Omit<Hit, 'key'>): Bucket {
  if (bucket === undefined) return { level: 0, at: now }
  const at = Math.max(bucket.at, now)
  return { level: Math.max(0, bucket.level - (at - bucket.at) * limit), at }
}

function roomIn(
  { level, at }: Bucket,
  { now, limit, windowMs }: Omit<Hit, 'key'>,
): Pick<HitOutcome, 'remaining' | 'nextAt'> {
  const remaining = Math.max(0, Math.floor((limit * windowMs - level) / windowMs))
  const excess = level + windowMs - limit * windowMs
  return { remaining, nextAt: excess <= 0 ? now : at + Math.ceil(excess / limit) }
}
