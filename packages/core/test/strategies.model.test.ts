/** Strategies against a model of their formulas, written as comparisons of two workers (W5). */
import type { JsonObject } from '@avtomatika/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { choose, rank, rankBy, type Strategy } from '../src/engine/matching/strategies.ts'
import type { TaskDemand } from '../src/job/task.ts'
import type { Reservation } from '../src/ports/task-store.ts'
import type { WorkerRecord } from '../src/ports/worker-record.ts'
import { aWorker } from '../src/testing/builders.ts'

const MOST = 32

interface Facts {
  readonly id: string
  readonly cost: number
  readonly reputation: number
  readonly load: number
  readonly slots: number
  readonly hot: 'skill' | 'model' | 'no'
  readonly able: boolean
}

const facts = fc
  .uniqueArray(
    fc.record({
      id: fc.stringMatching(/^[a-z]{1,4}$/),
      cost: fc.constantFrom(0, 0.5, 1, 2, 7, Infinity),
      reputation: fc.constantFrom(0, 0.3, 0.5, 1),
      load: fc.nat(4),
      slots: fc.integer({ min: 1, max: 6 }),
      hot: fc.constantFrom<Facts['hot']>('skill', 'model', 'no'),
      able: fc.boolean(),
    }),
    { selector: ({ id }) => id, maxLength: 40 },
  )
  .map((all): readonly Facts[] => all)

const DEMAND: TaskDemand = { type: 'resize', resources: { installed_models: ['sdxl'] } }

function recordOf({ id, cost, reputation, load, slots, hot }: Facts): WorkerRecord {
  const registration: JsonObject = cost === Infinity ? {} : { cost_per_second: cost }
  const hotSkills = hot === 'skill' ? ['resize'] : hot === 'model' ? ['sdxl'] : []
  const fields = { reputation, load, hotSkills, registration, maxConcurrentTasks: slots }
  return aWorker({ workerId: id, ...fields })
}

/** Each formula as: is one worker asked before another? Equal ones go by name. */
const BEFORE: Readonly<Record<string, (a: Facts, b: Facts) => number>> = {
  round_robin: () => 0,
  least_connections: (a, b) => less(a.load, b.load),
  cheapest: (a, b) => less(a.cost, b.cost),
  overflow: (a, b) => less(a.cost, b.cost),
  best_value: (a, b) => less(value(a), value(b)),
  default: (a, b) =>
    less(heat(b), heat(a)) || less(a.cost, b.cost) || less(b.reputation, a.reputation),
}

function less(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function value({ cost, reputation }: Facts): number {
  return reputation === 0 ? Infinity : cost / reputation
}

function heat({ hot }: Facts): number {
  return { skill: 2, model: 1, no: 0 }[hot]
}

/** Picks the first, then the first of the rest, and so on: no sorting, no caching. */
function modelOrder(strategy: string, all: readonly Facts[]): readonly Facts[] {
  const before = BEFORE[strategy] ?? BEFORE['default']
  const left = [...all]
  const order: Facts[] = []
  while (left.length > 0) {
    const [next = left[0]] = left.filter((one) =>
      left.every((other) => {
        const verdict = before?.(one, other) ?? 0
        return verdict < 0 || (verdict === 0 && one.id <= other.id)
      }),
    )
    if (next === undefined) break
    order.push(next)
    left.splice(left.indexOf(next), 1)
  }
  return order
}

function choice(
  strategy: string,
  all: readonly Facts[],
): Pick<Reservation, 'choose' | 'candidates'> | undefined {
  const able = new Set(all.filter((one) => one.able).map(({ id }) => id))
  const ranking = rank(strategy, all.map(recordOf), DEMAND)
  return choose(ranking, { isAble: ({ workerId }) => able.has(workerId) })
}

describe.each(Object.keys(BEFORE))('%s', (strategy) => {
  it('asks the able workers in the order of its formula', () => {
    fc.assert(
      fc.property(facts, (all) => {
        const able = modelOrder(strategy, all).filter((one) => one.able)
        const [first, last] = [able[0], able.at(-1)]
        const chosen = choice(strategy, all)
        const areAlike =
          strategy === 'default' &&
          first !== undefined &&
          last !== undefined &&
          BEFORE['default']?.(first, last) === 0
        if (able.length === 0 || areAlike) {
          expect(chosen).toBeUndefined()
          return
        }
        const cap = strategy === 'overflow' ? 3 : Infinity
        // Of more than can be named, turns go on to others: which ones is told elsewhere.
        if (strategy === 'round_robin' && all.length > MOST) {
          expect(chosen?.candidates.length).toBe(Math.min(MOST, able.length))
          return
        }
        expect(chosen?.candidates).toEqual(
          able
            .slice(0, MOST)
            .map(({ id, slots }) => ({ workerId: id, capacity: Math.min(slots, cap) })),
        )
      }),
      { numRuns: 300 },
    )
  })
})

describe('a strategy of the host', () => {
  const workers = [
    aWorker({
      workerId: 'a',
      registration: { cost_per_second: 2 },
      hotSkills: ['resize'],
      load: 4,
    }),
    aWorker({ workerId: 'b', registration: { gpu: 'x' }, reputation: 0.5 }),
  ]
  const ask = (strategy: Strategy): ReturnType<typeof choose> =>
    choose(rankBy(strategy, workers, { type: 'resize' }), { isAble: () => true })

  it('sees what workers cost, hold and are worth', () => {
    let seen: unknown
    ask((all, demand) => {
      seen = { all, demand }
      return undefined
    })
    expect(seen).toMatchObject({
      demand: { type: 'resize' },
      all: [
        { workerId: 'a', cost: 2, isWarm: true, load: 4, reputation: 1 },
        {
          workerId: 'b',
          cost: Infinity,
          isWarm: false,
          reputation: 0.5,
          registration: { gpu: 'x' },
        },
      ],
    })
  })

  it('decides who is asked, in which manner, and up to how many tasks', () => {
    expect(ask(() => ({ order: ['b', 'a'], choose: 'least_held', softLimit: 2 }))).toEqual({
      choose: 'least_held',
      candidates: [
        { workerId: 'b', capacity: 2 },
        { workerId: 'a', capacity: 2 },
      ],
    })
  })

  it('names others in vain, and each only once', () => {
    expect(ask(() => ({ order: ['x', 'b', 'b'] }))?.candidates).toEqual([
      { workerId: 'b', capacity: 10 },
    ])
    expect(ask(() => ({ order: ['x'] }))).toBeUndefined()
    expect(ask(() => undefined)).toBeUndefined()
  })

  it('is not taken at its word when that makes no sense', () => {
    const chosen = ask(() => ({ order: ['a'], choose: 'worst' as 'best', softLimit: -1 }))
    expect(chosen).toEqual({ choose: 'best', candidates: [{ workerId: 'a', capacity: 10 }] })
  })
})
