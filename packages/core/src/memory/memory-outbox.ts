/** History records on their way out: oldest first, under a lease, and not without bound (S3). */
import type { HistoryRecord } from '../job/effect.ts'
import type { OutboxStore } from '../ports/storage.ts'
import { LeasedQueue } from './leased-queue.ts'
import type { Synchronous } from './synchronous.ts'

interface OutboxRecord {
  readonly record: HistoryRecord
  readonly rank: number
}

export class MemoryOutbox implements Synchronous<OutboxStore> {
  readonly #records = new LeasedQueue<OutboxRecord>()
  readonly #maxRecords: number
  #dropped = 0

  constructor(maxRecords: number) {
    this.#maxRecords = maxRecords
  }

  /** Records given up because nobody took them in time. */
  get dropped(): number {
    return this.#dropped
  }

  put(record: HistoryRecord): void {
    if (this.#records.find(record.eventId) !== undefined) return
    this.#records.put(record.eventId, { record, rank: 0 })
    if (this.#records.size <= this.#maxRecords) return
    this.#records.dropFirst()
    this.#dropped += 1
  }

  claimRecords(claim: Parameters<OutboxStore['claimRecords']>[0]): readonly HistoryRecord[] {
    return this.#records.claim(claim).map(({ record }) => record)
  }

  ackRecords(eventIds: readonly string[]): void {
    for (const eventId of eventIds) this.#records.remove(eventId)
  }
}
