import { defineTask } from '@avtomatika/protocol'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { ActionCollector } from '../src/blueprint/action-collector.ts'
import type { ActionTools, ChildOrder } from '../src/blueprint/action-options.ts'
import type {
  Actions,
  DispatchByName,
  RetryOptions,
  SleepOptions,
} from '../src/blueprint/actions.ts'
import { DispatchSettings } from '../src/blueprint/dispatch-settings.ts'
import type { Action } from '../src/job/event.ts'

const RETRY = {
  maxRetries: 3,
  backoff: { initialMs: 500, factor: 2, maxMs: 60_000, jitter: 0.5 },
} as const

/** Knows every state but `nowhere`, and every blueprint but `unknown`. */
function collector(tools: Partial<ActionTools> = {}): ActionCollector {
  return new ActionCollector({
    resolve: (state) => {
      if (state === 'nowhere') throw new Error('no such state')
      return { state }
    },
    settings: new DispatchSettings({ taskTimeoutMs: 300_000, retry: RETRY }),
    events: new Map(),
    child: ({ name, version, initialData }) => {
      if (name === 'unknown') return Promise.reject(new Error('no such blueprint'))
      const blueprint = { name, version: version ?? null, hash: 'h' }
      return Promise.resolve({
        blueprint,
        start: { state: 'begin' },
        initialData,
        timeoutMs: 90_000,
      })
    },
    ...tools,
  })
}

/** What one call decides. */
async function decidedBy(call: (actions: Actions) => void): Promise<Action | undefined> {
  const run = collector()
  call(run.actions)
  return (await run.decided()).action
}

/** Options as an author without a compiler might write them. */
function careless<T>(options: object): T {
  return options as T
}

function invalid(message: RegExp): unknown {
  return expect.objectContaining({
    code: 'INVALID_INPUT',
    message: expect.stringMatching(message),
  })
}

const TO = { transitions: { success: 'done' } } as const

describe('the actions of one run', () => {
  it('have decided nothing before the first call', async () => {
    expect(await collector().decided()).toEqual({
      action: undefined,
      remarks: { updates: null, sent: [] },
    })
  })

  it('are one decision under either name', async () => {
    const [one, two] = [collector(), collector()]
    one.actions.transitionTo('next')
    two.actions.goTo('next')
    expect(await one.decided()).toEqual({
      action: { type: 'go_to', target: { state: 'next' } },
      remarks: { updates: null, sent: [] },
    })
    expect(await two.decided()).toEqual(await one.decided())
  })

  it('can be taken apart', async () => {
    const run = collector()
    const { dispatchTask } = run.actions
    dispatchTask({ type: 'resize', ...TO })
    expect((await run.decided()).action).toMatchObject({ type: 'dispatch_task' })
  })

  it('refuse a second one and name both', () => {
    const run = collector()
    run.actions.transitionTo('next')
    const second = (): void => {
      run.actions.dispatchTask({ type: 'resize', ...TO })
    }
    expect(second).toThrow(
      expect.objectContaining({
        code: 'HANDLER_TWO_ACTIONS',
        message: expect.stringMatching(/transitionTo \('next'\).*dispatchTask \('resize'\)/),
      }),
    )
  })

  const again: [keyof Actions, (actions: Actions) => void][] = [
    [
      'dispatchParallel',
      (actions) => {
        actions.dispatchParallel({ tasks: [], aggregateInto: 'collect' })
      },
    ],
    [
      'awaitHumanApproval',
      (actions) => {
        actions.awaitHumanApproval({ integration: 'i', message: 'm', transitions: { a: 's' } })
      },
    ],
    [
      'runBlueprint',
      (actions) => {
        actions.runBlueprint({ name: 'invoice', transitions: {} })
      },
    ],
    [
      'sleep',
      (actions) => {
        actions.sleep({ seconds: 1, next: 's' })
      },
    ],
    [
      'waitForEvent',
      (actions) => {
        actions.waitForEvent({ name: 'paid', transitions: { received: 's' } })
      },
    ],
  ]

  it.each(again)('refuse %s after another, and another after it', async (name, call) => {
    const [before, after] = [collector(), collector()]
    before.actions.goTo('next')
    expect(() => {
      call(before.actions)
    }).toThrow(`called goTo ('next') and then ${name}`)
    call(after.actions)
    expect(() => {
      after.actions.goTo('next')
    }).toThrow(`called ${name} and then goTo ('next')`)
    await expect(after.decided()).rejects.toMatchObject({ code: 'HANDLER_TWO_ACTIONS' })
  })

  it('refuse a second one even when the handler swallows the error', async () => {
    const run = collector()
    run.actions.goTo('next')
    expect(() => {
      run.actions.goTo('next')
    }).toThrow('exactly one action')
    await expect(run.decided()).rejects.toThrow('exactly one action')
  })

  it('do not count a call that was refused', async () => {
    const run = collector()
    expect(() => {
      run.actions.goTo('nowhere')
    }).toThrow('no such state')
    run.actions.goTo('next')
    expect((await run.decided()).action).toMatchObject({ target: { state: 'next' } })
  })

  it('do not count sendEvent and updateContext, however often and in whatever order', async () => {
    const run = collector()
    run.actions.sendEvent({ name: 'begun' })
    run.actions.updateContext({ a: 1, b: 1 })
    run.actions.goTo('next')
    run.actions.updateContext({ b: 2 })
    run.actions.sendEvent({ name: 'paid', data: { sum: 3 }, jobId: 'job-2' })
    expect(await run.decided()).toEqual({
      action: { type: 'go_to', target: { state: 'next' } },
      remarks: {
        updates: { a: 1, b: 2 },
        sent: [
          { name: 'begun', data: {}, to: null },
          { name: 'paid', data: { sum: 3 }, to: 'job-2' },
        ],
      },
    })
  })
})

