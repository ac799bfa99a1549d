import type { EpochMs } from '../job/vocabulary.ts'

/** Something is handed out for a while: it comes back when that has passed. */
export interface Lease {
  readonly now: EpochMs
  readonly leaseMs: number
}
