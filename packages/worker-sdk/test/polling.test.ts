import { describe, expect, it } from 'vitest'

import { aTask, gate, openBench } from './setup.ts'

describe('polling', () => {
  it('asks again at once after an empty answer', async () => {
    const { server, worker } = await openBench()
    worker.task('echo', () => ({}))
    server.script('poll', { status: 204 }, { json: null }, { json: {} })
    await worker.start()
    const { query } = await server.nth('poll', 4)
    expect(query.get('timeout')).toBe('30')
  })

  it('does not hammer a server that never waits', async () => {
    const { server, clock, worker } = await openBench()
    worker.task('echo', () => ({}))
    server.script('poll', ...Array.from({ length: 10 }, () => ({ status: 204 })))
    await worker.start()
    await clock.timer(500)
    expect(server.of('poll')).toHaveLength(10)
    clock.advance(500)
    await server.nth('poll', 11)
  })

  it.each([
    ['500', { status: 500, text: '<html>' }],
    ['401', { status: 401, json: { error: 'no' } }],
    ['garbage', { text: 'not json' }],
    ['a cut connection', 'cut' as const],
  ])('backs off after %s (D-20)', async (_name, answer) => {
    const { server, clock, worker } = await openBench()
    worker.task('echo', () => ({}))
    server.script('poll', answer)
    await worker.start()
    await clock.timer(500)
    expect(server.of('poll')).toHaveLength(1)
    clock.advance(500)
    await server.nth('poll', 2)
  })

  it('hears out a server that waits 30 s whatever it is told: hanging up loses a task (D-3)', async () => {
    const { server, clock, worker } = await openBench({ pollTimeoutMs: 10_000 })
    worker.task('echo', () => ({}))
    await worker.start()
    await server.nth('poll', 1)
    await clock.pass(35_000)
    await clock.pass(500)
    await server.nth('poll', 2)
  })

  it('runs no more tasks than there are slots, and asks again as soon as one frees (D-22)', async () => {
    const { server, worker } = await openBench({ maxConcurrentTasks: 2 })
    const ends = new Map([
      ['a', gate()],
      ['b', gate()],
      ['c', gate()],
    ])
    let running = 0
    let most = 0
    worker.task('echo', async ({ taskId }) => {
      running += 1
      most = Math.max(most, running)
      await ends.get(taskId)?.opened
      running -= 1
    })
    await worker.start()
    const first = await server.nth('poll', 1)
    expect(first.query.get('max')).toBe('2')
    server.push(aTask({ task_id: 'a' }), aTask({ task_id: 'b' }))
    server.push(aTask({ task_id: 'c' }))
    ends.get('a')?.open()
    await server.nth('result', 1)
    ends.get('b')?.open()
    ends.get('c')?.open()
    await server.nth('result', 3)
    expect(most).toBe(2)
    expect(server.results.map(({ task_id: id }) => id).sort()).toEqual(['a', 'b', 'c'])
  })

  it('hands back what a server gives beyond the free slots (D-19)', async () => {
    const { server, worker } = await openBench({ maxConcurrentTasks: 1 })
    const end = gate()
    worker.task('echo', () => end.opened)
    server.script('poll', { json: { tasks: [aTask({ task_id: 'a' }), aTask({ task_id: 'b' })] } })
    await worker.start()
    const { body } = await server.nth('result', 1)
    expect(body).toMatchObject({
      task_id: 'b',
      status: 'failure',
      error: { code: 'TRANSIENT_ERROR', details: { released: true } },
    })
    end.open()
    await server.nth('result', 2)
  })

  it('runs a task once that is delivered twice while it runs, and answers for the last attempt (D-9)', async () => {
    const { server, worker } = await openBench({ maxConcurrentTasks: 3 })
    const end = gate()
    let runs = 0
    worker.task('echo', async () => {
      runs += 1
      await end.opened
    })
    server.script('poll', { json: aTask() }, { json: aTask() }, { json: aTask({ attempt: 2 }) })
    await worker.start()
    await server.nth('poll', 4)
    end.open()
    const { body } = await server.nth('result', 1)
    expect(body).toMatchObject({ task_id: 't1', attempt: 2, status: 'success' })
    expect(runs).toBe(1)
  })

  it('runs a new attempt after the cancelled one has ended, so that its cancellation is not counted', async () => {
    const { server, clock, worker } = await openBench({ maxConcurrentTasks: 3 })
    const started = gate()
    const end = gate()
    worker.task('echo', async ({ attempt, signal }) => {
      if (attempt === 2) return
      started.open()
      await end.opened
      signal.throwIfAborted()
    })
    server.script('heartbeat', { json: { status: 'ok', cancel_task_ids: ['t1'] } })
    await worker.start()
    server.push(aTask())
    await started.opened
    await clock.pass(2000)
    await server.nth('heartbeat', 1)
    await clock.timer(15_000)
    server.push(aTask({ attempt: 2 }))
    await server.nth('poll', 3)
    end.open()
    await server.nth('result', 2)
    const told = server.results.map(({ attempt, status }) => [attempt, status])
    expect(told).toContainEqual([1, 'cancelled'])
    expect(told).toContainEqual([2, 'success'])
  })

  it('survives malformed tasks and reports those that say who they are (D-10)', async () => {
    const { server, logger, worker } = await openBench()
    worker.task('echo', () => ({ fine: true }))
    server.script('poll', {
      json: { tasks: [7, { task_id: 'x' }, aTask({ task_id: 'bad', params: 'text' }), aTask()] },
    })
    await worker.start()
    await server.nth('result', 2)
    expect(server.results).toContainEqual(
      expect.objectContaining({
        task_id: 'bad',
        status: 'failure',
        error: expect.objectContaining({ code: 'INVALID_INPUT_ERROR' }) as unknown,
      }),
    )
    expect(server.results).toContainEqual(
      expect.objectContaining({ task_id: 't1', data: { fine: true } }),
    )
    expect(logger.lines.filter(({ level }) => level === 'error')).toHaveLength(3)
  })
})
