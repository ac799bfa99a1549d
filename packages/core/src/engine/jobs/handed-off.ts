import type { CommitEntry } from '../../ports/storage.ts'
import type { Changed } from './merge-changes.ts'

/** What became of a write: nobody knows when its answer was lost. */
export type WriteOutcome = 'written' | 'not_written' | 'unknown'

/** A change, with what becomes of its effects in this process. */
export interface HandedOff {
  readonly change: Changed
  readonly entry: Pick<CommitEntry, 'handOvers' | 'reservations' | 'stepLease' | 'withdrawn'>
  /** To be called once, when it is known whether the change was written. */
  readonly settle: (outcome: WriteOutcome) => void
}
