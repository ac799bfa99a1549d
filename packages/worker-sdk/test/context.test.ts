import { describe, expect, it } from 'vitest'

import { z } from 'zod'

import type { WorkerEvent } from '@avtomatika/protocol'

import type { TaskContext } from '../src/index.ts'
import { idempotencyKeyOf } from '../src/idempotency-key.ts'
import { aTask, gate, openBench } from './setup.ts'

describe('emit', () => {
  it('sends events in their order and before the result, each under an id of its own (D-16)', async () => {
    const { server, worker } = await openBench()
    worker.task('echo', ({ emit }) => {
      const change = { page: 1 }
      void emit('page', change)
      change.page = 2
      void emit('page', change)
      void emit('done')
    })
    await worker.start()
    server.push(aTask())
    await server.nth('result', 1)
    const told = server.received.filter(({ kind }) => kind === 'event' || kind === 'result')
    expect(told.map(({ kind, body }) => [kind, body['event_type'], body['payload']])).toEqual([
      ['event', 'page', { page: 1 }],
      ['event', 'page', { page: 2 }],
      ['event', 'done', {}],
      ['result', undefined, undefined],
    ])
    const events = server.of('event').map(({ body }) => body as WorkerEvent)
    expect(new Set(events.map(({ event_id: id }) => id)).size).toBe(3)
    expect(events[0]).toMatchObject({
      worker_id: 'w1',
      target_job_id: 'j1',
      target_task_id: 't1',
    })
  })

  it('sends an event again under the same id until it is answered', async () => {
    const { server, clock, worker } = await openBench()
    server.script('event', 'cut', { status: 503 })
    const sent = gate()
    worker.task('echo', async ({ emit }) => {
      await emit('page')
      sent.open()
    })
    await worker.start()
    server.push(aTask())
    await clock.pass(500)
    await clock.pass(1000)
    await sent.opened
    const ids = server.of('event').map(({ body }) => body['event_id'])
    expect(ids).toHaveLength(3)
    expect(new Set(ids).size).toBe(1)
  })

  it('rejects when the orchestrator refuses; who does not wait for it only finds a log line', async () => {
    const { server, worker, logger } = await openBench()
    const refused = { status: 400, json: { error: 'no such event', code: 'INVALID_INPUT' } }
    server.script('event', refused, refused)
    let caught: unknown
    worker.task('echo', async ({ emit }) => {
      void emit('one')
      await emit('two').catch((error: unknown) => {
        caught = error
      })
    })
    await worker.start()
    server.push(aTask())
    expect((await server.nth('result', 1)).body).toMatchObject({ status: 'success' })
    expect(caught).toMatchObject({ message: expect.stringContaining('no such event') as unknown })
    const told = logger.lines.filter(({ message }) => message === 'the event did not reach the job')
    expect(told.map(({ level, fields }) => [level, Reflect.get(fields, 'event')])).toEqual([
      ['warn', 'one'],
      ['warn', 'two'],
    ])
  })

  it('does not hold the result up for ever', async () => {
    const { server, clock, worker } = await openBench()
    server.script('event', 'hold')
    worker.task('echo', ({ emit }) => {
      void emit('page')
    })
    await worker.start()
    server.push(aTask())
    await server.nth('event', 1)
    await clock.pass(30_000)
    expect((await server.nth('result', 1)).body).toMatchObject({ status: 'success' })
  })

  it.each<[name: string, emit: (context: TaskContext) => Promise<void>]>([
    ['an event that the task does not declare', ({ emit }) => emit('other')],
    ['a payload that breaks its schema', ({ emit }) => emit('page', { page: 'one' })],
    ['progress', ({ emit }) => emit('progress', { progress: 1 })],
    ['an event without a name', ({ emit }) => emit('')],
  ])('refuses %s before it is sent', async (_name, emit) => {
    const { server, worker } = await openBench()
    const events = { page: z.object({ page: z.number() }) }
    worker.task('echo', { events }, emit)
    await worker.start()
    server.push(aTask())
    const { body } = await server.nth('result', 1)
    expect(body['error']).toMatchObject({ code: 'CONTRACT_VIOLATION_ERROR' })
    expect(server.of('event')).toEqual([])
    expect(server.of('register')[0]?.body['supported_skills']).toEqual([
      expect.objectContaining({
        events_schema: { page: expect.objectContaining({ type: 'object' }) as unknown },
      }),
    ])
  })

  it('takes no event after the end of the task', async () => {
    const { server, worker } = await openBench()
    let late: TaskContext['emit'] | undefined
    worker.task('echo', ({ emit }) => {
      late = emit
    })
    await worker.start()
    server.push(aTask())
    await server.nth('result', 1)
    await expect(late?.('page')).rejects.toThrow('The task has ended')
    expect(server.of('event')).toEqual([])
  })

  it('bounds the events that wait', async () => {
    const { server, worker } = await openBench()
    server.script('event', 'hold')
    const outcomes: Promise<string>[] = []
    const seen = gate()
    const end = gate()
    worker.task('echo', async ({ emit, signal }) => {
      for (let n = 0; n < 1002; n += 1) {
        outcomes.push(
          emit('page').then(
            () => 'sent',
            (error: unknown) => String(Reflect.get(Object(error), 'code')),
          ),
        )
      }
      seen.open()
      await Promise.race([end.opened, new Promise((r) => signal.addEventListener('abort', r))])
    })
    await worker.start()
    server.push(aTask())
    await seen.opened
    expect(await outcomes[1001]).toBe('RESOURCE_EXHAUSTED_ERROR')
    end.open()
  })
})

