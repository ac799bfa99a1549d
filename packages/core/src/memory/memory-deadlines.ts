/** Deadlines of jobs, handed out under a lease when they are due (S10). */
import type { DeadlineKey } from '../job/event.ts'
import type { EpochMs } from '../job/vocabulary.ts'
import type { DeadlineStore, DueDeadline } from '../ports/storage.ts'
import { LeasedQueue } from './leased-queue.ts'
import type { Synchronous } from './synchronous.ts'

interface Deadline {
  readonly due: DueDeadline
  readonly rank: number
}

export class MemoryDeadlines implements Synchronous<DeadlineStore> {
  readonly #deadlines = new LeasedQueue<Deadline>()

  /** Sets or moves a deadline; a lease on the one before is void. */
  set(due: DueDeadline): void {
    this.#deadlines.put(idOf(due), { due, rank: due.at })
  }

  clear(jobId: string, key: DeadlineKey): void {
    this.#deadlines.remove(idOf({ jobId, key }))
  }

  has(deadline: Omit<DueDeadline, 'at'>): boolean {
    return this.#deadlines.find(idOf(deadline)) !== undefined
  }

  claimDueDeadlines(
    claim: Parameters<DeadlineStore['claimDueDeadlines']>[0],
  ): readonly DueDeadline[] {
    return this.#deadlines.claim(claim, ({ due }) => due.at <= claim.now).map(({ due }) => due)
  }

  dropDeadline(deadline: DueDeadline): void {
    const id = idOf(deadline)
    // One without a lease was set anew after it was claimed, perhaps to the very same moment.
    const isTheClaimed = this.#deadlines.find(id)?.due.at === deadline.at
    if (isTheClaimed && this.#deadlines.isLeased(id)) this.#deadlines.remove(id)
  }

  nextDueAt(): EpochMs | undefined {
    const at = this.#deadlines.firstReady()?.due.at
    const expiry = this.#deadlines.firstExpiry()
    return at === undefined || expiry === undefined ? (at ?? expiry) : Math.min(at, expiry)
  }
}

function idOf({ jobId, key }: Omit<DueDeadline, 'at'>): string {
  return `${key}:${jobId}`
}