describe('a dispatch', () => {
  it('becomes a complete task, in milliseconds', async () => {
    const action = await decidedBy((actions) => {
      actions.dispatchTask({
        type: 'resize',
        params: { width: 10 },
        transitions: { success: 'done', tooSmall: 'rejected', failure: 'repair' },
        eventTransitions: { half_way: 'peek' },
        onFailure: 'transition',
        priority: 5,
        dispatchTimeout: 10,
        timeout: 0.5,
        resultTimeout: 60,
        skillVersion: '2',
        skillType: 'gpu',
        resourceRequirements: { gpu_info: { vram_gb: 24 } },
        maxCost: 0.5,
        dispatchStrategy: 'cheapest',
        retry: { attempts: 2, initialDelay: 0, factor: 3, maxDelay: 9.5, jitter: 0 },
      })
    })
    expect(action).toEqual({
      type: 'dispatch_task',
      task: {
        demand: {
          type: 'resize',
          skillVersion: '2',
          skillType: 'gpu',
          resources: { gpu_info: { vram_gb: 24 } },
          maxCost: 0.5,
        },
        params: { width: 10 },
        priority: 5,
        strategy: 'cheapest',
        dispatchTimeoutMs: 10_000,
        executionTimeoutMs: 500,
        resultTimeoutMs: 60_000,
        retry: { maxRetries: 1, backoff: { initialMs: 0, factor: 3, maxMs: 9_500, jitter: 0 } },
      },
      transitions: {
        success: { state: 'done' },
        tooSmall: { state: 'rejected' },
        failure: { state: 'repair' },
      },
      eventTransitions: { half_way: { state: 'peek' } },
      onFailure: 'transition',
    })
  })

  it('waits as long as it takes for a worker, and gives that one the default time', async () => {
    const action = await decidedBy((actions) => {
      actions.dispatchTask({ type: 'resize', ...TO })
    })
    expect(action).toEqual({
      type: 'dispatch_task',
      task: {
        demand: { type: 'resize' },
        params: {},
        priority: 0,
        strategy: 'default',
        dispatchTimeoutMs: null,
        executionTimeoutMs: 300_000,
        resultTimeoutMs: null,
        retry: null,
      },
      transitions: { success: { state: 'done' } },
      eventTransitions: {},
      onFailure: 'end',
    })
  })

  it('takes from the engine’s rules what its retry does not say', async () => {
    const retryOf = async (retry: RetryOptions): Promise<unknown> => {
      const action = await decidedBy((actions) => {
        actions.dispatchTask({ type: 'resize', ...TO, retry })
      })
      return action?.type === 'dispatch_task' && action.task.retry
    }
    expect(await retryOf({})).toEqual(RETRY)
    expect(await retryOf({ attempts: 1 })).toEqual({ ...RETRY, maxRetries: 0 })
    expect(await retryOf({ initialDelay: 2 })).toEqual({
      ...RETRY,
      backoff: { ...RETRY.backoff, initialMs: 2_000 },
    })
  })

  it('copies its params: what the handler does to them later stays with the handler', async () => {
    const run = collector()
    const params = { width: 10 }
    run.actions.dispatchTask({ type: 'resize', params, ...TO })
    params.width = 20
    expect((await run.decided()).action).toMatchObject({ task: { params: { width: 10 } } })
  })

  it.each([
    ['timeout', 0],
    ['timeout', -1],
    ['dispatchTimeout', NaN],
    ['resultTimeout', Infinity],
    ['resultTimeout', 31 * 86_400],
    ['priority', NaN],
    ['maxCost', -1],
    ['maxCost', NaN],
    ['dispatchStrategy', ''],
  ])('refuses %s %j', (name, value) => {
    const run = collector()
    expect(() => {
      run.actions.dispatchTask({ type: 'resize', ...TO, [name]: value })
    }).toThrow(
      expect.objectContaining({ message: expect.stringMatching(`'resize': ${name} must be`) }),
    )
  })

  it.each([
    ['attempts', 0],
    ['attempts', 1.5],
    ['factor', 0.5],
    ['factor', Infinity],
    ['jitter', 1.1],
    ['jitter', NaN],
    ['initialDelay', -1],
    ['maxDelay', 31 * 86_400],
  ])('refuses a retry with %s %j', (name, value) => {
    expect(() => {
      collector().actions.dispatchTask({ type: 'resize', ...TO, retry: { [name]: value } })
    }).toThrow(invalid(new RegExp(`^task 'resize': retry\\.${name} must be `)))
  })

  it.each(['', 'x'.repeat(129)])('refuses a type that no worker could offer: %j', (type) => {
    expect(() => {
      collector().actions.dispatchTask({ type, ...TO })
    }).toThrow(invalid(/type must have 1 to 128 characters/))
  })

  it('says which option is missing when an author has no compiler to say so', () => {
    const { dispatchTask } = collector().actions
    expect(() => {
      dispatchTask(careless<DispatchByName>({ ...TO }))
    }).toThrow(invalid(/^dispatchTask: type is missing/))
    expect(() => {
      dispatchTask(careless<DispatchByName>({ type: 'resize' }))
    }).toThrow(invalid(/^dispatchTask: transitions must be given/))
  })

  // D-29: what was declared for failures was never used; so it must be declared to be asked for.
  it('refuses onFailure without a way to go, and a way that it does not know (D-29)', () => {
    const { dispatchTask } = collector().actions
    const problem =
      /^dispatchTask: onFailure can be 'transition', and needs transitions\.failure\.$/
    expect(() => {
      dispatchTask({ type: 'resize', ...TO, onFailure: 'transition' })
    }).toThrow(invalid(problem))
    expect(() => {
      const transitions = { success: 'done', failure: 'repair' }
      dispatchTask(careless<DispatchByName>({ type: 'resize', transitions, onFailure: 'ignore' }))
    }).toThrow(invalid(problem))
  })

  it('refuses params that are no JSON, and names the place', () => {
    expect(() => {
      collector().actions.dispatchTask({ type: 'resize', params: { at: [NaN] }, ...TO })
    }).toThrow('params.at[0] is NaN')
  })

  it('refuses requirements that are no JSON, and names the place', () => {
    const resourceRequirements = { gpu: new Map() }
    expect(() => {
      collector().actions.dispatchTask({ type: 'resize', ...TO, resourceRequirements })
    }).toThrow('resourceRequirements.gpu is an instance of Map')
  })

  it('refuses transitions to a state that is not there', () => {
    const { dispatchTask } = collector().actions
    expect(() => {
      dispatchTask({ type: 'resize', transitions: { success: 'nowhere' } })
    }).toThrow('no such state')
    expect(() => {
      dispatchTask({ type: 'resize', ...TO, eventTransitions: { half_way: 'nowhere' } })
    }).toThrow('no such state')
  })
})

