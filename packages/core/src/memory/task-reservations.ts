/** Tasks that one worker may have first, for a while (S12). */
import type { EpochMs } from '../job/vocabulary.ts'
import { Heap } from './heap.ts'

interface Entry<T> {
  readonly item: T
  readonly workerId: string
  readonly until: EpochMs
}

export class TaskReservations<T> {
  readonly #byItem = new Map<T, Entry<T>>()
  readonly #byWorker = new Map<string, Set<T>>()
  readonly #byEnd = new Heap<Entry<T>>((a, b) => a.until < b.until)

  add(item: T, workerId: string, until: EpochMs): void {
    const entry = { item, workerId, until }
    this.#byItem.set(item, entry)
    this.#byEnd.add(entry)
    this.#byWorker.set(workerId, (this.#byWorker.get(workerId) ?? new Set()).add(item))
  }

  /** Ends a reservation; `false` if there is none. */
  remove(item: T): boolean {
    const entry = this.#byItem.get(item)
    if (entry === undefined) return false
    this.#byItem.delete(item)
    this.#byEnd.remove(entry)
    const ofWorker = this.#byWorker.get(entry.workerId)
    ofWorker?.delete(item)
    if (ofWorker?.size === 0) this.#byWorker.delete(entry.workerId)
    return true
  }

  /** What is reserved for a worker; costs as much as there is. */
  of(workerId: string): readonly T[] {
    return [...(this.#byWorker.get(workerId) ?? [])]
  }

  count(workerId: string): number {
    return this.#byWorker.get(workerId)?.size ?? 0
  }

  firstEnd(): EpochMs | undefined {
    return this.#byEnd.first()?.until
  }

  /** Takes out the reservations that have run out, the oldest first. */
  takeEnded(now: EpochMs, limit: number): readonly Readonly<Entry<T>>[] {
    const ended: Entry<T>[] = []
    while (ended.length < limit) {
      const entry = this.#byEnd.first()
      if (entry === undefined || entry.until > now) break
      this.remove(entry.item)
      ended.push(entry)
    }
    return ended
  }
}
