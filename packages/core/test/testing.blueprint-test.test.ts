import { AssertionError } from 'node:assert'
import { setTimeout as realPause } from 'node:timers/promises'
import { AvtomatikaError, type JsonObject } from '@avtomatika/protocol'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { Blueprint } from '../src/blueprint/blueprint.ts'
import type { ApprovalOptions, DispatchByName, EventWaitOptions } from '../src/blueprint/actions.ts'
import { BlueprintTest, type BlueprintTestOptions } from '../src/testing/index.ts'

const HOUR = 3600
const DAY = 24 * HOUR

type Given = Parameters<typeof BlueprintTest.prototype.start>[0]

/** A test that is closed with the test it is in. */
function testOf(
  blueprint: ConstructorParameters<typeof BlueprintTest>[0],
  options?: BlueprintTestOptions,
): BlueprintTest {
  const test = new BlueprintTest(blueprint, options)
  onTestFinished(() => test.close())
  return test
}

/** One task of type `work`, and two ways to end. */
function oneTask(options: Partial<DispatchByName> = {}): Blueprint {
  return new Blueprint('one_task')
    .state('start', { start: true, to: ['maybe'] }, ({ initialData, actions }) => {
      const transitions = { success: 'done', failure: 'failed', maybe: 'maybe' }
      actions.dispatchTask({ type: 'work', params: { ...initialData }, transitions, ...options })
    })
    .state('maybe', { end: true })
    .state('done', { end: true })
    .state('failed', { end: true })
}

function oneApproval(options: Partial<ApprovalOptions> = {}): Blueprint {
  return new Blueprint('one_approval')
    .state('start', { start: true, to: ['nobody'] }, ({ actions }) => {
      actions.awaitHumanApproval({
        integration: 'email',
        message: 'May we?',
        transitions: { approved: 'yes', rejected: 'no' },
        ...options,
      })
    })
    .state('yes', { end: true }, ({ approval }) => ({
      actor: approval?.actor,
      data: approval?.data,
    }))
    .state('no', { end: 'failed' })
    .state('nobody', { end: true })
}

function oneEvent(options: Partial<EventWaitOptions> = {}): Blueprint {
  return new Blueprint('one_event', { events: { paid: z.object({ amount: z.number() }) } })
    .state('start', { start: true, to: ['late'] }, ({ actions }) => {
      actions.waitForEvent({ name: 'paid', transitions: { received: 'got' }, ...options })
    })
    .state('got', { end: true }, ({ event }) => event?.data)
    .state('late', { end: true })
}

/** The message of what is thrown, which must be an AssertionError. */
async function objection(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => new Error('nothing was thrown'),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(AssertionError)
  return (error as Error).message
}

async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  const error: unknown = await promise.catch((reason: unknown) => reason)
  return AvtomatikaError.is(error) ? error.code : undefined
}

