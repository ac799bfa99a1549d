/** History records on their way out: oldest first, under a lease (S3). */
import type { HistoryRecord } from '../job/effect.ts'
import type { EpochMs } from '../job/vocabulary.ts'
import type { OutboxStore } from '../ports/storage.ts'
import { LeasedQueue } from './leased-queue.ts'
import type { Synchronous } from './synchronous.ts'

interface OutboxRecord {
  readonly record: HistoryRecord
  readonly rank: number
}

export class MemoryOutbox implements Synchronous<OutboxStore> {
  readonly #records = new LeasedQueue<OutboxRecord>()

  put(record: HistoryRecord): void {
    if (this.#records.find(record.eventId) !== undefined) return
    this.#records.put(record.eventId, { record, rank: 0 })
  }

  claimRecords(claim: Parameters<OutboxStore['claimRecords']>[0]): readonly HistoryRecord[] {
    return this.#records.claim(claim).map(({ record }) => record)
  }

  ackRecords(eventIds: readonly string[]): void {
    for (const eventId of eventIds) this.#records.remove(eventId)
  }

  countRecords(): number {
    return this.#records.size
  }

  oldestRecordAt(): EpochMs | undefined {
    const times = [this.#records.firstReady(), this.#records.firstLeased()]
      .map((each) => each?.record.at)
      .filter((at) => at !== undefined)
    return times.length === 0 ? undefined : Math.min(...times)
  }

  dropOldestRecords(limit: number): number {
    let dropped = 0
    while (dropped < limit && this.#records.size > 0) {
      this.#records.dropFirst()
      dropped += 1
    }
    return dropped
  }
}