describe('a dispatch by contract', () => {
  const resize = defineTask('resize', {
    params: z.object({ width: z.number().positive(), fit: z.string().default('cover') }),
  })

  it('takes name, checks and defaults from the contract', async () => {
    const action = await decidedBy((actions) => {
      actions.dispatchTask({ type: resize, params: { width: 10, fit: 'cover' }, ...TO })
    })
    expect(action).toMatchObject({
      task: { demand: { type: 'resize' }, params: { width: 10, fit: 'cover' } },
    })
  })

  it('refuses params that do not match, and names task and place', () => {
    expect(() => {
      collector().actions.dispatchTask({ type: resize, params: { width: -1, fit: 'x' }, ...TO })
    }).toThrow(/params of task resize do not match its contract: width: /)
  })

  it('checks the params of a branch too', () => {
    const tasks = { big: { type: resize, params: { width: -1 } } }
    expect(() => {
      collector().actions.dispatchParallel({ tasks, aggregateInto: 'collect' })
    }).toThrow(/params of task resize do not match its contract: width: /)
  })
})

// D-34: branches had random ids only, and none at all hung the job.
describe('a dispatchParallel', () => {
  const branchesOf = async (
    options: Parameters<Actions['dispatchParallel']>[0],
  ): Promise<[string, string][]> => {
    const action = await decidedBy((actions) => {
      actions.dispatchParallel(options)
    })
    if (action?.type !== 'dispatch_parallel') throw new Error('It decided something else.')
    return action.tasks.map(({ name, spec }) => [name, spec.demand.type])
  }

  it('names the branches of a list by their place, or as they say (D-34)', async () => {
    const tasks = [{ type: 'a' }, { task_type: 'b', name: 'second' }, { type: 'c' }]
    expect(await branchesOf({ tasks, aggregateInto: 'collect' })).toEqual([
      ['0', 'a'],
      ['second', 'b'],
      ['2', 'c'],
    ])
  })

  it('names the branches of a map by their keys, in order (D-34)', async () => {
    const tasks = { zebra: { type: 'a' }, ant: { task_type: 'b' } }
    expect(await branchesOf({ tasks, aggregateInto: 'collect' })).toEqual([
      ['zebra', 'a'],
      ['ant', 'b'],
    ])
  })

  it('takes no branches at all, in either form (D-34)', async () => {
    expect(await branchesOf({ tasks: [], aggregateInto: 'collect' })).toEqual([])
    expect(await branchesOf({ tasks: {}, aggregateInto: 'collect' })).toEqual([])
  })

  // D-84: a version that nobody asked for ruled workers out, of branches only.
  it('becomes complete tasks with options of their own, and no others (D-84)', async () => {
    const action = await decidedBy((actions) => {
      actions.dispatchParallel({
        tasks: {
          picky: { type: 'a', params: { n: 1 }, priority: 3, timeout: 2, retry: { attempts: 1 } },
          plain: { type: 'b' },
        },
        aggregateInto: 'collect',
        concurrency: 2,
        failFast: true,
      })
    })
    const plain = {
      demand: { type: 'b' },
      params: {},
      priority: 0,
      strategy: 'default',
      dispatchTimeoutMs: null,
      executionTimeoutMs: 300_000,
      resultTimeoutMs: null,
      retry: null,
    }
    const picky = {
      ...plain,
      demand: { type: 'a' },
      params: { n: 1 },
      priority: 3,
      executionTimeoutMs: 2_000,
      retry: { ...RETRY, maxRetries: 0 },
    }
    expect(action).toEqual({
      type: 'dispatch_parallel',
      tasks: [
        { name: 'picky', spec: picky },
        { name: 'plain', spec: plain },
      ],
      aggregateInto: { state: 'collect' },
      concurrency: 2,
      failFast: true,
    })
  })

  it('lets all branches out at once, and failures through to the aggregator, unless told', async () => {
    const action = await decidedBy((actions) => {
      actions.dispatchParallel({ tasks: [{ type: 'a' }], aggregateInto: 'collect' })
    })
    expect(action).toMatchObject({ concurrency: null, failFast: false })
  })

  it.each([
    ['no tasks', {}, /^dispatchParallel: tasks must be given/],
    ['tasks that are null', { tasks: null }, /^dispatchParallel: tasks must be given/],
    ['a concurrency of 0', { tasks: [], concurrency: 0 }, /concurrency must be a whole number/],
    ['a concurrency of 1.5', { tasks: [], concurrency: 1.5 }, /concurrency must be a whole number/],
    ['a branch without a type', { tasks: { a: {} } }, /branch 'a': type is missing/],
    ['a listed branch without a type', { tasks: [{}] }, /branch '0': type is missing/],
    [
      'two branches of one name',
      {
        tasks: [
          { type: 'a', name: 'x' },
          { type: 'b', name: 'x' },
        ],
      },
      /two branches have the same name: 'x'/,
    ],
    [
      'a name that is the place of another',
      { tasks: [{ type: 'a', name: '1' }, { type: 'b' }] },
      /two branches have the same name: '1'/,
    ],
    ['a branch with a bad time', { tasks: [{ type: 'a', timeout: 0 }] }, /'a': timeout must be/],
  ])('refuses %s', (_what, options, message) => {
    expect(() => {
      collector().actions.dispatchParallel(careless({ aggregateInto: 'collect', ...options }))
    }).toThrow(invalid(message))
  })

  it('refuses an aggregator that is not there', () => {
    expect(() => {
      collector().actions.dispatchParallel({ tasks: [], aggregateInto: 'nowhere' })
    }).toThrow('no such state')
  })
})

