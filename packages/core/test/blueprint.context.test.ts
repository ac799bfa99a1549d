import { describe, expect, it } from 'vitest'
import type { Actions } from '../src/blueprint/actions.ts'
import { asDataStore, type DataStore } from '../src/blueprint/data-store.ts'
import { handlerContext, type HandlerContext } from '../src/blueprint/handler-context.ts'
import type { Job } from '../src/job/job.ts'
import { aJob } from '../src/testing/index.ts'

const ACTIONS: Actions = {
  transitionTo: () => undefined,
  goTo: () => undefined,
  dispatchTask: () => undefined,
  dispatchParallel: () => undefined,
  awaitHumanApproval: () => undefined,
  runBlueprint: () => undefined,
  sleep: () => undefined,
  waitForEvent: () => undefined,
  sendEvent: () => undefined,
  updateContext: () => undefined,
}

function contextOf(fields: Partial<Job>): HandlerContext {
  return handlerContext(aJob(fields), ACTIONS, {})
}

describe('the context of a handler', () => {
  it('has what the job was created with, and what workers returned, by name', () => {
    const context = contextOf({ initialData: { width: 10 }, stateHistory: { url: 'x' } })
    expect(context).toMatchObject({ width: 10, url: 'x' })
    expect(context['neither']).toBeUndefined()
  })

  it('lets what a worker returned hide a key of the input, which initialData still has', () => {
    const context = contextOf({ initialData: { width: 10 }, stateHistory: { width: 20 } })
    expect(context['width']).toBe(20)
    expect(context.initialData).toEqual({ width: 10 })
  })

  // D-82: a worker must not be able to put its own things under the names that handlers rely on.
  it('lets no data replace a reserved name (D-82)', () => {
    const data = { jobId: 'x', actions: 'x', client: 'x', attempt: 'x', currentState: 'x' }
    const context = contextOf({ initialData: data, stateHistory: { ...data, dataStores: 'x' } })
    expect(context).toMatchObject({
      jobId: 'job-1',
      currentState: 'start',
      attempt: 1,
      client: { id: 'client-1', plan: null, params: {} },
      actions: ACTIONS,
      dataStores: {},
    })
  })

  it('counts the tries of a handler from 1', () => {
    expect(contextOf({ retryCount: 2 }).attempt).toBe(3)
  })

  it.each(['initialData', 'stateHistory', 'metadata'] as const)(
    'does not let a handler change %s, at any depth',
    (name) => {
      const context = contextOf({ [name]: { list: [1], inner: { n: 1 } } })
      const data = context[name] as { list: number[]; inner: { n: number }; more?: number }
      expect(() => (data.more = 1)).toThrow(TypeError)
      expect(() => data.list.push(2)).toThrow(TypeError)
      expect(() => (data.inner.n = 2)).toThrow(TypeError)
    },
  )

  it('does not let one job change what the next one sees of their client', () => {
    const params = { limits: { jobs: 1 } }
    const owner = { clientId: 'c', plan: 'pro', params }
    const { client } = contextOf({ owner })
    const seen = client.params as unknown as { limits: { jobs: number } }
    expect(() => (seen.limits.jobs = 2)).toThrow(TypeError)
    expect(params).toEqual({ limits: { jobs: 1 } })
  })
})

describe('what a wait brought', () => {
  const approval = {
    decision: 'approved',
    actor: 'ann',
    comment: 'fine',
    data: { limit: 3 },
    decidedAt: 1_000,
  }
  const child = {
    jobId: 'job-1-c2',
    outcome: 'failure',
    status: 'quarantined',
    finalState: 'send',
    result: { no: 7 },
    error: { code: 'PERMANENT_ERROR', message: 'no luck' },
  } as const
  const event = { id: 'e1', name: 'paid', data: { sum: 3 }, receivedAt: 1_000 }

  it('is there for the next handler only: nothing without a wait', () => {
    expect(contextOf({ received: null })).toMatchObject({
      approval: undefined,
      child: undefined,
      event: undefined,
      branches: [],
      aggregationResults: {},
    })
  })

  // D-33: nobody could tell who had decided.
  it('is a decision, with who took it and what was said (D-33)', () => {
    const context = contextOf({ received: { kind: 'approval', approval } })
    expect(context.approval).toEqual(approval)
    expect([context.child, context.event, context.branches]).toEqual([undefined, undefined, []])
  })

  // Spec 4.5: a child's data were not handed to its parent.
  it('is the end of a child, with its result and its error', () => {
    expect(contextOf({ received: { kind: 'child', child } }).child).toEqual(child)
  })

  it('is an event, with its data', () => {
    expect(contextOf({ received: { kind: 'event', event } }).event).toEqual(event)
  })

  // D-34: results had random ids only, so that nobody knew which was which.
  it('is what came of each branch, in order and by task id (D-34)', () => {
    const good = {
      name: 'a',
      index: 0,
      taskId: 't-1',
      status: 'success',
      data: { n: 1 },
      error: null,
    }
    const error = { code: 'PERMANENT_ERROR', message: 'no luck' }
    const bad = { name: 'b', index: 1, taskId: 't-2', status: 'failure', data: null, error }
    const context = contextOf({ received: { kind: 'branches', branches: [good, bad] } })
    expect(context.branches).toEqual([good, bad])
    expect(context.aggregationResults).toEqual({
      't-1': { status: 'success', data: { n: 1 }, error: null },
      't-2': { status: 'failure', data: null, error },
    })
  })

  it('cannot be put in its place by a worker or a client (D-82)', () => {
    const data = { approval: 'x', child: 'x', event: 'x', branches: 'x', aggregationResults: 'x' }
    const context = contextOf({ initialData: data, stateHistory: data })
    expect(context).toMatchObject({
      approval: undefined,
      child: undefined,
      event: undefined,
      branches: [],
      aggregationResults: {},
    })
  })

  it('cannot be changed by a handler, at any depth', () => {
    const contexts = [
      contextOf({ received: { kind: 'approval', approval } }).approval?.data,
      contextOf({ received: { kind: 'child', child } }).child?.result,
      contextOf({ received: { kind: 'event', event } }).event?.data,
    ]
    for (const data of contexts) {
      expect(() => Object.assign(data as object, { more: 1 })).toThrow(TypeError)
    }
    expect(approval.data).toEqual({ limit: 3 })
  })
})

describe('a data store', () => {
  it('is made of a plain dictionary, which itself stays as it is', async () => {
    const given = { 'user-1': 'dark' }
    const store = asDataStore(given) as DataStore
    await store.set('user-2', 'light')
    expect(await store.get('user-1')).toBe('dark')
    expect(await store.has('user-2')).toBe(true)
    expect(await store.delete('user-1')).toBe(true)
    expect(await store.get('user-1')).toBeUndefined()
    expect(given).toEqual({ 'user-1': 'dark' })
  })

  it('finds no key that objects merely inherit', async () => {
    const store = asDataStore({}) as DataStore
    expect(await store.get('constructor')).toBeUndefined()
  })

  // D-78: a client of a database was copied like a dictionary and broke.
  it('is the very object when a host gives one of its own (D-78)', () => {
    const redis = new URL('redis://localhost')
    expect(asDataStore(redis)).toBe(redis)
    expect(asDataStore(null)).toBeNull()
  })
})
