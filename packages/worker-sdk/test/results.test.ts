import { describe, expect, it } from 'vitest'

import { aTask, openBench } from './setup.ts'

describe('results', () => {
  it.each([
    ['500', { status: 500, json: { error: 'x' } }],
    ['408', { status: 408, text: '' }],
    ['425', { status: 425, text: '' }],
    ['401', { status: 401, json: { error: 'x', code: 'INVALID_TOKEN' } }],
    ['a 404 of a proxy', { status: 404, text: 'default backend - 404' }],
    ['403', { status: 403, json: { error: 'x', code: 'WORKER_MISMATCH' } }],
    ['a body that is not JSON', { text: '<html>gateway</html>' }],
    ['a cut connection', 'cut' as const],
  ])('are sent again after %s and count once (D-4, D-5)', async (_name, answer) => {
    const { server, clock, worker } = await openBench()
    worker.task('echo', () => ({ n: 1 }))
    server.script('result', answer, answer)
    await worker.start()
    server.push(aTask())
    await clock.pass(500)
    await clock.pass(1000)
    await server.nth('result', 3)
    expect(server.results).toEqual([expect.objectContaining({ task_id: 't1', data: { n: 1 } })])
    expect(new Set(server.of('result').map(({ body }) => JSON.stringify(body))).size).toBe(1)
  })

  it.each([
    ['ignored', { json: { status: 'ignored', reason: 'stale_task' } }],
    ['a word of an older server', { json: { status: 'ok' } }],
    ['a 404 of a first generation server', { status: 404, json: { error: 'Job not found' } }],
    ['a refusal', { status: 422, json: { error: 'no', code: 'INVALID_REQUEST' } }],
  ])('are not sent again after %s', async (_name, answer) => {
    const { server, worker } = await openBench()
    worker.task('echo', () => ({}))
    server.script('result', answer)
    await worker.start()
    server.push(aTask({ task_id: 'a' }))
    await server.nth('result', 1)
    server.push(aTask({ task_id: 'b' }))
    await server.nth('result', 2)
    await worker.stop()
    expect(server.of('result').map(({ body }) => body['task_id'])).toEqual(['a', 'b'])
  })

  it('wait long after a 429 that lost its Retry-After on the way', async () => {
    const { server, clock, worker } = await openBench()
    worker.task('echo', () => ({}))
    server.script('result', { status: 429, json: { error: 'x', code: 'QUOTA_EXCEEDED' } })
    await worker.start()
    server.push(aTask())
    await clock.pass(30_500)
    await server.nth('result', 2)
  })

  it('wait as long as Retry-After says, plus jitter', async () => {
    const { server, clock, worker } = await openBench()
    worker.task('echo', () => ({}))
    server.script('result', { status: 503, text: '', headers: { 'retry-after': '4' } })
    await worker.start()
    server.push(aTask())
    await clock.pass(4500)
    await server.nth('result', 2)
  })

  it('hold no slot and stall no other while they wait (D-6)', async () => {
    const { server, worker } = await openBench({ maxConcurrentTasks: 1 })
    worker.task('echo', () => ({}))
    server.script('result', 'hold')
    await worker.start()
    server.push(aTask({ task_id: 'a' }))
    await server.nth('result', 1)
    server.push(aTask({ task_id: 'b' }))
    await server.nth('result', 2)
    expect(server.results.map(({ task_id: id }) => id)).toEqual(['b'])
  })

  it('stop the polling when too many wait, and let it go on when one is answered', async () => {
    const { server, clock, worker } = await openBench({ maxPendingResults: 1 })
    worker.task('echo', () => ({}))
    const sick = { status: 503, text: '' }
    server.script('result', sick, sick)
    await worker.start()
    server.push(aTask({ task_id: 'a' }))
    await clock.timer(500)
    // This one is taken by the poll that left before the first result existed.
    server.push(aTask({ task_id: 'b' }))
    await clock.timer(500, 2)
    expect(server.of('poll')).toHaveLength(2)
    clock.advance(500)
    await server.nth('poll', 3)
    expect(server.results).toHaveLength(2)
  })

  it('are fixed when the handler ends: a change of the object later is not sent', async () => {
    const { server, clock, worker } = await openBench()
    const data = { n: 1 }
    worker.task('echo', () => data)
    server.script('result', { status: 500, text: '' })
    await worker.start()
    server.push(aTask())
    await clock.timer(500)
    data.n = 2
    clock.advance(500)
    await server.nth('result', 2)
    expect(server.results[0]).toMatchObject({ data: { n: 1 } })
  })
})