// D-33: there was no timeout and nothing said who decided what.
describe('a request for approval', () => {
  const ASK = { integration: 'slack', message: 'Pay 300?', transitions: { yes: 'pay', no: 'end' } }

  it('becomes decisions and what follows when nobody takes one (D-33)', async () => {
    const action = await decidedBy((actions) => {
      actions.awaitHumanApproval({ ...ASK, timeout: 3600, onTimeout: 'remind' })
    })
    expect(action).toEqual({
      type: 'await_approval',
      integration: 'slack',
      message: 'Pay 300?',
      transitions: { yes: { state: 'pay' }, no: { state: 'end' } },
      timeoutMs: 3_600_000,
      onTimeout: { state: 'remind' },
    })
  })

  it('waits for as long as it takes unless told', async () => {
    const action = await decidedBy((actions) => {
      actions.awaitHumanApproval(ASK)
    })
    expect(action).toMatchObject({ timeoutMs: null, onTimeout: null })
  })

  it('may last longer than any task: a year', async () => {
    const action = await decidedBy((actions) => {
      actions.awaitHumanApproval({ ...ASK, timeout: 365 * 86_400 })
    })
    expect(action).toMatchObject({ timeoutMs: 365 * 86_400_000 })
  })

  it.each([
    ['without a decision', { transitions: {} }, /awaitHumanApproval: transitions has no decision/],
    ['without transitions', { transitions: undefined }, /transitions must be given/],
    ['with a time of 0', { timeout: 0 }, /awaitHumanApproval: timeout must be more than 0/],
    ['for longer than ten years', { timeout: 4e8 }, /timeout must be more than 0 and at most/],
    ['without a message', { message: undefined }, /awaitHumanApproval: message must be a text/],
    ['without an integration', { integration: undefined }, /integration must be a text/],
  ])('is refused %s', (_what, options, message) => {
    expect(() => {
      collector().actions.awaitHumanApproval(careless({ ...ASK, ...options }))
    }).toThrow(invalid(message))
  })

  it.each([{ transitions: { yes: 'nowhere' } }, { onTimeout: 'nowhere' }])(
    'is refused when it leads to a state that is not there: %j',
    (options) => {
      expect(() => {
        collector().actions.awaitHumanApproval({ ...ASK, ...options })
      }).toThrow('no such state')
    },
  )
})

