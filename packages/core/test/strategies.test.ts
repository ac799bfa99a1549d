/** Whom a strategy prefers (W5). */
import type { JsonObject } from '@avtomatika/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { choose, rank } from '../src/engine/matching/strategies.ts'
import type { TaskDemand } from '../src/job/task.ts'
import type { WorkerRecord } from '../src/ports/worker-record.ts'
import { aWorker } from '../src/testing/builders.ts'

const DEMAND = { type: 'resize' }

function worker(
  workerId: string,
  registration: JsonObject = {},
  fields: Partial<WorkerRecord> = {},
): WorkerRecord {
  return aWorker({ workerId, registration, ...fields })
}

function chooseAmong(
  strategy: string,
  workers: readonly WorkerRecord[],
  demand: TaskDemand,
): ReturnType<typeof choose> {
  return choose(rank(strategy, workers, demand), { isAble: () => true })
}

function names(strategy: string, workers: readonly WorkerRecord[]): string[] | undefined {
  return chooseAmong(strategy, workers, DEMAND)?.candidates.map(({ workerId }) => workerId)
}

const priced = (workerId: string, cost: number, fields: Partial<WorkerRecord> = {}): WorkerRecord =>
  worker(workerId, { cost_per_second: cost }, fields)

describe('cheapest', () => {
  it('asks the cheapest first, and who names no price last', () => {
    const workers = [worker('silent'), priced('dear', 3), priced('cheap', 1), priced('fair', 2)]
    expect(names('cheapest', workers)).toEqual(['cheap', 'fair', 'dear', 'silent'])
  })

  it('goes by the price of the skill before the price in general', () => {
    const special = worker('special', {
      cost_per_second: 9,
      capabilities: { cost_per_skill: { resize: 0.5 } },
    })
    expect(names('cheapest', [priced('cheap', 1), special])).toEqual(['special', 'cheap'])
  })

  it('gives it to the first with room', () => {
    expect(chooseAmong('cheapest', [priced('a', 1)], DEMAND)).toEqual({
      choose: 'best',
      candidates: [{ workerId: 'a', capacity: 10 }],
    })
  })
})

describe('best_value', () => {
  it('weighs the price against the reputation', () => {
    const workers = [priced('cheap', 1, { reputation: 0.2 }), priced('good', 2, { reputation: 1 })]
    expect(names('best_value', workers)).toEqual(['good', 'cheap'])
  })

  it('asks those without any reputation last, whatever they cost', () => {
    const workers = [priced('free', 0, { reputation: 0 }), priced('dear', 99)]
    expect(names('best_value', workers)).toEqual(['dear', 'free'])
  })
})

describe('overflow', () => {
  it('fills the cheapest up to three tasks before the next', () => {
    const workers = [priced('b', 2), priced('a', 1), priced('c', 3, { maxConcurrentTasks: 2 })]
    expect(chooseAmong('overflow', workers, DEMAND)).toEqual({
      choose: 'best',
      candidates: [
        { workerId: 'a', capacity: 3 },
        { workerId: 'b', capacity: 3 },
        { workerId: 'c', capacity: 2 },
      ],
    })
  })
})

describe('least_connections', () => {
  it('leaves it to the store, which knows who holds least at the moment (D-43)', () => {
    const workers = [worker('b', {}, { load: 2 }), worker('a', {}, { load: 7 })]
    const choice = chooseAmong('least_connections', workers, DEMAND)
    expect(choice?.choose).toBe('least_held')
    expect(choice?.candidates.map(({ workerId }) => workerId)).toEqual(['b', 'a'])
  })
})

describe('round_robin', () => {
  it('takes turns in an order that is the same for everybody', () => {
    const workers = [worker('c'), worker('a'), worker('b')]
    expect(chooseAmong('round_robin', workers, DEMAND)?.choose).toBe('turn')
    expect(names('round_robin', workers)).toEqual(['a', 'b', 'c'])
    expect(names('round_robin', workers.toReversed())).toEqual(['a', 'b', 'c'])
  })

  it('comes round to each of more workers than can be named to the store', () => {
    const workers = Array.from({ length: 100 }, (_, n) => worker(`w-${String(n).padStart(2, '0')}`))
    const ranking = rank('round_robin', workers, DEMAND)
    const chosen = Array.from({ length: 320 }, (_, turn) => {
      const candidates = choose(ranking, { isAble: () => true, turn })?.candidates ?? []
      // As the store does it, one after the other.
      return candidates[turn % candidates.length]?.workerId
    })
    const times = workers.map(({ workerId }) => chosen.filter((id) => id === workerId).length)
    expect([Math.min(...times), Math.max(...times)]).toEqual([3, 4])
  })
})

describe.each(['default', 'my_own'])('the strategy %s', (strategy) => {
  it('leaves it open when all are alike: the first that comes is as good', () => {
    expect(names(strategy, [worker('a'), worker('b')])).toBeUndefined()
    expect(names(strategy, [priced('a', 1), priced('b', 1)])).toBeUndefined()
    expect(names(strategy, [worker('a')])).toBeUndefined()
  })

  it('asks those with the model loaded first, then by price, then by reputation', () => {
    const hotSkills = ['resize']
    const workers = [
      priced('cold', 1),
      priced('warm', 5, { hotSkills }),
      priced('warmer', 2, { hotSkills, reputation: 0.5 }),
      priced('warmest', 2, { hotSkills }),
    ]
    expect(names(strategy, workers)).toEqual(['warmest', 'warmer', 'warm', 'cold'])
  })
})

it('a strategy names workers once each, at most 32, and only those that were given', () => {
  const strategies = ['round_robin', 'least_connections', 'cheapest', 'best_value', 'overflow', 'x']
  const anyWorker = fc.record({
    cost: fc.option(fc.double({ min: 0, max: 9, noNaN: true })),
    reputation: fc.double({ min: 0, max: 1, noNaN: true }),
    load: fc.nat(9),
    hot: fc.boolean(),
  })
  const some = fc.array(anyWorker, { maxLength: 50 })
  fc.assert(
    fc.property(fc.constantFrom(...strategies), some, (strategy, all) => {
      const workers = all.map(({ cost, reputation, load, hot }, n) => {
        const said = cost === null ? {} : { cost_per_second: cost }
        const hotSkills = hot ? ['resize'] : []
        return worker(`w-${String(n)}`, said, { reputation, load, hotSkills })
      })
      const chosen = names(strategy, workers) ?? []
      expect(chosen.length).toBe(new Set(chosen).size)
      if (strategy !== 'x') expect(chosen.length).toBe(Math.min(32, workers.length))
      const known = new Set(workers.map(({ workerId }) => workerId))
      expect(chosen.filter((id) => !known.has(id))).toEqual([])
    }),
  )
})