describe('stream', () => {
  const registered = { json: { status: 'registered', features: ['stream', 'batch_events'] } }

  it('sends pieces of output in order with events; what waits goes together', async () => {
    const { server, clock, worker } = await openBench()
    server.script('register', registered)
    server.script('event', {}, 'cut')
    worker.task('echo', ({ stream, emit }) => {
      void stream('Hel')
      void stream({ text: 'lo' })
      void emit('page')
      void stream('!')
    })
    const starting = worker.start()
    expect((await server.nth('register', 1)).body['features']).toEqual([
      'acks',
      'batch_results',
      'batch_events',
      'cancel_in_poll',
      'stream',
    ])
    await starting
    server.push(aTask())
    await clock.pass(500)
    await server.nth('result', 1)
    const [first, lost, again] = server.of('event').map(({ body }) => body)
    expect(first).toMatchObject({ event_type: 'stream', payload: { chunk: 'Hel', seq: 1 } })
    expect(again).toMatchObject({
      worker_id: 'w1',
      events: [
        { event_type: 'stream', payload: { chunk: { text: 'lo' }, seq: 2 } },
        { event_type: 'page', target_task_id: 't1' },
        { event_type: 'stream', payload: { chunk: '!', seq: 3 } },
      ],
    })
    expect(again).toEqual(lost)
    expect(server.received.at(-1)?.kind).toBe('result')
  })

  it('is refused piece by piece', async () => {
    const { server, worker, logger } = await openBench()
    server.script('register', registered)
    server.script(
      'event',
      {},
      {
        json: {
          status: 'event_accepted',
          results: [
            { status: 'error', code: 'DATA_TOO_LARGE', message: 'too large' },
            { status: 'event_accepted', ignored: 'stale_task' },
          ],
        },
      },
    )
    const outcomes: string[] = []
    worker.task('echo', async ({ stream }) => {
      const note = (sent: Promise<void>): Promise<unknown> =>
        sent.then(
          () => outcomes.push('sent'),
          (error: unknown) => outcomes.push(String(error)),
        )
      await Promise.all([note(stream('a')), note(stream('b')), note(stream('c'))])
    })
    await worker.start()
    server.push(aTask())
    await server.nth('result', 1)
    expect(outcomes).toEqual([
      'sent',
      'PermanentError: The orchestrator refused the event: too large',
      'sent',
    ])
    expect(logger.lines).toContainEqual(
      expect.objectContaining({ message: 'a piece of output did not reach the job' }),
    )
    expect(logger.lines).toContainEqual(
      expect.objectContaining({ message: 'the orchestrator ignored the event' }),
    )
  })

  it('is not spoken of to an orchestrator that does not know it', async () => {
    const { server, worker } = await openBench()
    worker.task('echo', async ({ stream, emit }) => {
      await stream('Hel')
      void emit('a')
      void emit('b')
      void emit('c')
    })
    await worker.start()
    server.push(aTask())
    await server.nth('result', 1)
    expect(server.of('event').map(({ body }) => body['event_type'])).toEqual(['a', 'b', 'c'])
  })
})

