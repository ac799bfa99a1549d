import { describe, expect, it } from 'vitest'

import { ACKNOWLEDGE_AFTER_MS } from '../src/acknowledgements.ts'
import { aTask, gate, openBench } from './setup.ts'

const agreed = (...features: string[]) => ({
  json: { status: 'registered', version: '1.0b14', features },
})

/** Heartbeats would acknowledge tasks, too. */
const RARE_BEATS = { HEARTBEAT_INTERVAL: '12345', WORKER_HEARTBEAT_DEBOUNCE_DELAY: '12345' }

/** A worker whose tasks end together when the gate opens. */
async function openTogether(features: string[], options: Parameters<typeof openBench>[0] = {}) {
  const bench = await openBench({ env: RARE_BEATS, ...options })
  bench.server.script('register', agreed(...features))
  const end = gate()
  bench.worker.task('echo', async ({ taskId }) => {
    await end.opened
    return { taskId }
  })
  return { ...bench, end }
}

const tasks = (...ids: string[]) => ids.map((id) => aTask({ task_id: id, job_id: `job-${id}` }))

describe('an orchestrator that agrees to nothing', () => {
  it('gets every result alone, no acknowledgements, and the same registration', async () => {
    const { server, clock, worker, end } = await openTogether([])
    await worker.start()
    server.push(...tasks('a', 'b', 'c'))
    await server.nth('poll', 2)
    clock.advance(10 * ACKNOWLEDGE_AFTER_MS)
    end.open()
    await server.nth('result', 3)
    const kinds = new Set(server.received.map(({ kind }) => kind))
    expect([...kinds].sort()).toEqual(['poll', 'register', 'result'])
  })
})