describe('scripts of workers', () => {
  it('answer every task of a type with one reply', async () => {
    const test = testOf(oneTask(), { workers: { work: { data: { answer: 42 } } } })
    const job = await test.run({ initialData: { question: 'all' } })
    job.assertEnded({ status: 'finished', state: 'done', result: { answer: 42 } })
    job.assertVisited('start', 'done')
    expect(test.tasks).toEqual([
      {
        jobId: job.id,
        type: 'work',
        params: { question: 'all' },
        attempt: 1,
        priority: 0,
        demand: { type: 'work' },
        reply: { data: { answer: 42 } },
      },
    ])
  })

  it('answer task by task from a list, whose last reply repeats', async () => {
    const test = testOf(oneTask(), { workers: { work: [{ data: { n: 1 } }, { data: { n: 2 } }] } })
    const results: unknown[] = []
    for (let i = 0; i < 3; i += 1) results.push((await test.run()).result)
    expect(results).toEqual([{ n: 1 }, { n: 2 }, { n: 2 }])
  })

  it('are functions of the task, asynchronous or not', async () => {
    const test = testOf(oneTask(), {
      workers: {
        work: async ({ type, params, attempt, jobId, taskId }) => {
          await realPause(2)
          return { data: { type, params, attempt, jobId, taskId } }
        },
      },
    })
    const job = await test.run({ initialData: { a: 1 } })
    expect(job.result).toEqual({
      type: 'work',
      params: { a: 1 },
      attempt: 1,
      jobId: job.id,
      taskId: expect.stringContaining(job.id),
    })
  })

  it('answer with a success without data when they say nothing', async () => {
    const job = await testOf(oneTask(), { workers: { work: {} } }).run()
    job.assertEnded({ status: 'finished', state: 'done' })
  })

  it('answer with a status of their own, which must be declared', async () => {
    const known = await testOf(oneTask(), { workers: { work: { status: 'maybe' } } }).run()
    known.assertEnded({ status: 'finished', state: 'maybe' })
    const unknown = await testOf(oneTask(), { workers: { work: { status: 'odd' } } }).run()
    unknown.assertEnded({ status: 'failed', error: 'odd' })
  })

  it('fail with an error, and the task is tried again after its documented pauses', async () => {
    const test = testOf(oneTask(), {
      workers: { work: [{ error: { code: 'TRANSIENT_ERROR' } }, { error: { code: 'ODD' } }, {}] },
    })
    const startedAt = test.now()
    const job = await test.run()
    job.assertEnded({ status: 'finished', state: 'done' })
    expect(test.tasks.map(({ attempt }) => attempt)).toEqual([1, 2, 3])
    // 0.5 s, then 1 s; a second worker is there, so that the failed one need not be waited for.
    expect(test.now() - startedAt).toBe(1_500)
  })

  it.each([
    ['TRANSIENT_ERROR', 'quarantined', 4],
    ['PERMANENT_ERROR', 'quarantined', 1],
    ['INVALID_INPUT_ERROR', 'failed', 1],
  ] as const)('fail for good with %s: %s after %i tries', async (code, status, tries) => {
    const reply = { error: { code, message: 'no luck' } }
    const test = testOf(oneTask(), { workers: { work: reply } })
    const job = await test.run()
    job.assertEnded({ status, state: 'start', error: 'no luck' }).assertEnded({ error: code })
    expect(test.tasks).toHaveLength(tries)
  })

  it('throw into the test, so that an expectation inside of them counts', async () => {
    const test = testOf(oneTask(), {
      workers: {
        work: () => {
          throw new Error('expected another amount')
        },
      },
    })
    await expect(test.run()).rejects.toThrow('expected another amount')
  })

  it('give no answer, and the task runs into its timeout until its tries are used up', async () => {
    const test = testOf(oneTask({ timeout: 30, retry: { attempts: 2, initialDelay: 1 } }), {
      workers: { work: 'no_answer' },
    })
    const startedAt = test.now()
    const job = await test.run()
    job.assertEnded({ status: 'quarantined', error: 'TIMEOUT_ERROR' })
    expect(test.now() - startedAt).toBe(61_000)
    expect(test.tasks.map(({ reply }) => reply)).toEqual(['no_answer', 'no_answer'])
  })

  it('are given tasks whatever these ask for, in the order of their priority', async () => {
    const picky = new Blueprint('picky')
      .state('start', { start: true }, ({ actions }) => {
        actions.dispatchParallel({
          tasks: {
            later: { type: 'render' },
            first: {
              type: 'render',
              priority: 9,
              skillVersion: '2.0',
              skillType: 'gpu',
              maxCost: 0.5,
              resourceRequirements: { gpu_info: { vram_gb: 24 } },
            },
          },
          aggregateInto: 'collect',
        })
      })
      .aggregator('collect', ({ actions }) => actions.goTo('done'))
      .state('done', { end: true })
    const test = testOf(picky, { workers: { render: {} } })
    await test.run().then((job) => job.assertEnded({ status: 'finished' }))
    expect(test.tasks.map(({ priority }) => priority)).toEqual([9, 0])
    expect(test.tasks[0]?.demand).toMatchObject({ skillVersion: '2.0', maxCost: 0.5 })
  })

  it('report progress and events; an event may move the job on before the reply', async () => {
    const blueprint = new Blueprint('watched')
      .state('start', { start: true }, ({ actions }) => {
        actions.dispatchTask({
          type: 'work',
          transitions: { success: 'done' },
          eventTransitions: { found: 'early' },
        })
      })
      .state('early', { end: true })
      .state('done', { end: true })
    const test = testOf(blueprint, {
      workers: {
        work: async ({ progress, emit }) => {
          await progress(0.5, 'half')
          await emit('looking')
          await emit('found', { where: 'here' })
          return { data: { ignored: true } }
        },
      },
    })
    const job = await test.run()
    job.assertEnded({ status: 'finished', state: 'early' })
    expect(job.stateHistory).toEqual({ where: 'here' })
    expect(test.events.map(({ type, payload }) => [type, payload])).toEqual([
      ['looking', {}],
      ['found', { where: 'here' }],
    ])
  })

  it('report how far a task is', async () => {
    const test = testOf(oneTask(), {
      workers: {
        work: async ({ progress }) => {
          await progress(0.5, 'half')
          return 'no_answer' as const
        },
      },
    })
    const job = await test.start()
    expect(job.document).toMatchObject({ progress: 0.5, progressMessage: 'half' })
  })
})

