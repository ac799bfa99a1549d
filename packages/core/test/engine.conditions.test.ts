import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Blueprint } from '../src/blueprint/blueprint.ts'
import type { Handler } from '../src/blueprint/handler-context.ts'
import type { Job } from '../src/job/job.ts'
import { create, Hand, World } from './support/engine-world.ts'

const to =
  (state: string): Handler =>
  ({ actions }) => {
    actions.goTo(state)
  }

/** Ends for every way that a decision can take. */
function ended(blueprint: Blueprint): Blueprint {
  for (const name of ['urgent', 'large', 'usual']) blueprint.state(name, { end: true })
  return blueprint
}

async function outcomeOf(blueprint: Blueprint, initialData: object = {}): Promise<Job> {
  const world = new World()
  const engine = world.engine(blueprint)
  return world.job(await create(engine, blueprint, { initialData }))
}

const isLarge = ({ initialData }: { initialData: object }): boolean =>
  'n' in initialData && Number(initialData.n) > 3

const URGENT = "context.initial_data.type == 'urgent'"
const START = { start: true, to: ['urgent', 'large', 'usual'] } as const

describe('a state with conditions', () => {
  const orders: [string, () => Blueprint][] = [
    [
      'before its handler',
      () =>
        new Blueprint('b')
          .state('decide', START)
          .when(URGENT, to('urgent'))
          .when(isLarge, to('large'))
          .state('decide', to('usual')),
    ],
    [
      'after its handler',
      () =>
        new Blueprint('b')
          .state('decide', START, to('usual'))
          .when(URGENT, to('urgent'))
          .when(isLarge, to('large')),
    ],
    [
      'around its handler',
      () =>
        new Blueprint('b')
          .state('decide', START)
          .when(URGENT, to('urgent'))
          .state('decide', to('usual'))
          .when(isLarge, to('large')),
    ],
  ]

  describe.each(orders)('declared %s', (_where, declare) => {
    it.each([
      [{ type: 'urgent' }, 'urgent'],
      [{ n: 4 }, 'large'],
      [{ type: 'urgent', n: 4 }, 'urgent'],
      [{ type: 'slow', n: 3 }, 'usual'],
      [{}, 'usual'],
    ])('takes the first that holds, else the handler: %j leads to %s', async (data, state) => {
      expect(await outcomeOf(ended(declare()), data)).toMatchObject({ state, status: 'finished' })
    })
  })

  it('fails its job at once when none holds and it has no handler, and says what was tried', async () => {
    const blueprint = ended(
      new Blueprint('b')
        .state('decide', START)
        .when(URGENT, to('urgent'))
        .when(isLarge, to('large')),
    )
    expect(await outcomeOf(blueprint)).toMatchObject({
      status: 'failed',
      state: 'decide',
      error: {
        code: 'NO_HANDLER',
        message:
          "No condition of state 'decide' of blueprint 'b' holds " +
          "(context.initial_data.type == 'urgent'; a predicate), and it has no default handler. " +
          'Add one, or a condition for this case.',
      },
    })
  })

  it('ends its job all the same when it is an end state: nothing is left to run', async () => {
    const blueprint = new Blueprint('b')
      .state('decide', { start: true, end: true })
      .when(URGENT, () => ({ was: 'urgent' }))
    expect(await outcomeOf(blueprint, { type: 'urgent' })).toMatchObject({
      status: 'finished',
      result: { was: 'urgent' },
    })
    expect(await outcomeOf(blueprint)).toMatchObject({ status: 'finished', result: null })
  })

  it('sees what workers returned and what a wait brought', async () => {
    const world = new World()
    const blueprint = new Blueprint('b')
      .state('start', { start: true }, ({ actions }) => {
        actions.dispatchTask({ type: 'resize', transitions: { success: 'decide' } })
      })
      .state('decide', { end: true }, () => ({ was: 'usual' }))
      .when('context.state_history.size.width > 100 and not size.cached', () => ({ was: 'wide' }))
    const engine = world.engine(blueprint)
    const worker = await Hand.hire(engine)
    const resultFor = async (size: object): Promise<unknown> => {
      const jobId = await create(engine, blueprint)
      await worker.report(await worker.take(), { data: { size } })
      return (await world.job(jobId)).result
    }
    expect(await resultFor({ width: 101, cached: false })).toEqual({ was: 'wide' })
    expect(await resultFor({ width: 100, cached: false })).toEqual({ was: 'usual' })
    expect(await resultFor({ width: 101, cached: true })).toEqual({ was: 'usual' })
  })

  // Spec 3.6: comparing incompatible types raised, and so failed the step.
  it('does not stumble over data that are missing or of another type', async () => {
    const blueprint = ended(
      new Blueprint('b')
        .state('decide', START, to('usual'))
        .when('context.initial_data.n > 3', to('large'))
        .when("context.state_history.a.b.c == 'x'", to('urgent')),
    )
    for (const data of [{}, { n: 'many' }, { n: null }, { n: [4] }, { a: 'b' }]) {
      expect(await outcomeOf(blueprint, data)).toMatchObject({ state: 'usual' })
    }
  })

  // A promise counts as true: the first asynchronous condition would always be the one.
  it('is refused when its predicate answers with a promise, and says so', async () => {
    const world = new World()
    const later = (async () => Promise.resolve(false)) as unknown as () => boolean
    const blueprint = new Blueprint('b')
      .state('start', { start: true })
      .when(later, ({ actions }) => {
        actions.goTo('done')
      })
      .state('done', { end: true })
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint)
    await world.clock.advance(60_000)
    expect(await world.job(jobId)).toMatchObject({
      status: 'quarantined',
      state: 'start',
      error: {
        code: 'CONDITION_INVALID',
        message: expect.stringContaining('must answer true or false at once') as string,
      },
    })
  })

  it('is tried again like any handler when its predicate throws', async () => {
    const world = new World()
    let tries = 0
    const blueprint = ended(
      new Blueprint('b').state('decide', START, to('usual')).when(() => {
        tries += 1
        if (tries === 1) throw new Error('no luck')
        return true
      }, to('urgent')),
    )
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint)
    expect(await world.job(jobId)).toMatchObject({
      status: 'awaiting_retry',
      error: { code: 'HANDLER_FAILED', message: 'no luck' },
    })
    await world.clock.advance(1_000)
    expect(await world.job(jobId)).toMatchObject({ state: 'urgent' })
  })
})

