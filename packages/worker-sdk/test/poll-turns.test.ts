import { describe, expect, it } from 'vitest'

import { PollTurns, PROBE_MS, PROBE_WAIT_MS, SLICE_MS, type Turn } from '../src/poll-turns.ts'
import { Wake } from '../src/wake.ts'
import { ManualClock } from './manual-clock.ts'

type Mode = 'FAILOVER' | 'WATERFALL' | 'ROUND_ROBIN'

const LONG_MS = 30_000

/** Orchestrators that share slots. `ask` tells whose turn came, in order. */
function table(mode: Mode, free: number, weights: readonly number[] = [1, 1]) {
  const clock = new ManualClock()
  const slots = { free, changed: new Wake() }
  const turns = new PollTurns({ slots, mode, clock, pollTimeoutMs: LONG_MS })
  const joins = weights.map((weight) => turns.join(weight))
  const granted = new Map<number, Turn>()
  const abort = new AbortController()
  const ask = (seat: number): void => {
    void joins[seat]?.(abort.signal).then((turn) => {
      if (turn !== undefined) granted.set(seat, turn)
    })
  }
  /** Who has a turn now. */
  const holders = async (): Promise<number[]> => {
    await new Promise((resolve) => setImmediate(resolve))
    return [...granted.keys()].sort()
  }
  const end = (seat: number, came: 'tasks' | 'nothing' | 'failure'): void => {
    const turn = granted.get(seat)
    granted.delete(seat)
    turn?.end(came)
  }
  /** The turn brings a task; its orchestrator asks again while the task runs; then the task ends. */
  const work = async (seat: number): Promise<void> => {
    slots.free -= 1
    end(seat, 'tasks')
    ask(seat)
    await holders()
    slots.free += 1
    slots.changed.notify()
  }
  return {
    clock,
    slots,
    ask,
    holders,
    end,
    work,
    turnOf: (seat: number) => granted.get(seat),
    abort,
  }
}

describe('turns of several orchestrators', () => {
  it('give a single orchestrator all free slots and the whole waiting time', async () => {
    const { ask, holders, turnOf } = table('FAILOVER', 7, [1])
    ask(0)
    expect(await holders()).toEqual([0])
    expect(turnOf(0)).toMatchObject({ max: 7, timeoutMs: LONG_MS })
  })

  it('poll all at the same time when there are slots: none waits for another (D-17)', async () => {
    const { ask, holders, turnOf } = table('FAILOVER', 10)
    ask(0)
    ask(1)
    expect(await holders()).toEqual([0, 1])
    expect([turnOf(0)?.max, turnOf(1)?.max]).toEqual([1, 1])
  })

  it('never ask for more tasks together than there are slots', async () => {
    const { ask, holders, end, turnOf } = table('FAILOVER', 3)
    ask(0)
    ask(1)
    await holders()
    end(0, 'tasks')
    ask(0)
    expect(await holders()).toEqual([0, 1])
    expect((turnOf(0)?.max ?? 0) + (turnOf(1)?.max ?? 0)).toBe(3)
  })

  it('pass the last slot to and fro in slices while nobody has work', async () => {
    const { ask, holders, end, turnOf } = table('FAILOVER', 1)
    ask(0)
    ask(1)
    expect(await holders()).toEqual([0])
    expect(turnOf(0)?.timeoutMs).toBe(SLICE_MS)
    end(0, 'nothing')
    ask(0)
    expect(await holders()).toEqual([1])
    end(1, 'nothing')
    ask(1)
    expect(await holders()).toEqual([0])
  })

  it('give the slot at once to the other when one fails, and back when it asks again', async () => {
    const { ask, holders, end } = table('FAILOVER', 1)
    ask(0)
    ask(1)
    await holders()
    end(0, 'failure')
    expect(await holders()).toEqual([1])
    end(1, 'tasks')
    ask(1)
    expect(await holders()).toEqual([1])
  })

  it('probe the one without work only now and then, and shortly, while another has plenty', async () => {
    const { clock, ask, holders, end, work, turnOf } = table('FAILOVER', 1)
    ask(0)
    ask(1)
    await holders()
    end(0, 'nothing')
    ask(0)
    await holders()
    for (let turn = 0; turn < 5; turn += 1) {
      await work(1)
      expect(await holders()).toEqual([1])
    }
    clock.advance(PROBE_MS)
    await work(1)
    expect(await holders()).toEqual([0])
    expect(turnOf(0)?.timeoutMs).toBe(PROBE_WAIT_MS)
  })

  it('prefer the better priority in FAILOVER when both have work', async () => {
    const { ask, holders, work } = table('FAILOVER', 1)
    ask(0)
    await holders()
    ask(1)
    for (let turn = 0; turn < 4; turn += 1) {
      await work(0)
      expect(await holders()).toEqual([0])
    }
  })

  it('keep the others waiting in WATERFALL as long as a better one has work', async () => {
    const { ask, holders, end, turnOf } = table('WATERFALL', 10)
    ask(0)
    await holders()
    end(0, 'tasks')
    ask(0)
    ask(1)
    expect(await holders()).toEqual([0])
    end(0, 'tasks')
    ask(0)
    expect(await holders()).toEqual([0])
    expect(turnOf(0)?.timeoutMs).toBe(PROBE_WAIT_MS)
    end(0, 'nothing')
    expect(await holders()).toEqual([1])
  })

  it('follow the weights in ROUND_ROBIN', async () => {
    const { ask, holders, work } = table('ROUND_ROBIN', 1, [2, 1])
    const order: number[] = []
    ask(0)
    ask(1)
    for (let turn = 0; turn < 9; turn += 1) {
      const [holder = -1] = await holders()
      order.push(holder)
      await work(holder)
    }
    expect(order.filter((seat) => seat === 0)).toHaveLength(6)
    expect(order.filter((seat) => seat === 1)).toHaveLength(3)
  })

  it('give back what was granted to one who left', async () => {
    const { slots, ask, holders, abort } = table('FAILOVER', 0)
    ask(0)
    expect(await holders()).toEqual([])
    abort.abort()
    slots.free = 1
    slots.changed.notify()
    expect(await holders()).toEqual([])
  })

  it.each<[Mode, number]>([
    ['FAILOVER', 1],
    ['WATERFALL', 2],
    ['ROUND_ROBIN', 3],
  ])('never give more than there is, whatever happens (%s, seed %i)', async (mode, seed) => {
    const SLOTS = 5
    let state = seed
    const pick = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
      return (state >>> 8) % below
    }
    const { clock, slots, ask, holders, end, turnOf } = table(mode, SLOTS, [1, 2, 3])
    const asking = new Set<number>()
    for (let step = 0; step < 500; step += 1) {
      const seat = pick(3)
      const turn = turnOf(seat)
      if (turn !== undefined && pick(2) === 0) {
        const came = (['tasks', 'nothing', 'failure'] as const)[pick(3)] ?? 'nothing'
        if (came === 'tasks') slots.free -= turn.max
        asking.delete(seat)
        end(seat, came)
      } else if (!asking.has(seat)) {
        asking.add(seat)
        ask(seat)
      } else if (slots.free < SLOTS && pick(2) === 0) {
        slots.free += 1
        slots.changed.notify()
      }
      clock.advance(pick(2000))
      const held = (await holders()).reduce((sum, holder) => sum + (turnOf(holder)?.max ?? 0), 0)
      expect(held).toBeLessThanOrEqual(slots.free)
      // Nobody waits next to a free slot, but behind a better one that has work.
      if (mode !== 'WATERFALL' && held < slots.free)
        expect(await holders()).toHaveLength(asking.size)
    }
  })
})