describe('time', () => {
  it('is skipped: thirty days of sleep are over in milliseconds', async () => {
    const patient = new Blueprint('patient')
      .state('start', { start: true }, ({ actions }) => {
        actions.sleep({ seconds: 30 * DAY, next: 'done' })
      })
      .state('done', { end: true })
    const test = testOf(patient)
    const [startedAt, realStart] = [test.now(), performance.now()]
    const job = await test.run()
    job.assertEnded({ status: 'finished' })
    expect(test.now() - startedAt).toBe(30 * DAY * 1000)
    expect(performance.now() - realStart).toBeLessThan(500)
  })

  it('passes as far as the test lets it, and no further', async () => {
    const patient = new Blueprint('patient')
      .state('start', { start: true }, ({ actions }) => {
        actions.sleep({ until: new Date('2031-01-01T00:00:00Z'), next: 'done' })
      })
      .state('done', { end: true })
    const test = testOf(patient, { startAt: Date.parse('2030-12-31T00:00:00Z') })
    const job = await test.start()
    await job.skip(DAY - 1)
    expect(job.status).not.toBe('finished')
    await job.skip(1)
    job.assertEnded({ status: 'finished' })
    expect(test.now()).toBe(Date.parse('2031-01-01T00:00:00Z'))
  })

  it('is not skipped past what is due on the way', async () => {
    const twice = new Blueprint('twice')
      .state('start', { start: true }, ({ actions }) => actions.sleep({ seconds: DAY, next: 'on' }))
      .state('on', ({ actions }) => actions.sleep({ seconds: DAY, next: 'done' }))
      .state('done', { end: true })
    const job = await testOf(twice).start()
    await job.skip(2 * DAY)
    job.assertEnded({ status: 'finished' })
    const [first] = job.history.filter(({ type }) => type === 'state_finished')
    expect(job.document.updatedAt - (first?.at ?? 0)).toBe(DAY * 1000)
  })

  it('ends a job whose own timeout passes, whatever it waits for', async () => {
    const job = await testOf(oneApproval()).run({ jobTimeoutMs: 5_000 })
    job.assertEnded({ status: 'failed', error: 'job timeout' })
  })

  it('ends a task that nobody takes within its dispatch timeout, and says why', async () => {
    const test = testOf(oneTask({ dispatchTimeout: 60 }), { workers: { other: {} } })
    const job = await test.run()
    job.assertEnded({ status: 'failed', error: "does not offer the skill 'work'" })
  })

  it('holds for all jobs of a test', async () => {
    const test = testOf(oneApproval({ timeout: HOUR, onTimeout: 'nobody' }))
    const [first, second] = [await test.start(), await test.start()]
    await first.skip(HOUR)
    first.assertEnded({ state: 'nobody' })
    second.assertEnded({ state: 'nobody' })
  })
})

