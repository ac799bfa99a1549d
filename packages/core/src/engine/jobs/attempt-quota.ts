/**
 * How many jobs a client may create in a calendar month (UTC). What counts is a job that was created:
 * not a read, not a request that was refused, and not one that is repeated under its idempotency key
 * (D-60). Without a quota nothing is counted and nothing is asked of the store.
 */
import { LimitError } from '@avtomatika/protocol'
import type { EpochMs } from '../../job/vocabulary.ts'
import type { QuotaPeriod } from '../../ports/limit-store.ts'
import type { EngineParts } from '../engine-parts.ts'

/** Taken for one job; given back if it does not come to be. */
export interface Attempt {
  /** Never fails: what could not be given back stays counted, and is logged. */
  giveBack(): Promise<void>
}

const UNCOUNTED: Attempt = { giveBack: () => Promise.resolve() }

export class AttemptQuota {
  readonly #parts: Pick<EngineParts, 'storage' | 'clock' | 'log'>

  constructor(parts: Pick<EngineParts, 'storage' | 'clock' | 'log'>) {
    this.#parts = parts
  }

  /**
   * Takes one attempt.
   * @param monthlyAttempts - `undefined`: as many as the client likes.
   * @returns the error to answer with, if none is left.
   */
  async take(clientId: string, monthlyAttempts: number | undefined): Promise<Attempt | LimitError> {
    if (monthlyAttempts === undefined) return UNCOUNTED
    const { storage, clock, log } = this.#parts
    const now = clock.now()
    const period = monthOf(now)
    const quota = { key: `attempts:${clientId}`, period, now, amount: 1 }
    const { allowed, limit } = await storage.takeQuota({ ...quota, limit: monthlyAttempts })
    if (!allowed) return exceeded(limit, period.until, now)
    return {
      giveBack: async () => {
        try {
          await storage.giveBackQuota({ ...quota, now: clock.now() })
        } catch (error) {
          log.warn({ err: error, clientId }, 'an attempt could not be given back to its quota')
        }
      },
    }
  }
}

/** The calendar month of a moment, in UTC. */
export function monthOf(now: EpochMs): QuotaPeriod {
  const date = new Date(now)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
  return { from: Date.UTC(year, month), until: Date.UTC(year, month + 1) }
}

function exceeded(limit: number, until: EpochMs, now: EpochMs): LimitError {
  return new LimitError('QUOTA_EXCEEDED', {
    // The words of the Python system, which clients may look for.
    message: 'Quota exceeded or not configured',
    details: { limit, resets_at: new Date(until).toISOString() },
    retryAfterMs: until - now,
  })
}
