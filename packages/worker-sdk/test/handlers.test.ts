import { describe, expect, it } from 'vitest'

import { z } from 'zod'

import {
  defineTask,
  DependencyError,
  IntegrityError,
  InvalidInputError,
  PermanentError,
  ResourceExhaustedError,
  SecurityError,
  taskResult,
  TimeoutError,
  TransientError,
  type Worker,
} from '../src/index.ts'
import type { Bench } from './setup.ts'
import { aTask, openBench } from './setup.ts'

/** What is sent for one task. */
async function resultOf(
  prepare: (worker: Worker) => void,
  task: Record<string, unknown> = {},
): Promise<Record<string, unknown>> {
  const { server, worker }: Bench = await openBench()
  prepare(worker)
  await worker.start()
  server.push(aTask(task))
  return (await server.nth('result', 1)).body
}

describe('what a handler returns', () => {
  const circular: Record<string, unknown> = {}
  circular['self'] = circular
  it.each<[name: string, value: unknown, sent: Record<string, unknown>]>([
    ['an object', { a: 1 }, { status: 'success', data: { a: 1 } }],
    ['nothing', undefined, { status: 'success', data: {} }],
    ['a number (D-43)', 7, { status: 'success', data: { data: 7 } }],
    ['a list', [1], { status: 'success', data: { data: [1] } }],
    ['null', null, { status: 'success', data: { data: null } }],
    ['a date', new Date(0), { status: 'success', data: { data: '1970-01-01T00:00:00.000Z' } }],
    [
      'other keys beside status (D-42)',
      { status: 'x', message: 'y' },
      { data: { status: 'x', message: 'y' } },
    ],
    [
      'the Python form',
      { status: 'retry_later', data: { a: 1 } },
      { status: 'retry_later', data: { a: 1 } },
    ],
    [
      'a failure in the Python form',
      { status: 'failure', error: 'disk full' },
      { status: 'failure', error: { code: 'TRANSIENT_ERROR', message: 'disk full' } },
    ],
    [
      'taskResult',
      taskResult({ status: 'big', data: { a: 1 } }),
      { status: 'big', data: { a: 1 } },
    ],
    [
      'something circular',
      circular,
      { status: 'failure', error: { code: 'CONTRACT_VIOLATION_ERROR' } },
    ],
    ['a BigInt', { n: 1n }, { status: 'failure', error: { code: 'CONTRACT_VIOLATION_ERROR' } }],
  ])('%s', async (_name, value, sent) => {
    expect(await resultOf((worker) => worker.task('echo', () => value))).toMatchObject({
      worker_id: 'w1',
      job_id: 'j1',
      task_id: 't1',
      attempt: 1,
      ...sent,
    })
  })
})

describe('what a handler throws', () => {
  it.each<[error: unknown, code: string]>([
    [new TransientError('m'), 'TRANSIENT_ERROR'],
    [new PermanentError('m'), 'PERMANENT_ERROR'],
    [new InvalidInputError('m'), 'INVALID_INPUT_ERROR'],
    [new ResourceExhaustedError('m'), 'RESOURCE_EXHAUSTED_ERROR'],
    [new TimeoutError('m'), 'TIMEOUT_ERROR'],
    [new SecurityError('m'), 'SECURITY_ERROR'],
    [new DependencyError('m'), 'DEPENDENCY_ERROR'],
    [new IntegrityError('m'), 'INTEGRITY_MISMATCH_ERROR'],
    [new RangeError('m'), 'INTERNAL_ERROR'],
    ['m', 'INTERNAL_ERROR'],
  ])('%s is sent as %s (D-39)', async (error, code) => {
    const body = await resultOf((worker) =>
      worker.task('echo', () => {
        throw error
      }),
    )
    expect(body).toMatchObject({ status: 'failure', error: { code, message: 'm' } })
  })

  it('carries details and the wish to wait (D-15)', async () => {
    const body = await resultOf((worker) =>
      worker.task('echo', () => {
        throw new TransientError('busy', { retryAfterMs: 2500, details: { queue: 3 } })
      }),
    )
    expect(body['error']).toEqual({
      code: 'TRANSIENT_ERROR',
      message: 'busy',
      details: { queue: 3 },
      retry_after: 2.5,
    })
  })

  it('is not asked about tasks that the worker does not know', async () => {
    const body = await resultOf((worker) => worker.task('echo', () => ({})), { type: 'other' })
    expect(body['error']).toEqual({ code: 'PERMANENT_ERROR', message: 'Unsupported task: other' })
  })
})

describe('a contract', () => {
  const pay = defineTask('process_payment', {
    params: z.object({ amount: z.number(), currency: z.string().default('EUR') }),
    result: z.object({ status: z.string(), receipt: z.string().optional() }),
  })

  it('gives the handler parsed params, and a result with a field named status is data', async () => {
    const body = await resultOf(
      (worker) =>
        worker.task(pay, ({ params }) => ({ status: `paid ${params.amount} ${params.currency}` })),
      { type: 'process_payment', params: { amount: 5 } },
    )
    expect(body).toMatchObject({ status: 'success', data: { status: 'paid 5 EUR' } })
  })

  it('refuses wrong params before the handler, with their paths', async () => {
    const body = await resultOf((worker) => worker.task(pay, () => expect.unreachable()), {
      type: 'process_payment',
      params: { amount: 'five' },
    })
    expect(body).toMatchObject({
      status: 'failure',
      error: { code: 'INVALID_INPUT_ERROR', details: { issues: [{ path: 'amount' }] } },
    })
  })

  it('refuses a wrong result', async () => {
    const body = await resultOf(
      // @ts-expect-error the compiler sees it, too
      (worker) => worker.task(pay, () => ({ status: 5 })),
      { type: 'process_payment', params: { amount: 5 } },
    )
    expect(body).toMatchObject({
      status: 'failure',
      error: { code: 'CONTRACT_VIOLATION_ERROR', details: { issues: [{ path: 'status' }] } },
    })
  })

  it('leaves results with a status of their own unchecked', async () => {
    const body = await resultOf(
      (worker) =>
        worker.task(pay, () => taskResult({ status: 'needs_review', data: { score: 1 } })),
      { type: 'process_payment', params: { amount: 5 } },
    )
    expect(body).toMatchObject({ status: 'needs_review', data: { score: 1 } })
  })
})