describe('results in batches', () => {
  it('that are ready together go in one request, and one that is alone goes alone', async () => {
    const { server, worker, end } = await openTogether(['batch_results'])
    await worker.start()
    server.push(...tasks('a', 'b', 'c'))
    await server.nth('poll', 2)
    end.open()
    const { body } = await server.nth('results', 1)
    expect(body).toMatchObject({
      worker_id: 'w1',
      results: [{ task_id: 'a' }, { task_id: 'b' }, { task_id: 'c' }],
    })
    server.push(...tasks('d'))
    expect((await server.nth('result', 1)).body).toMatchObject({ task_id: 'd' })
    expect(server.results).toHaveLength(4)
  })

  it('are dealt with one by one: taken, ignored, refused, to be sent again', async () => {
    const { server, clock, worker, end, logger } = await openTogether(['batch_results'])
    server.script('results', {
      json: {
        results: [
          { status: 'accepted', transition: 'next' },
          { status: 'ignored', reason: 'stale_task' },
          { status: 'error', code: 'INVALID_REQUEST', message: 'no', retry: false },
          { status: 'error', code: 'STORAGE_UNAVAILABLE', message: 'later', retry: true },
        ],
      },
    })
    await worker.start()
    server.push(...tasks('a', 'b', 'c', 'd'))
    await server.nth('poll', 2)
    end.open()
    await server.nth('results', 1)
    await clock.pass(500)
    expect((await server.nth('result', 1)).body).toMatchObject({ task_id: 'd' })
    await worker.stop()
    expect(server.of('results')).toHaveLength(1)
    expect(server.of('result')).toHaveLength(1)
    const told = logger.lines.map(({ message }) => message)
    expect(told).toContain('the orchestrator ignored the result')
    expect(told).toContain('the orchestrator refused the result; it is not sent again')
  })

  it.each([
    ['a refusal of the whole', { status: 422, json: { error: 'no', code: 'INVALID_REQUEST' } }],
    ['a path that is not there', { status: 404, json: { error: 'Not found' } }],
    ['too few answers', { json: { results: [{ status: 'accepted' }] } }],
    ['an answer to one result', { json: { status: 'accepted' } }],
  ])('are sent one by one after %s', async (_name, answer) => {
    const { server, worker, end } = await openTogether(['batch_results'])
    server.script('results', answer)
    await worker.start()
    server.push(...tasks('a', 'b'))
    await server.nth('poll', 2)
    end.open()
    await server.nth('result', 2)
    expect(server.results.map(({ task_id: id }) => id).sort()).toEqual(['a', 'b'])
    expect(server.of('results')).toHaveLength(1)
  })

  it.each([
    ['500', { status: 500, text: 'oops' }],
    ['a cut connection', 'cut' as const],
    ['no answer', 'hold' as const],
  ])(
    'are halved after %s, so that one that cannot be taken holds up no other for long',
    async (_name, answer) => {
      const { server, clock, worker, end } = await openTogether(['batch_results'])
      server.script('results', answer, answer)
      await worker.start()
      server.push(...tasks('a', 'b', 'c', 'd'))
      await server.nth('poll', 2)
      end.open()
      await server.nth('results', 1)
      if (answer === 'hold') await clock.pass(30_000)
      await clock.timer(500, 2)
      clock.advance(500)
      await server.nth('results', 3)
      if (answer === 'hold') await clock.pass(30_000)
      await clock.timer(1000, 2)
      clock.advance(1000)
      await server.nth('result', 2)
      const sizes = server.of('results').map(({ body }) => (body['results'] as unknown[]).length)
      expect(sizes).toEqual([4, 2, 2])
      expect(server.results.map(({ task_id: id }) => id).sort()).toEqual(['a', 'b', 'c', 'd'])
    },
  )

  it('that wait for their next try at different times go together as soon as one is due', async () => {
    const { server, clock, worker } = await openBench({ env: RARE_BEATS })
    server.script('register', agreed('batch_results'))
    worker.task('echo', () => ({}))
    server.script('result', 'cut', 'cut', 'cut')
    await worker.start()
    for (const [n, id] of ['a', 'b', 'c'].entries()) {
      server.push(...tasks(id))
      await server.nth('result', n + 1)
      await clock.timer(500, n + 1)
      clock.advance(100)
    }
    clock.advance(200)
    const { body } = await server.nth('results', 1)
    expect(body['results']).toHaveLength(3)
    await worker.stop()
    expect(server.of('result')).toHaveLength(3)
  })

  it('do not go before the time that the orchestrator asked to wait', async () => {
    const { server, clock, worker } = await openBench({ env: RARE_BEATS })
    server.script('register', agreed('batch_results'))
    worker.task('echo', () => ({}))
    server.script('result', { status: 503, text: '', headers: { 'retry-after': '60' } }, 'cut')
    await worker.start()
    server.push(...tasks('a'))
    await clock.timer(60_500)
    server.push(...tasks('b'))
    await clock.pass(500)
    await server.nth('result', 3)
    expect(server.of('results')).toEqual([])
    await clock.timer(60_500)
  })

  it('stay below what an orchestrator reads at once', async () => {
    const { server, worker } = await openBench({ env: RARE_BEATS })
    server.script('register', agreed('batch_results'))
    const end = gate()
    worker.task('echo', async () => {
      await end.opened
      return { text: 'x'.repeat(100 * 1024) }
    })
    await worker.start()
    server.push(...tasks('a', 'b', 'c', 'd', 'e'))
    await server.nth('poll', 2)
    end.open()
    await server.when(() => server.results.length === 5)
    const sizes = server.of('results').map(({ body }) => (body['results'] as unknown[]).length)
    expect(sizes).toEqual([2, 2])
    expect(server.of('result')).toHaveLength(1)
  })
})

