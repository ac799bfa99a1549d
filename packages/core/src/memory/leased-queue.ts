/**
 * A queue whose items are leased rather than taken: what its holder does not finish comes back to
 * its old place. Steps, deadlines, lost tasks, messages and outbox records all stand in one of these.
 *
 * Every operation costs O(log n) per item that it touches, and touches no other.
 */
import type { EpochMs } from '../job/vocabulary.ts'
import { Heap } from './heap.ts'

/** Something that stands in a {@link LeasedQueue}. */
export interface Leasable {
  /** Items with a smaller rank go first; equal ranks in the order in which they were put. */
  readonly rank: number
}

/** One round of claiming. */
export interface QueueClaim {
  readonly now: EpochMs
  readonly leaseMs: number
  readonly limit: number
  /** Who takes the items. Default: nobody in particular. */
  readonly holder?: string
}

interface Entry<T> {
  readonly id: string
  readonly item: T
  readonly order: number
  lease: { readonly holder: string; readonly expiresAt: EpochMs } | null
}

export class LeasedQueue<T extends Leasable> {
  readonly #entries = new Map<string, Entry<T>>()
  readonly #ready = new Heap<Entry<T>>(standsBefore)
  readonly #leased = new Heap<Entry<T>>(expiresBefore)
  #puts = 0

  get size(): number {
    return this.#entries.size
  }

  /** Items that are under a lease, also one that has run out unnoticed. */
  get leased(): number {
    return this.#leased.size
  }

  find(id: string): T | undefined {
    return this.#entries.get(id)?.item
  }

  isLeased(id: string): boolean {
    return this.#entries.get(id)?.lease != null
  }

  /** Puts an item at its place, free of any lease; it replaces the item of the same id. */
  put(id: string, item: T): void {
    this.remove(id)
    this.#puts += 1
    const entry: Entry<T> = { id, item, order: this.#puts, lease: null }
    this.#entries.set(id, entry)
    this.#ready.add(entry)
  }

  /** Puts an item that `holder` has from the start. */
  putLeased(id: string, item: T, { now, leaseMs, holder = '' }: Omit<QueueClaim, 'limit'>): void {
    this.put(id, item)
    const entry = this.#entries.get(id)
    if (entry !== undefined) this.#lease(entry, { holder, expiresAt: now + leaseMs })
  }

  remove(id: string): boolean {
    const entry = this.#entries.get(id)
    if (entry === undefined) return false
    this.#entries.delete(id)
    this.#ready.remove(entry)
    this.#leased.remove(entry)
    return true
  }

  /** Leases items in order for as long as they are ready and `isDue` says yes of them. */
  claim(claim: QueueClaim, isDue: (item: T) => boolean = () => true): T[] {
    const { now, leaseMs, limit, holder = '' } = claim
    this.#takeBack(now)
    const claimed: T[] = []
    while (claimed.length < limit) {
      const entry = this.#ready.first()
      if (entry === undefined || !isDue(entry.item)) break
      this.#lease(entry, { holder, expiresAt: now + leaseMs })
      claimed.push(entry.item)
    }
    return claimed
  }

  /** Moves the end of a live lease of `holder` to `expiresAt`; `false` if it has none. */
  renew(id: string, holder: string, { now, leaseMs }: Omit<QueueClaim, 'limit'>): boolean {
    const entry = this.#entries.get(id)
    if (entry?.lease?.holder !== holder || entry.lease.expiresAt <= now) return false
    this.#leased.remove(entry)
    entry.lease = { holder, expiresAt: now + leaseMs }
    this.#leased.add(entry)
    return true
  }

  /** Gives an item back to its place; `false` if `holder` does not have it. */
  release(id: string, holder: string): boolean {
    const entry = this.#entries.get(id)
    if (entry?.lease?.holder !== holder) return false
    this.#free(entry)
    return true
  }

  /** The item that would be claimed first, were nothing taken back. */
  firstReady(): T | undefined {
    return this.#ready.first()?.item
  }

  /** The item whose lease runs out first. */
  firstLeased(): T | undefined {
    return this.#leased.first()?.item
  }

  /** When the first lease runs out. */
  firstExpiry(): EpochMs | undefined {
    return this.#leased.first()?.lease?.expiresAt
  }

  /** Drops the oldest item: the one whose lease ends first or, if none is out, the first that is ready. */
  dropFirst(): void {
    const entry = this.#leased.first() ?? this.#ready.first()
    if (entry !== undefined) this.remove(entry.id)
  }

  #takeBack(now: EpochMs): void {
    for (;;) {
      const entry = this.#leased.first()
      if (entry?.lease == null || entry.lease.expiresAt > now) return
      this.#free(entry)
    }
  }

  #lease(entry: Entry<T>, lease: NonNullable<Entry<T>['lease']>): void {
    this.#ready.remove(entry)
    entry.lease = lease
    this.#leased.add(entry)
  }

  #free(entry: Entry<T>): void {
    this.#leased.remove(entry)
    entry.lease = null
    this.#ready.add(entry)
  }
}

function standsBefore<T extends Leasable>(a: Entry<T>, b: Entry<T>): boolean {
  return a.item.rank === b.item.rank ? a.order < b.order : a.item.rank < b.item.rank
}

function expiresBefore<T>(a: Entry<T>, b: Entry<T>): boolean {
  return (a.lease?.expiresAt ?? 0) < (b.lease?.expiresAt ?? 0)
}
