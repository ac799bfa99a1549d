/** Statuses that a blueprint waits for and no worker promises, and the other way round. */
import { describe, expect, it } from 'vitest'
import { Blueprint } from '../src/index.ts'
import { create, Hand, World } from './support/engine-world.ts'

function review(): Blueprint {
  return new Blueprint('review')
    .state('start', { start: true }, ({ actions }) => {
      const transitions = { success: 'done', needs_review: 'done', failure: 'failed' }
      actions.dispatchTask({ type: 'read', transitions })
    })
    .state('done', { end: true })
    .state('failed', { end: true })
}

function skill(...statuses: readonly string[]): object {
  return { supported_skills: [{ name: 'read', output_statuses: statuses }] }
}

function aboutTransitions({ warnings }: World): readonly string[] {
  return warnings.filter((warning) => warning.includes('has a transition for a status'))
}

function aboutResults({ warnings }: World): readonly string[] {
  return warnings.filter((warning) => warning.includes('returned a status'))
}

describe('a transition for a status that no worker declares', () => {
  it('is told once, and the job goes on', async () => {
    const world = new World()
    const engine = world.engine(review())
    const hand = await Hand.hire(engine, 'w-1', { ...skill('unreadable') })
    await Hand.hire(engine, 'w-2', { ...skill() })
    const jobs = [await create(engine, review()), await create(engine, review())]
    expect(aboutTransitions(world)).toHaveLength(1)
    await hand.report(await hand.take(), { status: 'success' })
    await hand.report(await hand.take(), { status: 'success' })
    for (const id of jobs) expect((await world.job(id)).status).toBe('finished')
  })

  it.each([
    ['one of the workers declares it', [skill('unreadable'), skill('needs_review')]],
    ['one may return anything', [skill('unreadable'), { supported_skills: ['read'] }]],
    ['nobody is there who could do it', [{ supported_skills: [{ name: 'other' }] }]],
  ])('is none if %s', async (_when, workers) => {
    const world = new World()
    const engine = world.engine(review())
    for (const [n, said] of workers.entries()) await Hand.hire(engine, `w-${n}`, { ...said })
    await create(engine, review())
    expect(world.warnings).toEqual([])
  })

  it('is told of a worker that comes later, when the status is looked at again', async () => {
    const world = new World()
    const engine = world.engine(review())
    await create(engine, review())
    await Hand.hire(engine, 'w-1', { ...skill('unreadable') })
    await create(engine, review())
    expect(aboutTransitions(world)).toEqual([])
    await world.clock.advance(30_000)
    await Hand.hire(engine, 'w-1', { ...skill('unreadable') })
    await world.clock.advance(31_000)
    await create(engine, review())
    expect(aboutTransitions(world)).toHaveLength(1)
  })
})

describe('a result with a status that its worker does not declare', () => {
  it('counts, and is told once', async () => {
    const world = new World()
    const engine = world.engine(review())
    const hand = await Hand.hire(engine, 'w-1', { ...skill('unreadable') })
    for (let n = 0; n < 2; n += 1) {
      const jobId = await create(engine, review())
      const decision = await hand.report(await hand.take(), { status: 'needs_review' })
      expect(decision.kind).toBe('changed')
      expect((await world.job(jobId)).status).toBe('finished')
    }
    expect(aboutResults(world)).toHaveLength(1)
  })

  it.each([
    ['is declared', 'needs_review', skill('needs_review')],
    ['is one that all may return', 'success', skill()],
    ['comes from a worker that promises nothing', 'needs_review', { supported_skills: ['read'] }],
  ])('is none if it %s', async (_when, status, said) => {
    const world = new World()
    const engine = world.engine(review())
    const hand = await Hand.hire(engine, 'w-1', { ...said })
    await create(engine, review())
    await hand.report(await hand.take(), { status })
    expect(aboutResults(world)).toEqual([])
  })
})
