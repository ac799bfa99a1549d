/** What the compiler promises to authors; `tsc` runs these, vitest only their few values. */
import { defineTask, type JsonObject, type JsonValue } from '@avtomatika/protocol'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import type { Actions } from '../src/blueprint/actions.ts'
import { Blueprint, type AggregationResult } from '../src/index.ts'
import type { BranchResult } from '../src/job/task.ts'
import type { Approval, ChildReport, ReceivedEvent } from '../src/job/wait.ts'

const input = z.object({ orderId: z.string(), amount: z.number().optional() })
const charge = defineTask('charge', { params: z.object({ amount: z.number() }) })

/** Registers nothing and runs nothing: the bodies are for the compiler. */
const typed = new Blueprint('typed', { input })
const free = new Blueprint('free')
const noop = (): void => undefined

describe('the types of a handler', () => {
  it('follow the input schema, in initialData and by name', () => {
    typed.state('a', { start: true }, ({ initialData, orderId, amount, jobId, actions }) => {
      expectTypeOf(initialData).toEqualTypeOf<{ orderId: string; amount?: number | undefined }>()
      expectTypeOf(orderId).toEqualTypeOf<string>()
      expectTypeOf(amount).toEqualTypeOf<number | undefined>()
      expectTypeOf(jobId).toEqualTypeOf<string>()
      // @ts-expect-error the schema has no such key
      expectTypeOf(initialData.orderID).toEqualTypeOf<string>()
      actions.goTo('b')
    })
    expect(typed.name).toBe('typed')
  })

  it('are plain JSON without a schema, and unknown by name', () => {
    free.state('a', { start: true }, ({ initialData, anything, stateHistory, actions }) => {
      expectTypeOf(initialData).toEqualTypeOf<JsonObject>()
      expectTypeOf(stateHistory).toEqualTypeOf<JsonObject>()
      expectTypeOf(anything).toEqualTypeOf<unknown>()
      actions.goTo('b')
    })
    expect(free.name).toBe('free')
  })

  it('keep data read-only', () => {
    free.state('b', ({ initialData, stateHistory, actions }) => {
      // @ts-expect-error handlers do not write into the job
      initialData['n'] = 1
      // @ts-expect-error handlers do not write into the job
      stateHistory['n'] = 1
      actions.goTo('a')
    })
    expect(free.check().filter(({ level }) => level === 'error')).toEqual([])
  })
})

describe('the types of a dispatch', () => {
  it('take the params from the contract', () => {
    free.state('c', ({ actions }) => {
      const transitions = { success: 'a' }
      actions.dispatchTask({ type: charge, params: { amount: 1 }, transitions })
      // @ts-expect-error amount is a number
      actions.dispatchTask({ type: charge, params: { amount: '1' }, transitions })
      // @ts-expect-error the contract asks for params
      actions.dispatchTask({ type: charge, transitions })
      // @ts-expect-error a dispatch says where to go
      actions.dispatchTask({ type: 'charge' })
      // @ts-expect-error states have names
      actions.goTo()
    })
    expect(free.name).toBe('free')
  })

  it('take any object with a bare name', () => {
    interface Params {
      readonly width: number
    }
    const params: Params = { width: 1 }
    free.state('d', ({ actions }) => {
      actions.dispatchTask({ type: 'resize', params, transitions: { success: 'a' } })
      // @ts-expect-error params are an object
      actions.dispatchTask({ type: 'resize', params: 'wide', transitions: { success: 'a' } })
    })
    expect(free.name).toBe('free')
  })
})