describe('people', () => {
  it('decide, and the next handler is told who and why', async () => {
    const job = await testOf(oneApproval()).start()
    expect(job.status).toBe('waiting_for_human')
    await job.decide('approved', { actor: 'ann', comment: 'fine', data: { limit: 3 } })
    job.assertEnded({
      status: 'finished',
      state: 'yes',
      result: { actor: 'ann', data: { limit: 3 } },
    })
  })

  it('do not decide in time', async () => {
    const test = testOf(oneApproval({ timeout: HOUR, onTimeout: 'nobody' }))
    const job = await test.run()
    job.assertEnded({ status: 'finished', state: 'nobody' })
  })

  it('cannot decide what is not asked, or nobody asks', async () => {
    const job = await testOf(oneApproval()).start()
    expect(await codeOf(job.decide('perhaps'))).toBe('DECISION_INVALID')
    await job.decide('rejected')
    job.assertEnded({ status: 'failed', state: 'no' })
    expect(await codeOf(job.decide('approved'))).toBe('NOT_APPROVABLE')
  })

  it('cancel', async () => {
    const test = testOf(oneTask(), { workers: { work: 'no_answer' } })
    const job = await test.start()
    await job.cancel()
    job.assertEnded({ status: 'cancelled' })
    expect(await codeOf(job.cancel())).toBe('JOB_ALREADY_TERMINAL')
  })

  it('let a quarantined job go on with better data', async () => {
    const test = testOf(oneTask(), {
      workers: {
        work: ({ params }) =>
          params['card'] === 'good' ? {} : { error: { code: 'PERMANENT_ERROR' } },
      },
    })
    const job = await test.run({ initialData: { card: 'bad' } })
    job.assertEnded({ status: 'quarantined' })
    await job.retry({ card: 'good' })
    job.assertEnded({ status: 'finished', state: 'done' })
    expect(test.tasks.map(({ params }) => params['card'])).toEqual(['bad', 'good'])
  })

  it('give a quarantined job up', async () => {
    const test = testOf(oneTask(), { workers: { work: { error: { code: 'PERMANENT_ERROR' } } } })
    const job = await test.run()
    await job.discard()
    job.assertEnded({ status: 'failed' })
    expect(await codeOf(job.retry())).toBe('NOT_QUARANTINED')
  })
})

describe('events', () => {
  it('are received by the wait for them, checked by their schema', async () => {
    const job = await testOf(oneEvent()).start()
    expect(await codeOf(job.sendEvent('paid', { amount: 'much' }))).toBe('INVALID_INPUT')
    await job.sendEvent('paid', { amount: 3 })
    job.assertEnded({ status: 'finished', state: 'got', result: { amount: 3 } })
    expect(await codeOf(job.sendEvent('paid', { amount: 3 }))).toBe('JOB_ENDED')
  })

  it('are kept until they are waited for', async () => {
    const blueprint = new Blueprint('early')
      .state('start', { start: true }, ({ actions }) => actions.sleep({ seconds: 9, next: 'wait' }))
      .state('wait', ({ actions }) => {
        actions.waitForEvent({ name: 'paid', transitions: { received: 'done' } })
      })
      .state('done', { end: true })
    const job = await testOf(blueprint).start()
    await job.sendEvent('paid')
    await job.untilEnded()
    job.assertEnded({ status: 'finished' }).assertVisited('start', 'wait', 'done')
  })

  it('do not come in time', async () => {
    const options = { timeout: HOUR, transitions: { received: 'got', timeout: 'late' } }
    const job = await testOf(oneEvent(options)).run()
    job.assertEnded({ status: 'finished', state: 'late' })
  })

  it('go from one job to another, of another blueprint', async () => {
    const sender = new Blueprint('sender')
      .state('start', { start: true }, ({ actions, initialData }) => {
        actions.sendEvent({ name: 'paid', data: { amount: 7 }, jobId: String(initialData['to']) })
        actions.sendEvent({ name: 'told' })
        actions.goTo('done')
      })
      .state('done', { end: true })
    const test = testOf(oneEvent(), { children: [sender] })
    const receiver = await test.start()
    await test.run({ blueprint: sender, initialData: { to: receiver.id } })
    receiver.assertEnded({ status: 'finished', result: { amount: 7 } })
    // What went to another job is that one's event.
    expect(test.events).toMatchObject([{ type: 'told', payload: {}, workerId: null }])
  })
})

