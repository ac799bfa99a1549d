/** Which of several workers is given a task, and what a preference may cost (W5 to W7). */
import { describe, expect, it } from 'vitest'
import { Blueprint } from '../src/blueprint/blueprint.ts'
import type { Engine } from '../src/engine/engine.ts'
import type { HandedTask } from '../src/engine/dispatch/handed-task.ts'
import { create, Hand, World } from './support/engine-world.ts'
import { openStorage, overlay } from './support/storage-under-test.ts'

function asking(dispatchStrategy: string, priority = 0): Blueprint {
  return new Blueprint(`asks_${dispatchStrategy}`)
    .state('start', { start: true }, ({ actions }) => {
      const transitions = { success: 'done' }
      actions.dispatchTask({ type: 'resize', transitions, dispatchStrategy, priority })
    })
    .state('done', { end: true })
}

interface Waiting {
  readonly hand: Hand
  readonly polled: Promise<readonly HandedTask[]>
}

/** Workers that all wait for a task, by what they say of themselves. */
async function waiting(
  engine: Engine,
  workers: Readonly<Record<string, object>>,
): Promise<Record<string, Waiting>> {
  const all: Record<string, Waiting> = {}
  for (const [workerId, said] of Object.entries(workers)) {
    const hand = await Hand.hire(engine, workerId, { ...said })
    all[workerId] = { hand, polled: hand.poll(30_000) }
  }
  return all
}

/** Who is handed the next task. */
async function taker(all: Readonly<Record<string, Waiting>>): Promise<string> {
  const taken = Object.entries(all).map(async ([workerId, { polled }]) => {
    await polled
    return workerId
  })
  return Promise.race(taken)
}

const PRICES = {
  dear: { cost_per_second: 3 },
  cheap: { cost_per_second: 1 },
  fair: { cost_per_second: 2 },
}

describe('the strategy of a dispatch', () => {
  it.each([
    ['cheapest', PRICES, 'cheap'],
    ['best_value', PRICES, 'cheap'],
    ['overflow', PRICES, 'cheap'],
    ['default', { cold: {}, warm: { hot_skills: ['resize'] } }, 'warm'],
    ['default', { first: {}, second: {} }, 'first'],
    ['unheard_of', PRICES, 'cheap'],
  ])('%s decides who of those that wait is given the task', async (strategy, workers, who) => {
    const world = new World()
    const engine = world.engine(asking(strategy))
    const all = await waiting(engine, workers)
    await create(engine, asking(strategy))
    expect(await taker(all)).toBe(who)
  })

  it('decides for a worker that waits at another orchestrator, too', async () => {
    const world = new World()
    const [here, there] = [world.engine(asking('cheapest')), world.engine(asking('cheapest'))]
    const near = await waiting(here, { near: { cost_per_second: 9 } })
    const far = await waiting(there, { far: { cost_per_second: 1 } })
    // One look at the registry, by which the orchestrators hear of each other's workers.
    await world.clock.advance(1_000)
    await create(here, asking('cheapest'))
    expect(await taker({ ...near, ...far })).toBe('far')
  })

  it('round_robin goes from one to the next, again and again', async () => {
    const world = new World()
    const engine = world.engine(asking('round_robin'))
    const hands = [await Hand.hire(engine, 'a'), await Hand.hire(engine, 'b')]
    const order: string[] = []
    for (let n = 0; n < 4; n += 1) {
      const polls = new Map(hands.map((hand) => [hand.workerId, new AbortController()]))
      const polled = hands.map(async (hand) => {
        const signal = polls.get(hand.workerId)?.signal
        const [handed] = await hand.poll(30_000, signal && { signal })
        if (handed === undefined) return
        order.push(hand.workerId)
        await hand.report(handed.task)
      })
      await create(engine, asking('round_robin'))
      await Promise.race(polled)
      for (const poll of polls.values()) poll.abort()
      await Promise.all(polled)
    }
    expect(order).toEqual(['a', 'b', 'a', 'b'])
  })

  it('follows a worker that comes later, or says something else, at once', async () => {
    const world = new World()
    const engine = world.engine(asking('cheapest'))
    const first = await waiting(engine, { first: { cost_per_second: 5 } })
    await create(engine, asking('cheapest'))
    expect(await taker(first)).toBe('first')
    const again = await waiting(engine, {
      first: { cost_per_second: 5 },
      second: { cost_per_second: 4 },
    })
    await create(engine, asking('cheapest'))
    expect(await taker(again)).toBe('second')
    await world.clock.advance(1)
    const other = await waiting(engine, { second: { cost_per_second: 9 } })
    await create(engine, asking('cheapest'))
    expect(await taker({ first: again['first'] as Waiting, ...other })).toBe('first')
  })

  it('overflow goes on to the next dearer worker also when the cheapest one waits for more', async () => {
    const world = new World()
    const blueprint = asking('overflow')
    const engine = world.engine(blueprint)
    const cheap = await Hand.hire(engine, 'cheap', { cost_per_second: 1 })
    for (let n = 0; n < 3; n += 1) {
      const polled = cheap.poll(30_000)
      await create(engine, blueprint)
      expect(await polled).toHaveLength(1)
    }
    const dear = await Hand.hire(engine, 'dear', { cost_per_second: 2 })
    const all = {
      cheap: { hand: cheap, polled: cheap.poll(30_000) },
      dear: { hand: dear, polled: dear.poll(30_000) },
    }
    await create(engine, blueprint)
    expect(await taker(all)).toBe('dear')
  })

  it('least_connections spreads what comes at once (D-43)', async () => {
    const world = new World()
    const blueprint = asking('least_connections')
    const engine = world.engine(blueprint)
    const hands = await Promise.all(['a', 'b', 'c'].map((id) => Hand.hire(engine, id)))
    for (let n = 0; n < 6; n += 1) await create(engine, blueprint)
    const taken = await Promise.all(hands.map((hand) => hand.poll(0, { max: 10 })))
    expect(taken.map((tasks) => tasks.length)).toEqual([2, 2, 2])
  })
})