describe('an aggregator', () => {
  const fan: Handler = ({ actions }) => {
    actions.dispatchParallel({ tasks: [], aggregateInto: 'collect' })
  }
  const bare: Handler = ({ branches, aggregationResults }) => ({
    by: 'aggregator',
    branches: branches.length,
    results: Object.keys(aggregationResults).length,
  })

  it('runs in a state of its own, with nothing when no branches led there', async () => {
    const blueprint = new Blueprint('b')
      .state('start', { start: true }, to('collect'))
      .aggregator('collect', { end: true }, bare)
    expect(await outcomeOf(blueprint)).toMatchObject({
      status: 'finished',
      result: { by: 'aggregator', branches: 0, results: 0 },
    })
  })

  it('beside a state runs for branches only; else the state’s own handler does', async () => {
    const beside = (first: Handler): Blueprint =>
      new Blueprint('b')
        .state('start', { start: true, to: ['collect'] }, first)
        .state('collect', { end: true }, () => ({ by: 'handler' }))
        .when(URGENT, () => ({ by: 'condition' }))
        .aggregator('collect', bare)
    const urgent = { type: 'urgent' }
    expect((await outcomeOf(beside(fan), urgent)).result).toMatchObject({ by: 'aggregator' })
    expect((await outcomeOf(beside(to('collect')))).result).toEqual({ by: 'handler' })
    expect((await outcomeOf(beside(to('collect')), urgent)).result).toEqual({ by: 'condition' })
  })

  it('may itself decide how the job goes on', async () => {
    const blueprint = ended(
      new Blueprint('b')
        .state('start', { start: true }, fan)
        .aggregator('collect', { to: ['urgent'] }, to('urgent')),
    )
    expect(await outcomeOf(blueprint)).toMatchObject({ state: 'urgent', status: 'finished' })
  })

  // D-9: an aggregator that returned without an action left its job running for ever.
  it('that decides nothing in a state that is no end fails the job at once (D-9)', async () => {
    const blueprint = new Blueprint('b')
      .state('start', { start: true }, fan)
      .aggregator('collect', bare)
    expect(await outcomeOf(blueprint)).toMatchObject({
      status: 'failed',
      error: { code: 'HANDLER_NO_ACTION', message: expect.stringContaining("State 'collect'") },
    })
  })

  it('has its branches again when it throws and is tried again', async () => {
    const world = new World()
    const seen: number[] = []
    const blueprint = new Blueprint('b')
      .state('start', { start: true }, ({ actions }) => {
        actions.dispatchParallel({ tasks: [{ type: 'resize' }], aggregateInto: 'collect' })
      })
      .aggregator('collect', { end: true }, ({ branches }) => {
        seen.push(branches.length)
        if (seen.length === 1) throw new Error('no luck')
      })
    const engine = world.engine(blueprint)
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, blueprint)
    await worker.report(await worker.take())
    await world.clock.advance(1_000)
    expect(seen).toEqual([1, 1])
    expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
  })
})

