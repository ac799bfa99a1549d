/** Items kept so that the first one is found at once and any one can be taken out. */

/**
 * A binary heap that knows where its items are. `add`, `remove` and `shift` cost O(log n), `first`
 * and `size` O(1). Nothing is left behind by a removal, so a heap is as large as what it holds.
 *
 * What decides the order of an item must not change while it is in the heap.
 */
export class Heap<T> {
  readonly #items: T[] = []
  readonly #places = new Map<T, number>()
  readonly #isBefore: (a: T, b: T) => boolean

  constructor(isBefore: (a: T, b: T) => boolean) {
    this.#isBefore = isBefore
  }

  get size(): number {
    return this.#items.length
  }

  first(): T | undefined {
    return this.#items[0]
  }

  /** Takes out the first item. */
  shift(): T | undefined {
    const first = this.#items[0]
    if (first !== undefined) this.remove(first)
    return first
  }

  /** Puts an item in; one that is in already stays where it is. */
  add(item: T): void {
    if (this.#places.has(item)) return
    this.#items.push(item)
    this.#rise(item, this.#items.length - 1)
  }

  /** Takes an item out; `false` if it was not in. */
  remove(item: T): boolean {
    const place = this.#places.get(item)
    if (place === undefined) return false
    this.#places.delete(item)
    const last = this.#items.pop()
    if (last === undefined || last === item) return true
    this.#sink(last, place)
    this.#rise(last, this.#places.get(last) ?? place)
    return true
  }

  #rise(item: T, from: number): void {
    let place = from
    while (place > 0) {
      const above = (place - 1) >> 1
      const parent = this.#items[above]
      if (parent === undefined || !this.#isBefore(item, parent)) break
      this.#put(parent, place)
      place = above
    }
    this.#put(item, place)
  }

  #sink(item: T, from: number): void {
    let place = from
    for (;;) {
      const below = this.#firstChild(place)
      const child = this.#items[below]
      if (child === undefined || !this.#isBefore(child, item)) break
      this.#put(child, place)
      place = below
    }
    this.#put(item, place)
  }

  #firstChild(place: number): number {
    const left = 2 * place + 1
    const a = this.#items[left]
    const b = this.#items[left + 1]
    return a !== undefined && b !== undefined && this.#isBefore(b, a) ? left + 1 : left
  }

  #put(item: T, place: number): void {
    this.#items[place] = item
    this.#places.set(item, place)
  }
}
