/** What it costs that workers wait (W9): the store is asked per orchestrator, not per worker. */
import { describe, expect, it } from 'vitest'
import type { Storage } from '../src/ports/storage.ts'
import { create, Hand, oneTask, World } from './support/engine-world.ts'
import { openStorage, overlay } from './support/storage-under-test.ts'

/** Counts the calls of a store by name. */
function counted(storage: Storage): {
  readonly storage: Storage
  readonly calls: Map<string, number>
} {
  const calls = new Map<string, number>()
  const watched = new Proxy(storage, {
    get: (target, name, receiver) => {
      const value: unknown = Reflect.get(target, name, receiver)
      if (typeof value !== 'function') return value
      return (...args: readonly unknown[]): unknown => {
        calls.set(String(name), (calls.get(String(name)) ?? 0) + 1)
        return value.apply(target, args)
      }
    },
  })
  return { storage: watched, calls }
}

/** Calls of the store while so many workers wait for half a minute, poll after poll. */
async function callsWhileWaiting(workers: number): Promise<Map<string, number>> {
  const { storage, calls } = counted(openStorage())
  const world = new World({ storage })
  const engine = world.engine(oneTask())
  const ids = Array.from({ length: workers }, (_, n) => `w-${String(n)}`)
  const hands = await Promise.all(ids.map((id) => Hand.hire(engine, id)))
  // So that the class of the task is known, and has nothing on offer.
  await create(engine, oneTask())
  await hands[0]?.take()
  await world.clock.advance(2_000)
  calls.clear()
  for (let n = 0; n < 3; n += 1) {
    const polls = hands.map((hand) => hand.poll(10_000))
    await world.clock.advance(10_000)
    expect((await Promise.all(polls)).flat()).toEqual([])
  }
  return calls
}

describe('workers that wait', () => {
  it('cost the store nothing, however many there are', async () => {
    const [few, many] = [await callsWhileWaiting(1), await callsWhileWaiting(100)]
    expect(Object.fromEntries(many)).toEqual(Object.fromEntries(few))
    expect(many.get('claimTasks') ?? 0).toBe(0)
    expect(many.get('findWorker') ?? 0).toBe(0)
    // What is left: one look per second for all of them.
    expect(many.get('listTaskClasses')).toBe(30)
    expect(many.get('changedWorkers')).toBe(30)
  })

  it('are found by a task all the same when its hint was lost', async () => {
    const storage = overlay(openStorage(), { onHint: () => () => undefined })
    const world = new World({ storage })
    const engine = world.engine(oneTask())
    const polled = (await Hand.hire(engine)).poll(30_000)
    const jobId = await create(engine, oneTask())
    await world.clock.advance(3_000)
    expect(await polled).toMatchObject([{ task: { jobId } }])
  })

  it('do not all look for a task that another orchestrator was quicker to hand out', async () => {
    const { storage, calls } = counted(openStorage())
    const world = new World({ storage })
    const engine = world.engine(oneTask())
    const ids = Array.from({ length: 100 }, (_, n) => `w-${String(n)}`)
    const hands = await Promise.all(ids.map((id) => Hand.hire(engine, id)))
    const polls = hands.map((hand) => hand.poll(10_000))
    await world.clock.advance(2_000)
    calls.clear()
    const demand = { type: 'resize' }
    engine.dispatcher.offered({ kind: 'task', classId: 'resize', demand })
    await world.clock.advance(500)
    expect(calls.get('claimTasks')).toBeLessThanOrEqual(10)
    await world.clock.advance(10_000)
    expect((await Promise.all(polls)).flat()).toEqual([])
  })

  it('ask one question together when they come before the first look', async () => {
    const { storage, calls } = counted(openStorage())
    const world = new World({ storage })
    const hands = await Promise.all(
      Array.from({ length: 50 }, (_, n) => Hand.hire(world.engine(oneTask()), `w-${String(n)}`)),
    )
    expect(hands).toHaveLength(50)
    calls.clear()
    const late = world.engine(oneTask())
    const polls = hands.map(({ workerId }) => new Hand(late, workerId).poll(0))
    await Promise.all(polls)
    expect(calls.get('changedWorkers')).toBeLessThanOrEqual(2)
  })

  it('are all found within seconds when many hints were lost', async () => {
    const storage = overlay(openStorage(), { onHint: () => () => undefined })
    const world = new World({ storage })
    const engine = world.engine(oneTask())
    const offering = world.engine(oneTask())
    const ids = Array.from({ length: 50 }, (_, n) => `w-${String(n)}`)
    const hands = await Promise.all(ids.map((id) => Hand.hire(engine, id)))
    const polls = hands.map((hand) => hand.poll(30_000))
    await world.clock.advance(2_000)
    for (let n = 0; n < 50; n += 1) await create(offering, oneTask())
    await world.clock.advance(3_000)
    expect(engine.dispatcher.waitingPolls).toBe(0)
    await world.clock.advance(30_000)
    await Promise.all(polls)
  })
})
