import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Fifo } from '../src/memory/fifo.ts'
import { Heap } from '../src/memory/heap.ts'

interface Item {
  readonly rank: number
}

describe('Heap', () => {
  it('compares as often as it is deep, not as often as it is large (D-48)', () => {
    let comparisons = 0
    const heap = new Heap<Item>((a, b) => {
      comparisons += 1
      return a.rank < b.rank
    })
    const items = Array.from({ length: 2 ** 15 }, (_, n) => ({ rank: (n * 7_919) % 32_768 }))
    for (const item of items) heap.add(item)
    comparisons = 0
    for (const item of items.slice(0, 100)) heap.remove(item)
    for (let n = 0; n < 100; n += 1) heap.shift()
    // Two comparisons on each of 15 levels on the way down, one on the way up.
    expect(comparisons).toBeLessThanOrEqual(200 * 3 * 15)
  })

  it('gives what is in it in order, whatever was taken out before', () => {
    const plans = fc.array(
      fc.record({ rank: fc.integer({ min: 0, max: 50 }), taken: fc.boolean() }),
    )
    fc.assert(
      fc.property(plans, (plan) => {
        const heap = new Heap<Item>((a, b) => a.rank < b.rank)
        const items = plan.map(({ rank, taken }) => ({ item: { rank }, taken }))
        for (const { item } of items) heap.add(item)
        for (const { item, taken } of items) if (taken) expect(heap.remove(item)).toBe(true)
        const left = items.filter(({ taken }) => !taken).map(({ item }) => item.rank)
        expect(heap.size).toBe(left.length)
        const given = left.map(() => heap.shift()?.rank)
        expect(given).toEqual(left.toSorted((a, b) => a - b))
        expect(heap.shift()).toBeUndefined()
      }),
    )
  })

  it('says when there is nothing to take out', () => {
    const heap = new Heap<Item>((a, b) => a.rank < b.rank)
    expect(heap.remove({ rank: 1 })).toBe(false)
    expect(heap.first()).toBeUndefined()
  })
})

describe('Fifo', () => {
  it('gives what is in it in the order in which it came', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.integer(), { nil: null })), (plan) => {
        const fifo = new Fifo<number>()
        const model: number[] = []
        for (const value of plan) {
          if (value === null) expect(fifo.shift()).toBe(model.shift())
          else model.push(value)
          if (value !== null) fifo.push(value)
          expect(fifo.size).toBe(model.length)
        }
      }),
    )
  })
})
