/** How many handlers run at a time, and when none does any more. */
import { expect, it } from 'vitest'
import { Blueprint } from '../src/blueprint/blueprint.ts'
import { create, Hand, OWNER, World } from './support/engine-world.ts'
import { openStorage, overlay, settled } from './support/storage-under-test.ts'

interface Held {
  readonly blueprint: Blueprint
  /** Handlers that run now, and the most that ever did. */
  readonly count: { running: number; most: number; begun: number }
  readonly release: () => void
}

/** Handlers that run until the test says so. */
function held(): Held {
  const count = { running: 0, most: 0, begun: 0 }
  let waiting: (() => void)[] = []
  const blueprint = new Blueprint('held')
    .state('start', { start: true }, async ({ actions }) => {
      count.running += 1
      count.begun += 1
      count.most = Math.max(count.most, count.running)
      await new Promise<void>((resolve) => waiting.push(resolve))
      count.running -= 1
      actions.goTo('done')
    })
    .state('done', { end: true })
  const release = (): void => {
    const all = waiting
    waiting = []
    for (const each of all) each()
  }
  return { blueprint, count, release }
}

/** A gate before a call of the store. */
function gate(): { readonly passed: () => Promise<void>; close: () => void; open: () => void } {
  let opened = Promise.resolve()
  let open = (): void => undefined
  return {
    passed: () => opened,
    close: () => {
      opened = new Promise((resolve) => (open = resolve))
    },
    open: () => open(),
  }
}

it('no more handlers run at a time than the engine may run, however they come', async () => {
  const claims = gate()
  const inner = openStorage()
  const storage = overlay(inner, {
    claimSteps: async (claim) => {
      const steps = await inner.claimSteps(claim)
      await claims.passed()
      return steps
    },
  })
  const { blueprint, count, release } = held()
  const world = new World({ storage, settings: { executorConcurrency: 1 } })
  // Made by an engine that runs nothing, so that the first step is to be claimed.
  const idle = world.engine(blueprint)
  await idle.stop()
  await create(idle, blueprint)
  claims.close()
  const engine = world.engine(blueprint)
  // Its own job, while the claim is under way.
  const created = engine.createJob({ blueprint: blueprint.define(), initialData: {}, owner: OWNER })
  await created
  claims.open()
  await world.clock.advance(1_000)
  expect(count.running).toBe(1)
  release()
  await world.clock.advance(2_000)
  release()
  await world.clock.advance(2_000)
  expect(count).toEqual({ running: 0, most: 1, begun: 2 })
})

it('an engine that has stopped begins no handler, and its last step waits for nobody', async () => {
  const commits = gate()
  const inner = openStorage()
  const storage = overlay(inner, {
    commit: async (entries) => {
      const outcomes = await inner.commit(entries)
      await commits.passed()
      return outcomes
    },
  })
  const { blueprint, count, release } = held()
  const world = new World({ storage })
  const engine = world.engine(blueprint)
  await settled()
  commits.close()
  const created = engine.createJob({ blueprint: blueprint.define(), initialData: {}, owner: OWNER })
  await settledBut()
  const stopped = engine.stop()
  commits.open()
  const { jobId } = await created
  await stopped
  await settled()
  expect(count.begun).toBe(0)
  world.engine(blueprint)
  await world.clock.advance(1_000)
  expect(count.begun).toBe(1)
  release()
  await settled()
  expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
})

it('a step whose write was not answered is not given away again once it runs here', async () => {
  let fails = false
  const given: string[] = []
  const inner = openStorage()
  const storage = overlay(inner, {
    commit: (entries) => {
      if (fails) return Promise.reject(new Error('the answer was lost'))
      return inner.commit(entries)
    },
    releaseStep: (step) => {
      given.push(step.stepId)
      return inner.releaseStep(step)
    },
  })
  let begun = 0
  const world = new World({ storage })
  const blueprint = new Blueprint('asks')
    .state('start', { start: true }, ({ actions }) => {
      actions.dispatchTask({ type: 'resize', transitions: { success: 'then' } })
    })
    .state('then', async () => {
      begun += 1
      await new Promise(() => undefined)
    })
  const engine = world.engine(blueprint)
  const hand = await Hand.hire(engine)
  const jobId = await create(engine, blueprint)
  const task = await hand.take()
  fails = true
  await expect(hand.report(task, { status: 'success' })).rejects.toThrow('lost')
  fails = false
  await hand.report(task, { status: 'success' })
  await world.clock.advance(5_000)
  expect({ given, begun }).toEqual({ given: [], begun: 1 })
  expect(await world.job(jobId)).toMatchObject({ state: 'then' })
})

/** Lets the event loop turn, without waiting for a call that is held. */
async function settledBut(): Promise<void> {
  for (let n = 0; n < 20; n += 1) await new Promise((resolve) => setImmediate(resolve))
}