describe('the hot cache', () => {
  it('is told by heartbeats, and makes tasks hot whose models are all loaded', async () => {
    const { server, clock, worker } = await openBench()
    worker
      .task('draw', { dependencies: ['sdxl', 'vae'] }, ({ hotCache }) => {
        hotCache.add('sdxl')
        return { isHot: hotCache.has('sdxl') }
      })
      .task('free', () => ({}))
    await worker.start()
    server.push(aTask({ type: 'draw' }))
    expect((await server.nth('result', 1)).body['data']).toEqual({ isHot: true })
    worker.hotCache.add('vae', 'free')
    await clock.pass(2000)
    const hot = (await server.nth('heartbeat', 1)).body
    expect(hot['hot_cache']).toEqual(['sdxl', 'vae', 'free'])
    expect(hot['hot_skills']).toEqual(['draw', 'free'])
    worker.hotCache.remove('vae', 'free', 'unknown')
    await clock.pass(2000)
    const cold = (await server.nth('heartbeat', 2)).body
    expect([cold['hot_cache'], cold['hot_skills']]).toEqual([['sdxl'], []])
  })

  it('is not spoken of by a worker that loads nothing', async () => {
    const { server, clock, worker } = await openBench()
    worker.task('echo', () => ({}))
    await worker.start()
    server.push(aTask())
    await server.nth('result', 1)
    await clock.pass(2000)
    expect((await server.nth('heartbeat', 1)).body).not.toHaveProperty('hot_cache')
  })
})

describe('the idempotency key', () => {
  const payload = { job_id: 'j', task_id: 'task-j-3-1', type: 'pay', attempt: 1 }

  it('is the same for each attempt, also where the attempt is part of the id', () => {
    const again = { ...payload, task_id: 'task-j-3-2', attempt: 2 }
    expect(idempotencyKeyOf(payload)).toBe('j/pay/task-j-3')
    expect(idempotencyKeyOf(again)).toBe(idempotencyKeyOf(payload))
  })

  it('tells tasks of a job apart, also where the id is that of the job', () => {
    const { attempt: _attempt, ...old } = { ...payload, task_id: 'j' }
    expect(idempotencyKeyOf(old)).not.toBe(idempotencyKeyOf({ ...old, type: 'ship' }))
    expect(idempotencyKeyOf({ ...old, task_id: 'x-1' })).toBe('j/pay/x-1')
  })
})

describe('the context', () => {
  it('has everything that the orchestrator told', async () => {
    const { server, worker, logger } = await openBench()
    let context: TaskContext | undefined
    worker.task('echo', (given) => {
      context = given
      given.logger.info({}, 'hello')
    })
    await worker.start()
    const deadline = 2_000_000_000
    server.push(
      aTask({ attempt: 2, priority: 7, deadline, tracing_context: { traceparent: '00-1' } }),
    )
    await server.nth('result', 1)
    expect(context).toMatchObject({
      params: {},
      taskId: 't1',
      jobId: 'j1',
      type: 'echo',
      attempt: 2,
      priority: 7,
      deadline: new Date(deadline * 1000),
      idempotencyKey: 'j1/echo/t1',
      tracing: { traceparent: '00-1' },
    })
    expect(logger.lines).toContainEqual({
      level: 'info',
      message: 'hello',
      fields: expect.objectContaining({
        taskId: 't1',
        jobId: 'j1',
        taskType: 'echo',
        attempt: 2,
      }) as object,
    })
  })

  it('tells the stack of an unexpected error only when that is allowed', async () => {
    for (const sendStacks of [false, true]) {
      const { server, worker } = await openBench({ sendStacks })
      worker.task('echo', () => {
        throw new RangeError('m')
      })
      await worker.start()
      server.push(aTask())
      const error = (await server.nth('result', 1)).body['error']
      expect(error).toEqual({
        code: 'INTERNAL_ERROR',
        message: 'm',
        ...(sendStacks && {
          details: { stack: expect.stringContaining('RangeError: m') as unknown },
        }),
      })
    }
  })

  it('holds a task to the statuses that it declares', async () => {
    const { server, worker } = await openBench()
    worker.task('echo', { outputStatuses: ['big'] }, ({ params }) => ({
      status: String(params['status']),
      data: {},
    }))
    await worker.start()
    server.push(aTask({ task_id: 't1', params: { status: 'big' } }))
    await server.nth('result', 1)
    server.push(aTask({ task_id: 't2', params: { status: 'huge' } }))
    await server.nth('result', 2)
    expect(server.results).toMatchObject([
      { status: 'big' },
      { status: 'failure', error: { code: 'CONTRACT_VIOLATION_ERROR' } },
    ])
  })
})