describe('acknowledgements', () => {
  it('go in one message for the tasks that take longer, and not for the others', async () => {
    const { server, clock, worker, logger } = await openBench({ env: RARE_BEATS })
    server.script('register', agreed('acks'))
    const end = gate()
    worker.task('quick', () => ({}))
    worker.task('echo', () => end.opened)
    await worker.start()
    server.push(aTask({ task_id: 'q', type: 'quick' }), ...tasks('a', 'b'))
    await server.nth('poll', 2)
    while (!logger.lines.some(({ message }) => message === 'result delivered')) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    await clock.pass(ACKNOWLEDGE_AFTER_MS)
    const { body } = await server.nth('ack', 1)
    expect(body).toMatchObject({ worker_id: 'w1', task_ids: ['a', 'b'] })
    end.open()
    await server.nth('result', 3)
    await worker.stop()
    expect(server.of('ack')).toHaveLength(1)
  })

  it('are not needed for tasks that a heartbeat has listed', async () => {
    const { server, clock, worker, end } = await openTogether(['acks'], {
      env: { WORKER_HEARTBEAT_COOLDOWN: '0.5' },
    })
    await worker.start()
    server.push(...tasks('a'))
    await server.nth('poll', 2)
    await clock.pass(500)
    await server.nth('heartbeat', 1)
    await clock.timer(15_000)
    await clock.pass(ACKNOWLEDGE_AFTER_MS)
    end.open()
    await server.nth('result', 1)
    await worker.stop()
    expect(server.of('ack')).toEqual([])
  })

  it('abort the tasks that the worker does not hold any more', async () => {
    const { server, clock, worker } = await openBench({ env: RARE_BEATS })
    server.script('register', agreed('acks'))
    server.script('ack', { json: { status: 'ok', cancel_task_ids: ['t1'] } })
    worker.task('echo', async ({ signal }) => {
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve)
      })
      signal.throwIfAborted()
    })
    await worker.start()
    server.push(aTask())
    await server.nth('poll', 2)
    await clock.pass(ACKNOWLEDGE_AFTER_MS)
    expect((await server.nth('result', 1)).body).toMatchObject({ status: 'cancelled' })
  })

  it('are sent again when they were not answered', async () => {
    const { server, clock, worker, end } = await openTogether(['acks'])
    server.script('ack', 'cut', { status: 500, text: 'oops' })
    await worker.start()
    server.push(...tasks('a'))
    await server.nth('poll', 2)
    await clock.pass(ACKNOWLEDGE_AFTER_MS)
    await server.nth('ack', 1)
    await clock.pass(500)
    await server.nth('ack', 2)
    await clock.pass(1000)
    await server.nth('ack', 3)
    end.open()
    await server.nth('result', 1)
  })
})

describe('cancellations in the answer to a poll', () => {
  it.each([
    ['without tasks', { tasks: [], cancel_task_ids: ['t1', 'unknown'] }],
    ['without a list of tasks', { cancel_task_ids: ['t1'] }],
    ['beside tasks', { tasks: [aTask({ task_id: 't2', type: 'quick' })], cancel_task_ids: ['t1'] }],
    ['with junk', { tasks: [], cancel_task_ids: [7, null, 't1', {}] }],
  ])('abort tasks, %s', async (_name, json) => {
    const { server, worker } = await openBench({ env: RARE_BEATS })
    server.script('register', agreed('cancel_in_poll'))
    worker.task('quick', () => ({}))
    worker.task('echo', async ({ signal }) => {
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve)
      })
      signal.throwIfAborted()
    })
    server.script('poll', { json: { tasks: [aTask()] } }, { json })
    await worker.start()
    await server.when(() => server.results.some(({ task_id: id }) => id === 't1'))
    expect(server.results).toContainEqual(
      expect.objectContaining({ task_id: 't1', status: 'cancelled' }),
    )
  })

  it('abort the run before, not the attempt that the same answer brings', async () => {
    const { server, worker } = await openBench({ env: RARE_BEATS })
    server.script('register', agreed('cancel_in_poll'))
    worker.task('echo', async ({ attempt, signal }) => {
      if (attempt === 2) return
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve)
      })
      signal.throwIfAborted()
    })
    server.script(
      'poll',
      { json: { tasks: [aTask()] } },
      { json: { tasks: [aTask({ attempt: 2 })], cancel_task_ids: ['t1'] } },
    )
    await worker.start()
    await server.nth('result', 2)
    const told = server.results.map(({ attempt, status }) => [attempt, status])
    expect(told).toEqual([
      [1, 'cancelled'],
      [2, 'success'],
    ])
  })
})
