/**
 * Group commit: whatever is handed in while a batch is on its way leaves together in the next one.
 * A lone entry leaves at once, so that an idle system pays nothing for it.
 */
import type { CommitEntry, CommitOutcome, JobStore } from '../../ports/storage.ts'

interface Pending {
  readonly entry: CommitEntry
  readonly resolve: (outcome: CommitOutcome) => void
  readonly reject: (error: unknown) => void
}

/** More entries than this leave in a second batch beside the first. */
const LARGE_BATCH = 128
const MAX_IN_FLIGHT = 2
/** A store does nothing else while it writes a batch. */
const MAX_BATCH = 256

export class Committer {
  readonly #storage: Pick<JobStore, 'commit'>
  #queue: Pending[] = []
  #inFlight = 0
  #scheduled = false

  constructor(storage: Pick<JobStore, 'commit'>) {
    this.#storage = storage
  }

  /** Resolves once the entry is written, or is known not to be. */
  commit(entry: CommitEntry): Promise<CommitOutcome> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ entry, resolve, reject })
      this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#scheduled || this.#queue.length === 0) return
    const mayLeave =
      this.#inFlight === 0 || (this.#inFlight < MAX_IN_FLIGHT && this.#queue.length >= LARGE_BATCH)
    if (!mayLeave) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      void this.#send(this.#queue.splice(0, MAX_BATCH))
    })
  }

  async #send(batch: readonly Pending[]): Promise<void> {
    this.#inFlight += 1
    try {
      const outcomes = await this.#storage.commit(batch.map(({ entry }) => entry))
      batch.forEach(({ resolve }, i) => {
        resolve(outcomes[i] ?? { kind: 'conflict' })
      })
    } catch (error) {
      for (const { reject } of batch) reject(error)
    } finally {
      this.#inFlight -= 1
      this.#schedule()
    }
  }
}