// D-36: a child started in a state named `start`, whatever its blueprint was.
describe('a runBlueprint', () => {
  const RUN = { name: 'invoice', transitions: { success: 'next', failure: 'repair' } }

  it('becomes a child that starts where its blueprint does, within its limits (D-36)', async () => {
    const action = await decidedBy((actions) => {
      actions.runBlueprint({
        ...RUN,
        version: 'v2',
        initialData: { total: 300 },
        timeouts: { dispatch: 1, result: 2, total: 3 },
      })
    })
    expect(action).toEqual({
      type: 'run_child',
      child: {
        blueprint: { name: 'invoice', version: 'v2', hash: 'h' },
        start: { state: 'begin' },
        initialData: { total: 300 },
        dispatchTimeoutMs: 1_000,
        resultTimeoutMs: 2_000,
        timeoutMs: 3_000,
      },
      transitions: { success: { state: 'next' }, failure: { state: 'repair' } },
    })
  })

  it('takes the time limit of its blueprint when it says none', async () => {
    const action = await decidedBy((actions) => {
      actions.runBlueprint(RUN)
    })
    expect(action).toMatchObject({
      child: {
        initialData: {},
        dispatchTimeoutMs: null,
        resultTimeoutMs: null,
        timeoutMs: 90_000,
      },
    })
  })

  it('hands over its data as they were when it was called', async () => {
    const run = collector()
    const initialData = { total: 300 }
    run.actions.runBlueprint({ ...RUN, initialData })
    initialData.total = 0
    expect((await run.decided()).action).toMatchObject({ child: { initialData: { total: 300 } } })
  })

  it('looks for its blueprint only when the handler has ended, and once', async () => {
    const orders: ChildOrder[] = []
    const run = collector({
      child: (order) => {
        orders.push(order)
        return Promise.reject(new Error('no such blueprint'))
      },
    })
    run.actions.runBlueprint({ ...RUN, name: 'unknown' })
    expect(orders).toEqual([])
    await expect(run.decided()).rejects.toThrow('no such blueprint')
    expect(orders).toEqual([{ name: 'unknown', initialData: {} }])
  })

  it.each(['dispatch', 'result', 'total'])('refuses a limit %s of 0', (limit) => {
    expect(() => {
      collector().actions.runBlueprint({ ...RUN, timeouts: { [limit]: 0 } })
    }).toThrow(invalid(new RegExp(`^runBlueprint 'invoice': timeouts\\.${limit} must be more`)))
  })

  it.each([
    ['no name', { name: undefined }, /^runBlueprint: name is missing/],
    ['an empty name', { name: '' }, /^runBlueprint: name is missing/],
    ['no transitions', { transitions: undefined }, /transitions must be given/],
  ])('refuses %s', (_what, options, message) => {
    expect(() => {
      collector().actions.runBlueprint(careless({ ...RUN, ...options }))
    }).toThrow(invalid(message))
  })

  it('refuses data that are no JSON, and a state that is not there', () => {
    const { runBlueprint } = collector().actions
    expect(() => {
      runBlueprint({ ...RUN, initialData: { at: [undefined, NaN] } })
    }).toThrow('initialData.at[1] is NaN')
    expect(() => {
      runBlueprint({ ...RUN, transitions: { success: 'nowhere' } })
    }).toThrow('no such state')
  })
})

