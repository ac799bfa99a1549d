import { describe, expect, it } from 'vitest'

import { HEADERS, PROTOCOL_VERSION } from '@avtomatika/protocol'
import { z } from 'zod'

import { FakeOrchestrator } from './fake-orchestrator.ts'
import { aTask, openBench, TOKEN } from './setup.ts'

describe('registration', () => {
  it('tells skills with schemas, slots and machine, under the headers of the contract', async () => {
    const { server, worker } = await openBench({
      maxConcurrentTasks: 3,
      env: { COST_PER_SKILL: '{"pay":0.5}', WORKER_EXTRA_ZONE: 'eu', CPU_CORES: '8' },
    })
    worker.task(
      'pay',
      { params: z.object({ amount: z.number() }), description: 'Pays.' },
      () => ({}),
    )
    await worker.start()
    const { body, headers } = await server.nth('register', 1)
    expect(body).toMatchObject({
      worker_id: 'w1',
      worker_type: 'generic-worker',
      supported_tasks: ['pay'],
      supported_skills: [
        { name: 'pay', description: 'Pays.', input_schema: { required: ['amount'] } },
      ],
      resources: { max_concurrent_tasks: 3, cpu_cores: 8 },
      capabilities: { cost_per_skill: { pay: 0.5 }, extra: { zone: 'eu' } },
    })
    expect(headers).toMatchObject({
      [HEADERS.workerToken]: TOKEN,
      [HEADERS.workerId]: 'w1',
      [HEADERS.protocolVersion]: PROTOCOL_VERSION,
    })
  })

  it('tells the limits of tasks that are below the slots', async () => {
    const { server, worker } = await openBench({ maxConcurrentTasks: 5, typeLimits: { gpu: 3 } })
    worker
      .task('draw', { type: 'gpu', concurrency: 2 }, () => ({}))
      .task('paint', { type: 'gpu' }, () => ({}))
      .task('many', { concurrency: 5 }, () => ({}))
      .task('any', () => ({}))
    await worker.start()
    const { body } = await server.nth('register', 1)
    expect(body['supported_skills']).toEqual([
      { name: 'draw', type: 'gpu', max_concurrent_tasks: 2 },
      { name: 'paint', type: 'gpu', max_concurrent_tasks: 3 },
      { name: 'many' },
      { name: 'any' },
    ])
  })

  it('tells what is hot at that moment, also when it comes again', async () => {
    const { server, clock, worker } = await openBench()
    worker.task('draw', { dependencies: ['sdxl'] }, () => ({})).task('echo', () => ({}))
    worker.hotCache.add('sdxl')
    server.script('heartbeat', { status: 404, json: { error: 'not found' } })
    await worker.start()
    expect((await server.nth('register', 1)).body['hot_skills']).toEqual(['draw'])
    worker.hotCache.add('echo')
    await clock.pass(2000)
    expect((await server.nth('register', 2)).body['hot_skills']).toEqual(['draw', 'echo'])
  })

  it('carries a mark of the skills, the same in heartbeats, and another for other skills', async () => {
    const marks = new Set<unknown>()
    for (const description of ['Pays.', 'Pays twice.', 'Pays.']) {
      const { server, clock, worker } = await openBench()
      worker.task('pay', { description }, () => ({}))
      await worker.start()
      const { body } = await server.nth('register', 1)
      await clock.pass(15_000)
      expect((await server.nth('heartbeat', 1)).body['skills_hash']).toBe(body['skills_hash'])
      marks.add(body['skills_hash'])
    }
    expect(marks.size).toBe(2)
  })

  it('goes on until the orchestrator is up (D-11)', async () => {
    const down = await FakeOrchestrator.open()
    const { port, url } = down
    await down.close()
    const { clock, worker } = await openBench({ orchestratorUrl: url })
    worker.task('echo', () => ({}))
    const started = worker.start()
    await clock.pass(500)
    await clock.timer(1000)
    const up = await FakeOrchestrator.open(port)
    clock.advance(1000)
    await started
    expect(up.of('register')).toHaveLength(1)
    await up.close()
  })

  it('keeps trying with a refused token, and says so as an error', async () => {
    const { server, clock, worker, logger } = await openBench()
    worker.task('echo', () => ({}))
    server.script('register', { status: 401, json: { error: 'no', code: 'INVALID_TOKEN' } })
    const started = worker.start()
    await clock.pass(500)
    await started
    expect(logger.lines.filter(({ level }) => level === 'error')).toHaveLength(1)
  })

  it('waits as long as Retry-After says, plus jitter', async () => {
    const { server, clock, worker } = await openBench()
    worker.task('echo', () => ({}))
    server.script('register', { status: 429, json: {}, headers: { 'retry-after': '7' } })
    const started = worker.start()
    await clock.pass(7500)
    await started
    expect(server.of('register')).toHaveLength(2)
  })

  it.each([
    ['404', { status: 404, json: { error: 'not found' } }],
    ['null (older servers)', { json: null }],
    ['known: false', { json: { status: 'ok', known: false } }],
  ])('comes again when a heartbeat is answered with %s (D-12)', async (_name, answer) => {
    const { server, clock, worker } = await openBench()
    worker.task('echo', () => ({}))
    server.script('heartbeat', answer)
    await worker.start()
    await clock.pass(15_000)
    await server.nth('register', 2)
    server.push(aTask())
    await server.nth('result', 1)
    expect(server.of('register')).toHaveLength(2)
  })

  it('comes again when a poll is answered with 404', async () => {
    const { server, worker } = await openBench()
    worker.task('echo', () => ({}))
    server.script('poll', { status: 404, json: { error: 'x', code: 'WORKER_NOT_FOUND' } })
    await worker.start()
    await server.nth('register', 2)
  })

  it('resolves start once registered, and rejects it when stopped before', async () => {
    const { server, worker } = await openBench()
    worker.task('echo', () => ({}))
    server.script('register', 'hold')
    const started = worker.start()
    await server.nth('register', 1)
    const refused = expect(started).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
    await worker.stop()
    await refused
  })
})
