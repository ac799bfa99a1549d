import { describe, expect, it } from 'vitest'

import { aTask, gate, openBench } from './setup.ts'

describe('heartbeat', () => {
  it('beats every interval', async () => {
    const { server, clock, worker } = await openBench()
    worker.task('echo', () => ({}))
    await worker.start()
    await clock.pass(15_000)
    expect((await server.nth('heartbeat', 1)).body).toMatchObject({
      worker_id: 'w1',
      status: 'idle',
      current_tasks: [],
    })
    await clock.pass(15_000)
    await server.nth('heartbeat', 2)
  })

  it.each([
    [0, 13_500],
    [0.75, 15_750],
  ])(
    'varies the interval by a tenth, so that workers drift apart (D-21): %d',
    async (chance, ms) => {
      const { server, clock, worker } = await openBench({ random: () => chance })
      worker.task('echo', () => ({}))
      await worker.start()
      await clock.pass(ms)
      await server.nth('heartbeat', 1)
    },
  )

  it('is late by as much as the orchestrator asks', async () => {
    const { server, clock, worker } = await openBench()
    worker.task('echo', () => ({}))
    server.script('heartbeat', { json: { status: 'ok', next_heartbeat_jitter_ms: 700 } })
    await worker.start()
    await clock.pass(15_000)
    await clock.pass(15_700)
    await server.nth('heartbeat', 2)
  })

  it('gathers changes for a moment, which more changes do not prolong (D-25)', async () => {
    const { server, clock, worker } = await openBench({ maxConcurrentTasks: 3 })
    const ends = [gate(), gate(), gate()] as const
    worker.task('echo', ({ params }) => ends[Number(params['n'])]?.opened)
    await worker.start()
    clock.advance(10_000)
    server.push(aTask({ task_id: 'a', params: { n: 0 } }))
    await clock.timer(100)
    clock.advance(60)
    server.push(aTask({ task_id: 'b', params: { n: 1 } }))
    await server.when(() => server.openPolls === 1)
    clock.advance(40)
    const { body } = await server.nth('heartbeat', 1)
    expect(body['current_tasks']).toEqual(['a', 'b'])
    for (const end of ends) end.open()
  })

  it('tells a change within two seconds, and several changes with one beat', async () => {
    const { server, clock, worker } = await openBench({ maxConcurrentTasks: 2 })
    const end = gate()
    worker.task('echo', () => end.opened)
    await worker.start()
    server.push(aTask({ task_id: 'a' }), aTask({ task_id: 'b' }))
    await clock.pass(2000)
    expect((await server.nth('heartbeat', 1)).body).toMatchObject({
      status: 'busy',
      load: 2,
      current_tasks: ['a', 'b'],
    })
    end.open()
    await clock.pass(2000)
    expect((await server.nth('heartbeat', 2)).body).toMatchObject({ status: 'idle', load: 0 })
  })

  it('keeps the lease of a task whose result is not delivered yet (D-13)', async () => {
    const { server, clock, worker } = await openBench()
    worker.task('echo', () => ({}))
    server.script('result', 'hold')
    await worker.start()
    server.push(aTask())
    await server.nth('result', 1)
    await clock.pass(2000)
    expect((await server.nth('heartbeat', 1)).body).toMatchObject({
      load: 0,
      current_tasks: ['t1'],
    })
  })

  it('tries again soon after a failure, and honours Retry-After', async () => {
    const { server, clock, worker } = await openBench()
    worker.task('echo', () => ({}))
    server.script(
      'heartbeat',
      { status: 500, text: 'oops' },
      { status: 503, headers: { 'retry-after': '3' } },
    )
    await worker.start()
    await clock.pass(15_000)
    await clock.pass(500)
    await clock.pass(3500)
    await server.nth('heartbeat', 3)
  })

  it('tells all skills once when the orchestrator asks for them', async () => {
    const { server, clock, worker } = await openBench()
    worker.task('echo', () => ({}))
    server.script('heartbeat', { json: { status: 'ok', require_full_sync: true } })
    await worker.start()
    await clock.pass(15_000)
    await clock.pass(2000)
    const { body } = await server.nth('heartbeat', 2)
    expect(body['supported_skills']).toEqual([{ name: 'echo' }])
    await clock.pass(15_000)
    expect((await server.nth('heartbeat', 3)).body).not.toHaveProperty('supported_skills')
  })

  it('aborts the tasks that the answer names, which report cancelled', async () => {
    const { server, clock, worker } = await openBench()
    const started = gate()
    worker.task('wait', async ({ signal }) => {
      started.open()
      await new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          reject(signal.reason)
        })
      })
    })
    server.script('heartbeat', { json: { status: 'ok', cancel_task_ids: ['t1', 'unknown'] } })
    await worker.start()
    server.push(aTask({ type: 'wait' }))
    await started.opened
    await clock.pass(2000)
    const { body } = await server.nth('result', 1)
    expect(body).toMatchObject({ task_id: 't1', attempt: 1, status: 'cancelled' })
    expect(body).not.toHaveProperty('error')
  })
})
