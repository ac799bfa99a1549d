import { describe, expect, it } from 'vitest'

import { BeatMemory } from '../src/beat-memory.ts'

describe('the memory of a deputy', () => {
  it('holds the last beat, whatever is in it, for whoever has the same memory', () => {
    const writer = BeatMemory.ofSize(100)
    const reader = new BeatMemory(writer.buffer)
    expect(reader.read()).toBeUndefined()
    writer.write({ dueAt: 1_700_000_000_000.4, body: '{"a":"ä€😀"}' })
    expect(reader.read()).toEqual({ dueAt: 1_700_000_000_000, body: '{"a":"ä€😀"}' })
    writer.write({ dueAt: 5, body: '{}' })
    expect(reader.read()).toEqual({ dueAt: 5, body: '{}' })
    writer.write(undefined)
    expect(reader.read()).toBeUndefined()
  })

  it('tells of each change', () => {
    const memory = BeatMemory.ofSize(100)
    const { count } = memory
    memory.write({ dueAt: 5, body: '{}' })
    expect(memory.count).not.toBe(count)
  })

  it('says what has room, in bytes and not in characters', () => {
    const memory = BeatMemory.ofSize(10)
    expect(memory.fits('x'.repeat(10))).toBe(true)
    expect(memory.fits('x'.repeat(11))).toBe(false)
    expect(memory.fits('€'.repeat(3))).toBe(true)
    expect(memory.fits('€'.repeat(4))).toBe(false)
  })

  it('is not read while it is being written', () => {
    const memory = BeatMemory.ofSize(100)
    memory.write({ dueAt: 5, body: '{}' })
    Atomics.add(new Int32Array(memory.buffer), 0, 1)
    expect(memory.read()).toBe('busy')
  })

  it('says whether the reader would sleep through a beat', () => {
    const memory = BeatMemory.ofSize(100)
    expect(memory.isAsleepAt(1000)).toBe(false)
    memory.sleepUntil(2000)
    expect([memory.isAsleepAt(1000), memory.isAsleepAt(2000)]).toEqual([true, false])
    memory.sleepUntil(Infinity)
    expect(memory.isAsleepAt(Number.MAX_SAFE_INTEGER)).toBe(true)
    memory.stayAwake()
    expect(memory.isAsleepAt(0)).toBe(false)
  })
})