describe('children', () => {
  const parent = new Blueprint('parent')
    .state('start', { start: true }, ({ actions }) => {
      const transitions = { success: 'done', failure: 'failed' }
      actions.runBlueprint({ name: 'one_approval', initialData: { n: 1 }, transitions })
    })
    .state('done', { end: true }, ({ child }) => child?.result)
    .state('failed', { end: true })

  it('run to their end with their parent', async () => {
    const test = testOf(parent, { children: [oneApproval({ timeout: 1, onTimeout: 'nobody' })] })
    const job = await test.run()
    job.assertEnded({ status: 'finished', state: 'done' })
  })

  it('are jobs of their own, which people act on', async () => {
    const test = testOf(parent, { children: [oneApproval()] })
    const job = await test.start()
    const child = await job.child()
    expect(child.document.initialData).toEqual({ n: 1 })
    await child.decide('approved', { actor: 'bob' })
    child.assertEnded({ state: 'yes' })
    job.assertEnded({ status: 'finished', result: { actor: 'bob', data: null } })
  })

  it('must be there when the test begins', () => {
    expect(() => new BlueprintTest(parent)).toThrow("runs 'one_approval'")
  })

  it('are asked for where there is one only', async () => {
    const job = await testOf(oneApproval()).start()
    expect(await objection(job.child())).toContain('it does not wait for a child')
  })
})

describe('fan-out', () => {
  it('of a thousand branches comes to its end within seconds', async () => {
    const wide = new Blueprint('wide')
      .state('start', { start: true }, ({ actions }) => {
        const tasks = Array.from({ length: 1_000 }, (_, n) => ({ type: 'square', params: { n } }))
        actions.dispatchParallel({ tasks, aggregateInto: 'sum' })
      })
      .aggregator('sum', ({ branches, actions }) => {
        const sum = branches.reduce((total, { data }) => total + Number(data?.['square']), 0)
        actions.updateContext({ sum })
        actions.goTo('done')
      })
      .state('done', { end: true }, ({ stateHistory }) => ({ sum: stateHistory['sum'] }))
    const square = (n: number): JsonObject => ({ square: n * n })
    const test = testOf(wide, {
      workers: { square: ({ params }) => ({ data: square(Number(params['n'])) }) },
    })
    const job = await test.run()
    job.assertEnded({ status: 'finished', result: { sum: (999 * 1000 * 1999) / 6 } })
    expect(test.tasks).toHaveLength(1_000)
  }, 20_000)

  it('that fails fast hands out no more tasks', async () => {
    const fast = new Blueprint('fast')
      .state('start', { start: true }, ({ actions }) => {
        const tasks = [{ type: 'bad' }, { type: 'good' }, { type: 'good' }]
        actions.dispatchParallel({ tasks, aggregateInto: 'all', failFast: true })
      })
      .aggregator('all', ({ actions }) => actions.goTo('done'))
      .state('done', { end: true })
    const test = testOf(fast, {
      workers: { bad: { error: { code: 'INVALID_INPUT_ERROR' } }, good: {} },
    })
    const job = await test.run()
    job.assertEnded({ status: 'failed', state: 'start' })
    expect(test.tasks.map(({ type }) => type)).toEqual(['bad'])
  })
})