describe('the types of what a wait brought', () => {
  it('are those of a decision, a child, an event and the branches', () => {
    typed.state('waited', ({ approval, child, event, branches, aggregationResults, actions }) => {
      expectTypeOf(approval).toEqualTypeOf<Approval | undefined>()
      expectTypeOf(approval?.actor).toEqualTypeOf<string | null | undefined>()
      expectTypeOf(approval?.data).toEqualTypeOf<JsonObject | null | undefined>()
      expectTypeOf(child).toEqualTypeOf<ChildReport | undefined>()
      expectTypeOf(child?.outcome).toEqualTypeOf<'success' | 'failure' | undefined>()
      expectTypeOf(child?.result).toEqualTypeOf<JsonValue | undefined>()
      expectTypeOf(event).toEqualTypeOf<ReceivedEvent | undefined>()
      expectTypeOf(event?.data).toEqualTypeOf<JsonObject | undefined>()
      expectTypeOf(branches).toEqualTypeOf<readonly BranchResult[]>()
      expectTypeOf(aggregationResults).toEqualTypeOf<Readonly<Record<string, AggregationResult>>>()
      expectTypeOf<keyof AggregationResult>().toEqualTypeOf<'status' | 'data' | 'error'>()
      // @ts-expect-error not every state comes after a decision
      expectTypeOf(approval.decision).toEqualTypeOf<string>()
      // @ts-expect-error what a wait brought is not for writing
      if (approval !== undefined) approval.decision = 'approved'
      actions.goTo('b')
    })
    expect(typed.name).toBe('typed')
  })

  it('are the same without a schema, in an aggregator and in a condition', () => {
    free.aggregator('collect', ({ branches, jobId, attempt, currentState, actions }) => {
      expectTypeOf(branches[0]).toEqualTypeOf<BranchResult | undefined>()
      expectTypeOf(jobId).toEqualTypeOf<string>()
      expectTypeOf(attempt).toEqualTypeOf<number>()
      expectTypeOf(currentState).toEqualTypeOf<string>()
      actions.goTo('a')
    })
    typed.when(
      ({ initialData, orderId, event }) => {
        expectTypeOf(orderId).toEqualTypeOf<string>()
        expectTypeOf(event).toEqualTypeOf<ReceivedEvent | undefined>()
        return (initialData.amount ?? 0) > 3
      },
      ({ amount, actions }) => {
        expectTypeOf(amount).toEqualTypeOf<number | undefined>()
        actions.goTo('b')
      },
    )
    // @ts-expect-error a condition is answered at once, with yes or no
    typed.when(async () => Promise.resolve(true), noop)
    // @ts-expect-error a condition is text or a function
    expect(() => typed.when(7, noop)).toThrow()
    // @ts-expect-error an aggregator has a handler
    expect(() => free.aggregator('bare', {})).toThrow('no handler')
    expect(free.name).toBe('free')
  })

  it('are those of the host for its own data stores: what it gets is unknown', () => {
    free.state('stores', async ({ dataStores, actions }) => {
      expectTypeOf(await dataStores['prefs']?.get('user-1')).toEqualTypeOf<unknown>()
      actions.goTo('a')
    })
    expect(free.name).toBe('free')
  })
})

