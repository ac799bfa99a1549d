/** No live job is ever without something that will wake it; if one is, it is found and helped. */
import { describe, expect, it } from 'vitest'
import { Blueprint } from '../src/blueprint/blueprint.ts'
import type { Engine } from '../src/engine/engine.ts'
import { create, Hand, oneTask, World } from './support/engine-world.ts'
import { openStorage, overlay } from './support/storage-under-test.ts'

/** A minute of quiet, and the round after it. */
const FOUND_MS = 60_000 + 10_000

const sleeper = new Blueprint('sleeper')
  .state('start', { start: true }, ({ actions }) => {
    actions.sleep({ seconds: 90, next: 'done' })
  })
  .state('done', { end: true })

const parent = new Blueprint('parent')
  .state('start', { start: true }, ({ actions }) => {
    actions.runBlueprint({ name: 'order', transitions: { success: 'done', failure: 'failed' } })
  })
  .state('done', { end: true })
  .state('failed', { end: true })

const spread = new Blueprint('spread')
  .state('start', { start: true }, ({ actions }) => {
    const tasks = [1, 2, 3].map((n) => ({ type: 'resize', params: { n } }))
    actions.dispatchParallel({ tasks, aggregateInto: 'collect' })
  })
  .aggregator('collect', ({ branches, actions }) => {
    actions.updateContext({ seen: branches.length })
    actions.goTo('done')
  })
  .state('done', { end: true }, ({ stateHistory }) => stateHistory['seen'])

async function rearmed(engine: Engine): Promise<number> {
  const figure = /^orchestrator_jobs_rearmed_total (\d+)$/m.exec(await engine.metrics.render())
  return Number(figure?.[1])
}

describe('a live job', () => {
  it('is never found without something to wake it, whatever it waits for', async () => {
    const world = new World()
    const waits = new Blueprint('waits')
      .state('start', { start: true }, ({ actions }) => {
        actions.waitForEvent({ name: 'paid', transitions: { received: 'done' } })
      })
      .state('done', { end: true })
    const all = [oneTask(), sleeper, parent, spread, waits]
    const engine = world.engine(...all)
    for (const blueprint of all) await create(engine, blueprint)
    const hand = await Hand.hire(engine)
    await hand.take()
    await world.clock.advance(10 * FOUND_MS)
    expect(await rearmed(engine)).toBe(0)
  })

  it('whose step was lost runs it after all', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    await engine.stop()
    const jobId = await create(engine, oneTask())
    await world.storage.dropStep(`${jobId}-s1`)
    engine.start()
    await world.clock.advance(FOUND_MS)
    expect(await world.job(jobId)).toMatchObject({ status: 'waiting_for_worker' })
    expect(await rearmed(engine)).toBe(1)
    expect(await world.records(jobId)).toContain('job_rearmed')
  })

  it('whose task was lost offers it again, under its old id', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const jobId = await create(engine, oneTask())
    const hand = await Hand.hire(engine)
    const { wait } = await world.job(jobId)
    await world.storage.dropTask(wait?.for === 'task' ? wait.taskId : '')
    expect(await hand.poll()).toEqual([])
    await world.clock.advance(FOUND_MS)
    await hand.report(await hand.take())
    expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
    expect(await rearmed(engine)).toBe(1)
  })

  it('whose branches were lost offers those and no others', async () => {
    const world = new World({ settings: { workerHealthIntervalMs: 600_000 } })
    const engine = world.engine(spread)
    const jobId = await create(engine, spread)
    const hand = await Hand.hire(engine)
    const [one, two] = [await hand.take(), await hand.take()]
    await world.storage.dropTask(two.taskId)
    await world.clock.advance(FOUND_MS)
    const rest = (await hand.poll(0, { max: 9 })).map(({ task }) => task)
    // The lost one was in somebody's hands, so that it is a new attempt now.
    expect(rest.map(({ params, attempt }) => [params['n'], attempt])).toEqual([
      [3, 1],
      [2, 2],
    ])
    for (const task of [one, ...rest]) await hand.report(task)
    expect(await world.job(jobId)).toMatchObject({ status: 'finished', result: 3 })
    expect(await rearmed(engine)).toBe(1)
  })

  it('whose timer was lost is woken in time', async () => {
    const world = new World()
    const engine = world.engine(sleeper)
    const jobId = await create(engine, sleeper)
    const at = world.clock.now() + 90_000
    await world.storage.claimDueDeadlines({ now: at, leaseMs: 1, limit: 1 })
    await world.storage.dropDeadline({ jobId, key: 'wait', at })
    await world.clock.advance(90_000)
    expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
    expect(await rearmed(engine)).toBe(1)
  })

  it('whose child ended without its knowing goes on with it', async () => {
    const world = new World()
    const engine = world.engine(parent, oneTask())
    const jobId = await create(engine, parent)
    const childId = (await world.job(jobId)).wait
    if (childId?.for !== 'child') throw new Error('The parent does not wait for its child.')
    const hand = await Hand.hire(engine)
    const task = await hand.take()
    await engine.stop()
    await hand.report(task)
    const word = { now: world.clock.now(), leaseMs: 1, limit: 9 }
    // The child's last step, and the word of its end, which nobody hears.
    const child = await world.job(childId.childId)
    expect(child.wait).toBeNull()
    const messages = await world.storage.claimMessages(word)
    await world.storage.ackMessages(messages.map(({ messageId }) => messageId))
    engine.start()
    await world.clock.advance(FOUND_MS)
    expect(await world.job(jobId)).toMatchObject({ status: 'finished', state: 'done' })
    expect(await rearmed(engine)).toBe(1)
  })

  it('whose child was lost altogether is told so, when an hour has brought nothing', async () => {
    const real = openStorage()
    const storage = overlay(real, {
      // The word to make the child is taken away before anybody can hear it.
      claimMessages: async (claim) => {
        const messages = await real.claimMessages(claim)
        await real.ackMessages(messages.map(({ messageId }) => messageId))
        return []
      },
    })
    const world = new World({ storage })
    const engine = world.engine(parent, oneTask())
    const jobId = await create(engine, parent)
    await world.clock.advance(3_600_000 - 1)
    expect(await world.job(jobId)).toMatchObject({ wait: { for: 'child' } })
    await world.clock.advance(15 * 60_000)
    expect(await world.job(jobId)).toMatchObject({ status: 'failed', state: 'failed' })
    expect(await rearmed(engine)).toBe(1)
  })
})