describe('what a handler is given', () => {
  it('knows its task', async () => {
    const body = await resultOf(
      (worker) =>
        worker.task('echo', ({ logger, signal, progress, hotCache, deadline, ...rest }) => ({
          ...rest,
          deadline: deadline?.getTime() ?? null,
          isAborted: signal.aborted,
        })),
      { params: { a: 1 }, priority: 3, attempt: 2, tracing_context: { traceparent: '00-1' } },
    )
    expect(body['data']).toEqual({
      params: { a: 1 },
      taskId: 't1',
      jobId: 'j1',
      type: 'echo',
      attempt: 2,
      priority: 3,
      deadline: null,
      isAborted: false,
      idempotencyKey: 'j1/echo/t1',
      tracing: { traceparent: '00-1' },
    })
  })

  it('logs with the ids of its own task (D-46)', async () => {
    const { server, worker, logger } = await openBench()
    worker.task('echo', (context) => {
      context.logger.info({ step: 1 }, 'working')
    })
    await worker.start()
    server.push(aTask({ task_id: 'a' }), aTask({ task_id: 'b', job_id: 'j2' }))
    await server.nth('result', 2)
    const lines = logger.lines.filter(({ message }) => message === 'working')
    expect(lines.map(({ fields }) => fields)).toEqual([
      expect.objectContaining({ taskId: 'a', jobId: 'j1', step: 1 }),
      expect.objectContaining({ taskId: 'b', jobId: 'j2', step: 1 }),
    ])
  })

  it('is aborted at its deadline, and a handler that ends by it reports a timeout (D-14)', async () => {
    const { server, clock, worker } = await openBench()
    worker.task('echo', async ({ signal }) => {
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve)
      })
      throw new Error('socket closed by abort')
    })
    await worker.start()
    server.push(aTask({ deadline: clock.now() / 1000 + 90 }))
    await clock.pass(90_000)
    const { body } = await server.nth('result', 1)
    expect(body).toMatchObject({ status: 'failure', error: { code: 'TIMEOUT_ERROR' } })
  })

  it.each([-3 * 3600, 3 * 3600])(
    'keeps its time when the clock of the orchestrator is off by %i s',
    async (offS) => {
      const { server, clock, worker } = await openBench()
      let begin: (deadline: Date | null) => void
      const told = new Promise<Date | null>((resolve) => (begin = resolve))
      worker.task('echo', ({ signal, deadline }) => {
        begin(deadline)
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            reject(new Error('told to stop'))
          })
        })
      })
      await worker.start()
      const endsAt = clock.now() + 90_000
      server.push(aTask({ deadline: endsAt / 1000 + offS, deadline_in: 90 }))
      expect((await told)?.getTime()).toBe(endsAt)
      clock.advance(89_999)
      expect(server.results).toEqual([])
      clock.advance(1)
      const { body } = await server.nth('result', 1)
      expect(body).toMatchObject({ status: 'failure', error: { code: 'TIMEOUT_ERROR' } })
    },
  )

  it('is not called when the deadline has passed already', async () => {
    const body = await resultOf((worker) => worker.task('echo', () => expect.unreachable()), {
      deadline: 1000,
    })
    expect(body).toMatchObject({ error: { code: 'TIMEOUT_ERROR' } })
  })
})

describe('progress', () => {
  it('is sent at most every 200 ms, the last one wins, and goes out before the result', async () => {
    const { server, clock, worker } = await openBench()
    let report: (fraction: number, message?: string) => void = () => undefined
    let end: () => void = () => undefined
    worker.task('echo', async ({ progress }) => {
      report = progress
      report(0.1, 'first')
      report(0.2)
      await new Promise<void>((resolve) => {
        end = resolve
      })
      report(7, 'last')
    })
    await worker.start()
    server.push(aTask())
    await server.nth('event', 1)
    await clock.pass(200)
    await server.nth('event', 2)
    report(0.5)
    report(Number.NaN)
    end()
    await server.nth('result', 1)
    expect(server.of('event').map(({ body }) => body['payload'])).toEqual([
      { progress: 0.1, message: 'first' },
      { progress: 0.2 },
      { progress: 1, message: 'last' },
    ])
    expect(server.of('event')[0]?.body).toMatchObject({
      event_type: 'progress',
      worker_id: 'w1',
      origin_worker_id: 'w1',
      target_job_id: 'j1',
      target_task_id: 't1',
    })
    const kinds = server.received.map(({ kind }) => kind)
    expect(kinds.lastIndexOf('event')).toBeLessThan(kinds.indexOf('result'))
  })

  it('may be lost without harm to the task', async () => {
    const { server, worker } = await openBench()
    worker.task('echo', ({ progress }) => {
      progress(0.5)
      return { fine: true }
    })
    server.script('event', 'cut')
    await worker.start()
    server.push(aTask())
    expect((await server.nth('result', 1)).body).toMatchObject({ data: { fine: true } })
  })
})
