import type { EpochMs } from '../job/vocabulary.ts'
import { Heap } from './heap.ts'

interface Entry<Value> {
  readonly key: string
  value: Value
  expiresAt: EpochMs
  /** Where the entry stands in the heap; its end may have moved on since. */
  lookAt: EpochMs
}

/**
 * A map whose entries can be forgotten from a moment on. Moving that moment costs nothing: an entry is
 * looked at when its first one has come, and stands in line again if it has moved.
 */
export class ExpiringMap<Value> {
  readonly #entries = new Map<string, Entry<Value>>()
  readonly #byLook = new Heap<Entry<Value>>((a, b) => a.lookAt < b.lookAt)

  get size(): number {
    return this.#entries.size
  }

  get(key: string): Value | undefined {
    return this.#entries.get(key)?.value
  }

  set(key: string, value: Value, expiresAt: EpochMs): void {
    const known = this.#entries.get(key)
    if (known !== undefined) {
      known.value = value
      known.expiresAt = expiresAt
      return
    }
    const entry = { key, value, expiresAt, lookAt: expiresAt }
    this.#entries.set(key, entry)
    this.#byLook.add(entry)
  }

  delete(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#byLook.remove(entry)
  }

  /** Forgets what has expired by `now`. */
  forget(now: EpochMs): void {
    for (;;) {
      const entry = this.#byLook.first()
      if (entry === undefined || entry.lookAt > now) return
      this.#byLook.shift()
      if (entry.expiresAt <= now) {
        this.#entries.delete(entry.key)
      } else {
        entry.lookAt = entry.expiresAt
        this.#byLook.add(entry)
      }
    }
  }
}