describe('handlers', () => {
  it('may await something real', async () => {
    const slow = new Blueprint('slow')
      .state('start', { start: true }, async ({ actions }) => {
        await realPause(30)
        actions.goTo('next')
      })
      .state('next', async ({ actions }) => {
        await realPause(30)
        actions.sleep({ seconds: DAY, next: 'done' })
      })
      .state('done', { end: true }, async () => {
        await realPause(30)
        return 'at last'
      })
    const job = await testOf(slow).run()
    job.assertEnded({ status: 'finished', result: 'at last' })
  })

  it('that never end are named, after a while of real time', async () => {
    const hung = new Blueprint('hung')
      .state('start', { start: true }, () => new Promise(() => undefined))
      .state('done', { end: true })
    const test = testOf(hung, { patienceMs: 20 })
    const message = await objection(test.run())
    expect(message).toBe(
      "Job job-1 runs the handler of 'start', which has not come to its end for 20 ms of real time. Handlers that take longer need a larger patienceMs.",
    )
  })

  it('that throw are tried again, then quarantined', async () => {
    let tries = 0
    const broken = new Blueprint('broken')
      .state('start', { start: true }, () => {
        tries += 1
        throw new Error('boom')
      })
      .state('done', { end: true })
    const job = await testOf(broken).run()
    job.assertEnded({ status: 'quarantined', error: 'boom' })
    expect(tries).toBe(4)
  })

  it('use the data stores of the test in place of the real ones', async () => {
    const real = { get: () => Promise.reject(new Error('the real one was called')) }
    const choosy = new Blueprint('choosy', { dataStores: { prefs: real, kept: { a: 1 } } })
      .state('start', { start: true }, ({ actions }) => actions.goTo('done'))
      .state('done', { end: true }, async ({ dataStores }) => [
        await dataStores['prefs']?.get('user'),
        await dataStores['kept']?.get('a'),
      ])
    const test = testOf(choosy, { dataStores: { prefs: { user: 'dark' } } })
    const job = await test.run()
    job.assertEnded({ status: 'finished', result: ['dark', 1] })
  })

  it('are told whose job it is', async () => {
    const mine = new Blueprint('mine')
      .state('start', { start: true }, ({ actions }) => actions.goTo('done'))
      .state('done', { end: true }, ({ client, metadata }) => ({ client, metadata }))
    const job = await testOf(mine).run({
      clientId: 'acme',
      clientPlan: 'gold',
      clientParams: { seats: 5 },
      metadata: { source: 'web' },
    })
    const client = { id: 'acme', plan: 'gold', params: { seats: 5 } }
    job.assertEnded({ result: { client, metadata: { source: 'web' } } })
  })
})

describe('what a job waits for, when time does not bring it', () => {
  async function complaint(
    blueprint: Blueprint,
    options?: BlueprintTestOptions,
    given?: Given,
  ): Promise<string> {
    return objection(testOf(blueprint, options).run(given))
  }

  it('is a decision', async () => {
    expect(await complaint(oneApproval())).toBe(
      "Job job-1: it waits for a decision (approved, rejected); give one with decide() (status waiting_for_human, state 'start', went start).",
    )
  })

  it('is an event', async () => {
    expect(await complaint(oneEvent({ match: { amount: 3 } }))).toContain(
      'it waits for the event \'paid\' with {"amount":3}; send one with sendEvent()',
    )
  })

  it('is a worker that nobody scripted', async () => {
    expect(await complaint(oneTask())).toContain(
      "it waits for a worker, and none is scripted for tasks of type 'work'; add one to workers",
    )
  })

  it('is a branch without a script', async () => {
    const half = new Blueprint('half')
      .state('start', { start: true }, ({ actions }) => {
        actions.dispatchParallel({
          tasks: [{ type: 'work' }, { type: 'odd' }],
          aggregateInto: 'all',
        })
      })
      .aggregator('all', ({ actions }) => actions.goTo('done'))
      .state('done', { end: true })
    expect(await complaint(half, { workers: { work: {} } })).toContain("tasks of type 'odd'")
  })

  it('is something that its child waits for', async () => {
    const parent = new Blueprint('parent')
      .state('start', { start: true }, ({ actions }) => {
        actions.runBlueprint({ name: 'one_approval', transitions: { success: 'done' } })
      })
      .state('done', { end: true })
    expect(await complaint(parent, { children: [oneApproval()] })).toMatch(
      /^Job job-1: its child \S+ waits for a decision \(approved, rejected\)/,
    )
  })

  it('stands in the way of a status, too', async () => {
    const test = testOf(oneTask(), { workers: { work: {} } })
    const job = await test.start()
    expect(await objection(job.until('waiting_for_human'))).toContain(
      'it ended before it was waiting_for_human',
    )
  })

  it('is reached by skipping what is before it', async () => {
    const late = new Blueprint('late')
      .state('start', { start: true }, ({ actions }) =>
        actions.sleep({ seconds: DAY, next: 'ask' }),
      )
      .state('ask', ({ actions }) => {
        const transitions = { ok: 'done' }
        actions.awaitHumanApproval({ integration: 'x', message: 'ok?', transitions })
      })
      .state('done', { end: true })
    const job = await testOf(late).start()
    await job.until('waiting_for_human')
    expect(job.state).toBe('ask')
    await job.decide('ok')
    job.assertEnded({ state: 'done' })
  })
})