describe('an output schema', () => {
  const output = z.object({ sum: z.number(), currency: z.string().default('EUR') })
  const misfit = {
    status: 'failed',
    error: {
      code: 'OUTPUT_INVALID',
      message: expect.stringMatching(
        /^The result of blueprint 'b' does not match its output schema: result\.sum: /,
      ),
    },
  }

  it('checks what the handler of an end state returns, and keeps what it makes of it', async () => {
    const returning = (result: unknown): Blueprint =>
      new Blueprint('b', { output }).state('start', { start: true, end: true }, () => result)
    expect(await outcomeOf(returning({ sum: 3 }))).toMatchObject({
      status: 'finished',
      result: { sum: 3, currency: 'EUR' },
    })
    expect(await outcomeOf(returning({ sum: 'three' }))).toMatchObject(misfit)
  })

  it('checks the last worker’s data in an end state without a handler', async () => {
    const world = new World()
    const blueprint = new Blueprint('b', { output })
      .state('start', { start: true }, ({ actions }) => {
        actions.dispatchTask({ type: 'resize', transitions: { success: 'done' } })
      })
      .state('done', { end: true })
    const engine = world.engine(blueprint)
    const worker = await Hand.hire(engine)
    const endWith = async (data: object): Promise<Job> => {
      const jobId = await create(engine, blueprint, { webhookUrl: 'https://host/hook' })
      await worker.report(await worker.take(), { data })
      return world.job(jobId)
    }
    expect(await endWith({ sum: 3 })).toMatchObject({
      status: 'finished',
      result: { sum: 3, currency: 'EUR' },
    })
    const bad = await endWith({ sum: 'three' })
    expect(bad).toMatchObject(misfit)
    expect(world.calls(bad.id)).toEqual([['job_failed', 'failed']])
  })

  it('refuses no result at all, with a message that says so', async () => {
    const blueprint = new Blueprint('b', { output }).state('start', { start: true, end: true })
    expect(await outcomeOf(blueprint)).toMatchObject({
      status: 'failed',
      error: { code: 'OUTPUT_INVALID', message: expect.stringMatching(/output schema: result: /) },
    })
  })

  it('is not for jobs that fail: they are as they are', async () => {
    const blueprint = new Blueprint('b', { output })
      .state('start', { start: true }, to('failed'))
      .state('failed', { end: true }, () => ({ reason: 'sold out' }))
    expect(await outcomeOf(blueprint)).toMatchObject({
      status: 'failed',
      error: null,
      result: { reason: 'sold out' },
    })
    const bare = new Blueprint('b', { output })
      .state('start', { start: true }, to('given_up'))
      .state('given_up', { end: 'failed' })
    expect(await outcomeOf(bare)).toMatchObject({ status: 'failed', error: null })
  })

  it('may take its time to decide', async () => {
    const asks = z.object({ sum: z.number() }).refine((value) => Promise.resolve(value.sum > 0))
    const blueprint = new Blueprint('b', { output: asks })
    blueprint.state('start', { start: true, end: true }, ({ sum }) => ({ sum }))
    expect(await outcomeOf(blueprint, { sum: 1 })).toMatchObject({ status: 'finished' })
    expect(await outcomeOf(blueprint, { sum: 0 })).toMatchObject({
      status: 'failed',
      error: { code: 'OUTPUT_INVALID' },
    })
  })
})

describe('what a handler says beside its action', () => {
  // The action and the updates are one write: neither is there without the other.
  it('is laid over the data of the job, for the next handler and conditions', async () => {
    const blueprint = new Blueprint('b')
      .state('start', { start: true }, ({ actions }) => {
        actions.updateContext({ n: 2, more: { deep: true } })
        actions.goTo('done')
      })
      .state('done', { end: true }, ({ initialData, stateHistory, n }) => ({
        initialData,
        stateHistory,
        n,
      }))
    expect(await outcomeOf(blueprint, { n: 1, kept: 1 })).toMatchObject({
      result: {
        initialData: { n: 2, kept: 1, more: { deep: true } },
        stateHistory: { n: 2, more: { deep: true } },
        n: 2,
      },
    })
  })

  it('is forgotten with the try of the handler that threw', async () => {
    const world = new World()
    const blueprint = new Blueprint('b').state('start', { start: true, end: true }, (context) => {
      const { actions, attempt, first } = context
      if (attempt > 1) return { first: first ?? null }
      actions.updateContext({ first: true })
      throw new Error('after all')
    })
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint)
    await world.clock.advance(1_000)
    expect(await world.job(jobId)).toMatchObject({ status: 'finished', result: { first: null } })
  })
})