describe('a preference', () => {
  it('for a worker that does not come costs 250 ms, once (W6)', async () => {
    const world = new World()
    const blueprint = asking('cheapest')
    const engine = world.engine(blueprint)
    await Hand.hire(engine, 'silent', { cost_per_second: 1 })
    const other = await Hand.hire(engine, 'other', { cost_per_second: 2 })
    const polled = other.poll(30_000)
    const first = await create(engine, blueprint)
    await world.clock.advance(249)
    expect(engine.dispatcher.waitingPolls).toBe(1)
    await world.clock.advance(1)
    expect(await polled).toMatchObject([{ task: { jobId: first } }])
    // It let one task pass by, and is not waited for until it is heard of.
    const second = await create(engine, blueprint)
    expect((await other.take()).jobId).toBe(second)
  })

  it('for a worker that lets tasks pass by holds again once it is heard of', async () => {
    const world = new World()
    const blueprint = asking('cheapest')
    const engine = world.engine(blueprint)
    const silent = await Hand.hire(engine, 'silent', { cost_per_second: 1 })
    const other = await Hand.hire(engine, 'other', { cost_per_second: 2 })
    await create(engine, blueprint)
    await world.clock.advance(250)
    await other.take()
    await world.clock.advance(1)
    await silent.beat()
    await create(engine, blueprint)
    expect(await other.poll()).toEqual([])
    expect(await silent.poll()).toHaveLength(1)
  })

  it('holds for a worker that waited here all the while, and was called too late', async () => {
    const storage = openStorage()
    let isSlow = true
    const world = new World({
      storage: overlay(storage, {
        onHint: (listener) =>
          storage.onHint((hint) => {
            const isCall = hint.kind === 'task' && hint.workerId !== undefined
            if (!isCall || !isSlow) listener(hint)
          }),
      }),
    })
    const blueprint = asking('round_robin')
    const engine = world.engine(blueprint)
    const all = await waiting(engine, { b: {}, a: {} })
    const next = async (): Promise<string> => {
      await create(engine, blueprint)
      await world.clock.advance(250)
      const workerId = await taker(all)
      const { hand } = all[workerId] ?? expect.unreachable()
      all[workerId] = { hand, polled: hand.poll(30_000) }
      return workerId
    }
    // It was a's turn, of which it was not told in time: who has waited longest has it.
    expect(await next()).toBe('b')
    isSlow = false
    expect([await next(), await next()]).toEqual(['b', 'a'])
  })

  it('is void as soon as its worker says goodbye (W7)', async () => {
    const world = new World()
    const blueprint = asking('cheapest')
    const engine = world.engine(blueprint)
    const leaving = await Hand.hire(engine, 'leaving', { cost_per_second: 1 })
    const polled = (await Hand.hire(engine, 'other', { cost_per_second: 2 })).poll(30_000)
    const jobId = await create(engine, blueprint)
    await leaving.beat({ status: 'offline' })
    expect(await polled).toMatchObject([{ task: { jobId } }])
  })

  it('does not hold for a worker that has just failed the task, or is draining', async () => {
    const world = new World()
    const blueprint = asking('cheapest')
    const engine = world.engine(blueprint)
    const failing = await Hand.hire(engine, 'failing', { cost_per_second: 1 })
    const draining = await Hand.hire(engine, 'draining', { cost_per_second: 2 })
    const other = await Hand.hire(engine, 'other', { cost_per_second: 3 })
    await draining.beat({ status: 'draining' })
    const jobId = await create(engine, blueprint)
    const error = { code: 'TRANSIENT_ERROR', message: 'no' }
    await failing.report(await failing.take(), { status: 'failure', error })
    await world.clock.advance(1_000)
    expect(await draining.poll()).toEqual([])
    expect(await failing.poll()).toEqual([])
    expect(await other.take()).toMatchObject({ jobId, attempt: 2 })
  })

  it('does not hold a task back from the others when the best has no room (W5)', async () => {
    const world = new World()
    const blueprint = asking('cheapest')
    const engine = world.engine(blueprint)
    const best = await Hand.hire(engine, 'best', { cost_per_second: 1, max_concurrent_tasks: 1 })
    const other = await Hand.hire(engine, 'other', { cost_per_second: 2 })
    await create(engine, blueprint)
    await best.take()
    await create(engine, blueprint)
    expect(await other.poll()).toHaveLength(1)
  })
})

describe('a strategy of the host', () => {
  it('decides, and one that throws keeps no task from its workers', async () => {
    const world = new World({
      strategies: new Map([
        [
          'dearest',
          (all) => ({ order: all.toSorted((a, b) => b.cost - a.cost).map((one) => one.workerId) }),
        ],
        [
          'broken',
          () => {
            throw new Error('no')
          },
        ],
      ]),
    })
    const engine = world.engine(asking('dearest'), asking('broken'))
    const all = await waiting(engine, PRICES)
    await create(engine, asking('dearest'))
    expect(await taker(all)).toBe('dear')
    const { cheap } = all
    await create(engine, asking('broken'))
    await create(engine, asking('broken'))
    expect(await cheap?.polled).toHaveLength(1)
    expect(world.warnings).toContain(
      'a strategy failed, and nobody is preferred; strategies must not throw',
    )
  })
})