/** Calls that only the compiler sees: none of these handlers ever runs. */
describe('the types of actions', () => {
  it('take every option of a dispatch, and no other', () => {
    free.state('dispatch', ({ actions }) => {
      const transitions = { success: 'a', failure: 'a' }
      actions.dispatchTask({
        type: 'resize',
        transitions,
        eventTransitions: { half_way: 'a' },
        onFailure: 'transition',
        dispatchStrategy: 'my_own',
        resourceRequirements: { gpu_info: { vram_gb: 24 } },
        dispatchTimeout: 1,
        resultTimeout: 1,
        timeout: 1,
        maxCost: 1,
        priority: 1,
        skillVersion: '1',
        skillType: 'gpu',
        retry: { attempts: 1, initialDelay: 1, factor: 1, maxDelay: 1, jitter: 0 },
      })
      // @ts-expect-error there is no such option
      actions.dispatchTask({ type: 'resize', transitions, timeoutMs: 5 })
      // @ts-expect-error times are in seconds, as numbers
      actions.dispatchTask({ type: 'resize', transitions, timeout: '5s' })
      // @ts-expect-error a failure ends the job or takes its transition
      actions.dispatchTask({ type: 'resize', transitions, onFailure: 'ignore' })
      // @ts-expect-error a retry counts its attempts
      actions.dispatchTask({ type: 'resize', transitions, retry: { max: 3 } })
      // @ts-expect-error states have names
      actions.dispatchTask({ type: 'resize', transitions: { success: 1 } })
    })
    expect(free.name).toBe('free')
  })

  it('take branches as a list or by name', () => {
    free.state('parallel', ({ actions }) => {
      const aggregateInto = 'collect'
      actions.dispatchParallel({ tasks: [{ type: 'a' }, { task_type: 'b' }], aggregateInto })
      const branch = { type: 'a', params: { n: 1 }, priority: 1, retry: { attempts: 1 } }
      actions.dispatchParallel({ tasks: { one: branch }, aggregateInto, concurrency: 2 })
      actions.dispatchParallel({ tasks: [], aggregateInto, failFast: true })
      // @ts-expect-error branches come together somewhere
      actions.dispatchParallel({ tasks: [] })
      // @ts-expect-error a branch leads to the aggregator and nowhere else
      actions.dispatchParallel({ tasks: [{ type: 'a', transitions: {} }], aggregateInto })
      // @ts-expect-error a branch is no bare name
      actions.dispatchParallel({ tasks: ['a'], aggregateInto })
    })
    expect(free.name).toBe('free')
  })

  it('take the other waits, each with where it leads', () => {
    free.state('waits', ({ actions }) => {
      const ask = { integration: 'mail', message: 'Pay?' }
      actions.awaitHumanApproval({ ...ask, transitions: { yes: 'a' }, timeout: 1, onTimeout: 'a' })
      // @ts-expect-error a decision leads somewhere
      actions.awaitHumanApproval(ask)
      // @ts-expect-error somebody must know what to decide
      actions.awaitHumanApproval({ integration: 'mail', transitions: { yes: 'a' } })

      const run = { name: 'invoice', transitions: { success: 'a', failure: 'a' } }
      actions.runBlueprint({ ...run, version: 'v1', initialData: { n: 1 }, timeouts: { total: 1 } })
      // @ts-expect-error there is no such limit
      actions.runBlueprint({ ...run, timeouts: { all: 1 } })
      // @ts-expect-error a child's end leads somewhere
      actions.runBlueprint({ name: 'invoice' })

      actions.sleep({ seconds: 1, next: 'a' })
      actions.sleep({ until: new Date(), next: 'a' })
      // @ts-expect-error a sleep leads somewhere
      actions.sleep({ seconds: 1 })
      // @ts-expect-error a moment is a Date
      actions.sleep({ until: '2030-01-01', next: 'a' })

      const transitions = { received: 'a', timeout: 'a' }
      actions.waitForEvent({ name: 'paid', match: { n: 1 }, timeout: 1, transitions })
      // @ts-expect-error an event leads somewhere when it comes
      actions.waitForEvent({ name: 'paid', transitions: { timeout: 'a' } })
      // @ts-expect-error it comes, or it does not; there is no third way
      actions.waitForEvent({ name: 'paid', transitions: { received: 'a', failure: 'a' } })
    })
    expect(free.name).toBe('free')
  })

  it('take what is said beside the action', () => {
    free.state('beside', ({ actions }) => {
      actions.sendEvent({ name: 'begun', data: { n: 1 }, jobId: 'job-1' })
      actions.updateContext({ n: 1 })
      // @ts-expect-error an event has a name
      actions.sendEvent({ data: { n: 1 } })
      // @ts-expect-error the context has keys
      actions.updateContext('n')
      actions.goTo('a')
    })
    expectTypeOf<ReturnType<Actions['sendEvent']>>().toEqualTypeOf<void>()
    expect(free.name).toBe('free')
  })
})

describe('the types of a blueprint', () => {
  it('take schemas and a time in seconds', () => {
    new Blueprint('b', { output: input, events: { paid: input }, timeout: 60 })
    // @ts-expect-error a schema is a schema
    new Blueprint('b', { output: { amount: 'number' } })
    // @ts-expect-error a time is a number
    expect(() => new Blueprint('b', { timeout: '60s' })).toThrow('timeout')
    // @ts-expect-error an end is true, false, finished or failed
    expect(() => new Blueprint('b').state('a', { end: 'cancelled' })).not.toThrow()
    expect(free.name).toBe('free')
  })

  it('return the blueprint from every declaration, with its schema', () => {
    const same = new Blueprint('same', { input })
    expectTypeOf(same.state('a', { end: true })).toEqualTypeOf(same)
    expectTypeOf(same.when(() => true, noop)).toEqualTypeOf(same)
    expectTypeOf(same.aggregator('c', noop)).toEqualTypeOf(same)
    expectTypeOf(same.event('e', input)).toEqualTypeOf(same)
    expect(same.name).toBe('same')
  })
})
