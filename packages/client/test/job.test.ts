import { afterEach, describe, expect, expectTypeOf, it, vi } from 'vitest'

import { AvtomatikaClient, InputError, JobFailedError, resultOf } from '../src/index.ts'
import type { Job, JobStatus } from '../src/index.ts'
import { readJob } from '../src/job.ts'
import { aJobDocument, thrownBy } from './setup.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('a job', () => {
  it('is read with all its fields; times are ms', () => {
    const error = { code: 'PERMANENT_ERROR', message: 'no such codec', details: { codec: 'x' } }
    const document = aJobDocument({ status: 'failed', error, progress: 0.4, task_worker_id: 'w' })
    expect(readJob(document)).toEqual({
      id: 'job-1',
      status: 'failed',
      currentState: 'start',
      blueprintName: 'orders',
      blueprintVersion: '2',
      initialData: { items: [1] },
      stateHistory: {},
      progress: 0.4,
      progressMessage: null,
      error,
      result: null,
      retryCount: 0,
      currentTaskId: null,
      workerId: 'w',
      parentJobId: null,
      childJobId: null,
      depth: null,
      approval: null,
      branches: null,
      waitingForEvent: null,
      wakesAt: null,
      deadlineAt: null,
      createdAt: Date.UTC(2026, 0, 1),
      updatedAt: Date.UTC(2026, 0, 1, 0, 0, 1),
      finishedAt: null,
      raw: document,
    })
  })

  it('tells what it waits for', () => {
    const approval = {
      id: 'job-1.a1',
      integration: 'slack',
      message: 'Refund?',
      decisions: ['approved', 'rejected'],
      expires_at: '2026-01-01T01:00:00.000Z',
      links: { approved: '/_public/webhooks/approval/job-1?token=x', broken: 7 },
    }
    const branches = { total: 5, done: 1, failed: 1, running: 2, waiting: 1 }
    const times = { wakes_at: '2026-01-01T00:00:10.000Z', deadline_at: '2026-01-02T00:00:00.000Z' }
    const waits = { approval, branches, waiting_for_event: 'paid', child_job_id: 'job-2', depth: 1 }
    expect(readJob(aJobDocument({ ...waits, ...times }))).toMatchObject({
      approval: {
        id: 'job-1.a1',
        integration: 'slack',
        message: 'Refund?',
        decisions: ['approved', 'rejected'],
        expiresAt: Date.UTC(2026, 0, 1, 1),
        links: { approved: '/_public/webhooks/approval/job-1?token=x' },
      },
      branches,
      waitingForEvent: 'paid',
      childJobId: 'job-2',
      depth: 1,
      wakesAt: Date.UTC(2026, 0, 1, 0, 0, 10),
      deadlineAt: Date.UTC(2026, 0, 2),
    })
  })

  it('reads what it can of a wait that is described in other words', () => {
    expect(readJob(aJobDocument({ approval: {}, branches: { total: '5' } }))).toMatchObject({
      approval: { message: '', decisions: [], expiresAt: null, links: {} },
      branches: { total: 0, waiting: 0 },
    })
    expect(readJob(aJobDocument({ approval: true, branches: [1] }))).toMatchObject({
      approval: null,
      branches: null,
    })
  })

  it('of a server that sends a compact view has null for the rest (D-66)', () => {
    const compact = { job_id: 'job-1', status: 'waiting_for_parallel', blueprint_name: 'orders' }
    const job = readJob(compact)
    expect(job).toMatchObject({ id: 'job-1', status: 'waiting_for_parallel', raw: compact })
    const { id: _id, status: _status, blueprintName: _name, raw: _raw, ...rest } = job
    expect(new Set(Object.values(rest))).toEqual(new Set([null]))
  })

  it('keeps unknown fields, and fields of another type, in raw only', () => {
    const job = readJob(aJobDocument({ mood: 'good', progress: '40%', retry_count: null }))
    expect(job).toMatchObject({ progress: null, retryCount: null })
    expect(job.raw).toMatchObject({ mood: 'good', progress: '40%' })
  })

  it('takes the text of an older server as its error only once it has ended badly', () => {
    const text = { error: undefined, error_message: 'disk full' }
    expect(readJob(aJobDocument(text)).error).toBeNull()
    expect(readJob(aJobDocument({ ...text, status: 'finished' })).error).toBeNull()
    expect(readJob(aJobDocument({ ...text, status: 'failed' })).error).toEqual({
      code: 'UNKNOWN',
      message: 'disk full',
      details: undefined,
    })
  })

  it.each([
    ['2026-01-01T00:00:00.000Z', Date.UTC(2026, 0, 1)],
    ['2026-01-01T02:00:00+02:00', Date.UTC(2026, 0, 1)],
    ['2026-01-01T00:00:00.123456', Date.UTC(2026, 0, 1) + 123],
    [1_767_225_600.5, 1_767_225_600_500],
    ['soon', null],
    [null, null],
  ])('reads the time %j the same in every time zone', (value, expected) => {
    vi.stubEnv('TZ', 'Asia/Tokyo')
    expect(readJob(aJobDocument({ created_at: value })).createdAt).toBe(expected)
  })
})

describe('resultOf', () => {
  it('gives the result of a finished job', () => {
    const job = readJob<number>(aJobDocument({ status: 'finished', result: 42 }))
    expect(resultOf(job)).toBe(42)
  })

  it.each([
    ['failed', { code: 'NO_STOCK', message: 'none left' }, 'NO_STOCK', 'none left'],
    ['cancelled', null, 'JOB_CANCELLED', 'ended as cancelled in state start'],
  ])('throws what happened to a job that ended as %s', (status, error, code, text) => {
    const job = readJob(aJobDocument({ status, error }))
    const thrown = thrownBy(() => resultOf(job))
    expect(JobFailedError.is(thrown)).toBe(true)
    expect(thrown).toMatchObject({ code, job, message: expect.stringContaining(text) })
  })

  it('refuses a job that has not ended', () => {
    const thrown = thrownBy(() => resultOf(readJob(aJobDocument())))
    expect(InputError.is(thrown)).toBe(true)
  })
})

describe('types', () => {
  it('carry what the caller says about data and result', () => {
    interface Order {
      readonly items: readonly number[]
    }
    interface Total {
      readonly total: number
    }
    const client = AvtomatikaClient.prototype
    expectTypeOf(client.getJob<Total>).returns.resolves.toEqualTypeOf<Job<Total>>()
    expectTypeOf(client.getJob).returns.resolves.toEqualTypeOf<Job>()
    expectTypeOf(client.run<Total>).returns.resolves.toEqualTypeOf<Job<Total>>()
    expectTypeOf(client.createJob<Order>)
      .parameter(1)
      .toEqualTypeOf<Order>()
    expectTypeOf(resultOf<Total>).returns.toEqualTypeOf<Total>()
    expectTypeOf<Job<Total>['result']>().toEqualTypeOf<Total | null>()
    expectTypeOf<JobStatus>().toExtend<Job['status']>()
    // @ts-expect-error initial data is an object
    void (() => client.createJob('/orders', 'text'))
  })
})