describe('a sleep', () => {
  const sleeping = (options: SleepOptions): Promise<Action | undefined> =>
    decidedBy((actions) => {
      actions.sleep(options)
    })

  it('lasts for seconds, or until a moment', async () => {
    const next = { state: 'wake' }
    expect(await sleeping({ seconds: 1.5, next: 'wake' })).toEqual({
      type: 'sleep',
      until: { ms: 1_500 },
      next,
    })
    expect(await sleeping({ until: new Date(1_000), next: 'wake' })).toEqual({
      type: 'sleep',
      until: { at: 1_000 },
      next,
    })
  })

  it('may be no sleep at all', async () => {
    expect(await sleeping({ seconds: 0, next: 'wake' })).toMatchObject({ until: { ms: 0 } })
  })

  it.each([
    ['neither', { next: 'wake' }, /^sleep: give seconds or until/],
    ['a time below 0', { seconds: -1, next: 'wake' }, /^sleep: seconds must be more than 0/],
    ['a time without end', { seconds: Infinity, next: 'wake' }, /^sleep: seconds must be/],
    ['a moment that is none', { until: new Date(NaN), next: 'wake' }, /until must be a valid Date/],
    ['a moment as text', { until: '2030-01-01', next: 'wake' }, /until must be a valid Date/],
  ])('is refused with %s', (_what, options, message) => {
    expect(() => {
      collector().actions.sleep(careless(options))
    }).toThrow(invalid(message))
  })

  it('is refused when it leads to a state that is not there', () => {
    expect(() => {
      collector().actions.sleep({ seconds: 1, next: 'nowhere' })
    }).toThrow('no such state')
  })
})