describe('assertions', () => {
  it.each([
    [{ status: 'failed' }, "its status is not failed (status finished, state 'done'"],
    [{ state: 'maybe' }, "its state is not 'maybe'"],
    [{ result: { n: 2 } }, 'its result is {"n":1}, not {"n":2}'],
    [{ error: 'bad' }, "its error does not say 'bad'"],
  ] as const)('say how an end differs from %j', async (expected, message) => {
    const job = await testOf(oneTask(), { workers: { work: { data: { n: 1 } } } }).run()
    expect(() => job.assertEnded(expected)).toThrow(message)
    expect(() => job.assertEnded(expected)).toThrow(AssertionError)
  })

  it('tell the error of a job that failed where it should not have', async () => {
    const reply = { error: { code: 'PERMANENT_ERROR', message: 'card expired' } }
    const job = await testOf(oneTask(), { workers: { work: reply } }).run()
    expect(() => job.assertEnded({ status: 'finished' })).toThrow(
      /^Job job-1: its status is not finished .*PERMANENT_ERROR: .*card expired/,
    )
  })

  it('tell a job that goes on from one that has ended', async () => {
    const job = await testOf(oneApproval()).start()
    expect(() => job.assertEnded()).toThrow('it has not ended')
  })

  it('compare the way', async () => {
    const job = await testOf(oneTask(), { workers: { work: {} } }).run()
    job.assertVisited('start', 'done')
    expect(() => job.assertVisited('start', 'failed')).toThrow(
      'it did not go start -> failed (status finished',
    )
  })
})

describe('a test', () => {
  it('collects webhook calls and makes none', async () => {
    const test = testOf(oneTask(), { workers: { work: {} } })
    const webhookUrl = 'http://203.0.113.1/hook'
    const job = await test.run({ webhookUrl })
    expect(test.notifications).toMatchObject([{ jobId: job.id, url: webhookUrl }])
  })

  it('refuses initial data that the blueprint refuses', async () => {
    const strict = new Blueprint('strict', { input: z.object({ n: z.number() }) })
      .state('start', { start: true }, ({ actions }) => actions.goTo('done'))
      .state('done', { end: true })
    expect(await codeOf(testOf(strict).start({ initialData: { n: 'x' } }))).toBe('INVALID_INPUT')
  })

  it('refuses a blueprint that could not be registered', () => {
    expect(() => new BlueprintTest(new Blueprint('empty'))).toThrow('it has no start state')
  })

  it('takes settings of the engine', async () => {
    const settings = { taskTimeoutMs: 1_000 }
    const test = testOf(oneTask(), { workers: { work: 'no_answer' }, settings })
    const job = await test.start()
    await job.skip(1)
    expect(test.tasks).toHaveLength(1)
    await job.skip(0.5)
    expect(test.tasks).toHaveLength(2)
  })

  it('closes at the end of its block', async () => {
    const kept = new BlueprintTest(oneApproval())
    {
      await using test = kept
      await test.start()
    }
    await expect(kept.start()).rejects.toThrow('closed')
  })

  it('closes while a handler hangs', async () => {
    const hung = new Blueprint('hung')
      .state('start', { start: true }, () => new Promise(() => undefined))
      .state('done', { end: true })
    const test = new BlueprintTest(hung, { patienceMs: 5 })
    await objection(test.run())
    await test.close()
  })
})

describe('after close', () => {
  it('nothing runs, and no timer was ever left', async () => {
    const before = process.getActiveResourcesInfo().filter((kind) => kind !== 'Immediate').length
    const test = new BlueprintTest(oneApproval({ timeout: DAY, onTimeout: 'nobody' }))
    const job = await test.start()
    await test.close()
    await new Promise((resolve) => setImmediate(resolve))
    const after = process.getActiveResourcesInfo().filter((kind) => kind !== 'Immediate').length
    expect(after).toBeLessThanOrEqual(before)
    await expect(job.skip(DAY)).rejects.toThrow('closed')
  })
})