describe('a wait for an event', () => {
  const transitions = { received: 'pay', timeout: 'remind' }

  it('becomes what to wait for, how long, and where to go', async () => {
    const action = await decidedBy((actions) => {
      actions.waitForEvent({ name: 'paid', match: { order: 7 }, timeout: 60, transitions })
    })
    expect(action).toEqual({
      type: 'wait_for_event',
      name: 'paid',
      match: { order: 7 },
      timeoutMs: 60_000,
      received: { state: 'pay' },
      timeout: { state: 'remind' },
    })
  })

  it('takes any event of the name, for as long as it takes, unless told', async () => {
    const action = await decidedBy((actions) => {
      actions.waitForEvent({ name: 'paid', transitions: { received: 'pay' } })
    })
    expect(action).toMatchObject({ match: null, timeoutMs: null, timeout: null })
  })

  it.each([
    ['no name', { name: undefined, transitions }, /^waitForEvent: name is missing/],
    ['an empty name', { name: '', transitions }, /^waitForEvent: name is missing/],
    ['a time of 0', { timeout: 0, transitions }, /^waitForEvent 'paid': timeout must be more/],
    ['no transitions', {}, /^waitForEvent 'paid': transitions\.received is missing/],
    ['no way to go', { transitions: {} }, /^waitForEvent 'paid': transitions\.received is missing/],
  ])('is refused with %s', (_what, options, message) => {
    expect(() => {
      collector().actions.waitForEvent(careless({ name: 'paid', ...options }))
    }).toThrow(invalid(message))
  })

  it('is refused when what to match is no object', () => {
    expect(() => {
      collector().actions.waitForEvent(careless({ name: 'paid', match: 'x', transitions }))
    }).toThrow('match is not an object')
  })

  it.each([{ received: 'nowhere' }, { received: 'pay', timeout: 'nowhere' }])(
    'is refused when it leads to a state that is not there: %j',
    (to) => {
      expect(() => {
        collector().actions.waitForEvent({ name: 'paid', transitions: to })
      }).toThrow('no such state')
    },
  )
})

describe('an event that a handler sends', () => {
  const events = new Map([['paid', z.object({ sum: z.number() })]])

  it.each([undefined, '', 'x'.repeat(129), 7])('is refused under the name %j', (name) => {
    expect(() => {
      collector().actions.sendEvent(careless({ name }))
    }).toThrow(invalid(/^sendEvent: name must have 1 to 128 characters/))
  })

  it('is refused with data that are no JSON, and names the place', () => {
    expect(() => {
      collector().actions.sendEvent({ name: 'paid', data: { sum: NaN } })
    }).toThrow('data.sum is NaN')
  })

  it('must fit the schema that its blueprint gives the event', async () => {
    const [good, bad] = [collector({ events }), collector({ events })]
    good.actions.sendEvent({ name: 'paid', data: { sum: 1 } })
    bad.actions.sendEvent({ name: 'paid', data: { sum: 'one' } })
    expect((await good.decided()).remarks.sent).toHaveLength(1)
    await expect(bad.decided()).rejects.toThrow(
      invalid(/^The data of event 'paid' do not fit: sum: /),
    )
  })

  it('may say anything under a name that has no schema', async () => {
    const run = collector({ events })
    run.actions.sendEvent({ name: 'constructor', data: { sum: 'one' } })
    expect((await run.decided()).remarks.sent).toHaveLength(1)
  })

  it('says what it said when it was sent', async () => {
    const run = collector()
    const data = { sum: 1 }
    run.actions.sendEvent({ name: 'paid', data })
    run.actions.updateContext(data)
    data.sum = 2
    expect((await run.decided()).remarks).toMatchObject({
      sent: [{ data: { sum: 1 } }],
      updates: { sum: 1 },
    })
  })
})

describe('an update of the context', () => {
  it.each([
    ['a list', [1], 'updateContext is not an object'],
    ['a text', 'x', 'updateContext is not an object'],
    ['what is no JSON', { at: { n: 1n } }, 'updateContext.at.n is of type bigint'],
  ])('is refused with %s', (_what, data, message) => {
    expect(() => {
      collector().actions.updateContext(careless(data as object))
    }).toThrow(expect.objectContaining({ code: 'DATA_NOT_JSON' }))
    expect(() => {
      collector().actions.updateContext(careless(data as object))
    }).toThrow(message)
  })
})
