/** Events over HTTP: from clients to jobs that wait for them, or will; and from workers. */
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Blueprint } from '../src/index.ts'
import { until } from './support/engine-world.ts'
import { LiveServer, type Answer } from './support/live-server.ts'

/** A person first, then an event: so that an event can come before anybody waits for it. */
function order(): Blueprint {
  return new Blueprint('order', { events: { shipped: z.object({ count: z.number() }) } })
    .state('start', { start: true }, ({ actions }) => {
      const transitions = { go: 'waiting' }
      actions.awaitHumanApproval({ integration: 'none', message: 'Go?', transitions })
    })
    .state('waiting', ({ actions }) => {
      actions.waitForEvent({ name: 'paid', match: { ok: true }, transitions: { received: 'done' } })
    })
    .state('done', { end: true }, ({ event }) => event?.data)
}

async function waiting(server: LiveServer): Promise<string> {
  const jobId = await server.create('order')
  await server.jobIn('waiting_for_human', jobId)
  await go(server, jobId)
  await server.jobIn('waiting_for_event', jobId)
  return jobId
}

function go(server: LiveServer, jobId: string): Promise<Answer> {
  return server.post(`/_public/webhooks/approval/${jobId}`, { decision: 'go' })
}

const send = (server: LiveServer, jobId: string, body?: string | object): Promise<Answer> =>
  server.post(`/api/jobs/${jobId}/events`, body)

describe('an event from a client', () => {
  it('reaches the job that waits for it', async () => {
    const server = await LiveServer.start([order()])
    const jobId = await waiting(server)
    expect(await server.job(jobId)).toMatchObject({ waiting_for_event: 'paid', approval: null })
    const reply = await send(server, jobId, { name: 'paid', data: { ok: true, sum: 7 } })
    expect([reply.status, reply.body]).toEqual([
      202,
      { status: 'accepted', job_id: jobId, outcome: 'received' },
    ])
    const job = await server.jobIn('finished', jobId)
    expect(job).toMatchObject({ result: { ok: true, sum: 7 }, waiting_for_event: null })
  })

  it('that comes before the job waits for it is not lost', async () => {
    const server = await LiveServer.start([order()])
    const jobId = await server.create('order')
    await server.jobIn('waiting_for_human', jobId)
    const early = await send(server, jobId, { name: 'paid', data: { ok: true, sum: 8 } })
    expect(early.body['outcome']).toBe('stored')
    await go(server, jobId)
    expect(await server.jobIn('finished', jobId)).toMatchObject({ result: { sum: 8 } })
  })

  it('of another name, or with other data, is kept and wakes nobody', async () => {
    const server = await LiveServer.start([order()])
    const jobId = await waiting(server)
    for (const body of [{ name: 'paid', data: { ok: false } }, { name: 'paid' }, { name: 'x' }]) {
      expect((await send(server, jobId, body)).body['outcome']).toBe('stored')
    }
    expect(await server.job(jobId)).toMatchObject({ status: 'waiting_for_event' })
  })

  it('counts once for one id, from the body or from the Idempotency-Key', async () => {
    const server = await LiveServer.start([order()])
    const jobId = await server.create('order')
    const path = `/api/jobs/${jobId}/events`
    const outcome = async (body: object, headers: Record<string, string> = {}): Promise<unknown> =>
      (await server.call('POST', path, { body, headers })).body['outcome']
    const key = { 'idempotency-key': 'k-1' }
    expect(await outcome({ name: 'a', event_id: 'e-1' })).toBe('stored')
    expect(await outcome({ name: 'a', event_id: 'e-1' })).toBe('repeated')
    expect(await outcome({ name: 'a' }, key)).toBe('stored')
    expect(await outcome({ name: 'a' }, key)).toBe('repeated')
    expect(await outcome({ name: 'a', event_id: 'e-2' }, key), 'the body goes first').toBe('stored')
    expect(await outcome({ name: 'a' }), 'an event without an id is a new one').toBe('stored')
    expect(await outcome({ name: 'a' })).toBe('stored')
  })

  it.each([
    [undefined, 400, 'INVALID_JSON'],
    ['{"name":', 400, 'INVALID_JSON'],
    ['[]', 400, 'INVALID_JSON'],
    [{}, 422, 'INVALID_REQUEST'],
    [{ name: '' }, 422, 'INVALID_REQUEST'],
    [{ name: 'x'.repeat(129) }, 422, 'INVALID_REQUEST'],
    [{ name: 'paid', data: [] }, 422, 'INVALID_REQUEST'],
    [{ name: 'paid', event_id: '' }, 422, 'INVALID_REQUEST'],
    [{ name: 'shipped', data: { count: 'two' } }, 422, 'INVALID_INPUT'],
    [{ name: 'paid', data: { text: 'x'.repeat(1000) } }, 413, 'DATA_TOO_LARGE'],
  ])('%j is refused with %i %s', async (body, status, code) => {
    const server = await LiveServer.start([order()], { maxDataBytes: 1000 })
    const jobId = await server.create('order')
    const reply = await send(server, jobId, body)
    expect([reply.status, reply.body['code']]).toEqual([status, code])
  })

  it('with a key of 256 characters is refused', async () => {
    const server = await LiveServer.start([order()])
    const path = `/api/jobs/${await server.create('order')}/events`
    const headers = { 'idempotency-key': 'k'.repeat(256) }
    const reply = await server.call('POST', path, { body: { name: 'paid' }, headers })
    expect([reply.status, reply.body['code']]).toEqual([422, 'INVALID_REQUEST'])
  })

  it('for a job that has ended is answered with 409, and for none with 404', async () => {
    const server = await LiveServer.start([order()])
    const jobId = await server.create('order')
    await server.post(`/api/jobs/${jobId}/cancel`)
    const ended = await send(server, jobId, { name: 'paid' })
    expect([ended.status, ended.body['code']]).toEqual([409, 'JOB_ENDED'])
    const none = await send(server, 'none', { name: 'paid' })
    expect([none.status, none.body['code']]).toEqual([404, 'JOB_NOT_FOUND'])
  })

  it('is turned away for now when the job keeps too many already', async () => {
    const server = await LiveServer.start([order()], { maxStoredEvents: 1 })
    const jobId = await server.create('order')
    await server.jobIn('waiting_for_human', jobId)
    expect((await send(server, jobId, { name: 'paid' })).status).toBe(202)
    const full = await send(server, jobId, { name: 'paid' })
    expect([full.status, full.body['code']]).toEqual([429, 'EVENTS_FULL'])
    expect(Number(full.headers.get('retry-after'))).toBeGreaterThan(0)
  })
})

/** A task that an event of its worker may cut short. */
function watched(): Blueprint {
  return new Blueprint('watched', { events: { found: z.object({ at: z.number() }) } })
    .state('start', { start: true }, ({ actions }) => {
      actions.dispatchTask({
        type: 'search',
        transitions: { success: 'done' },
        eventTransitions: { found: 'early' },
      })
    })
    .state('done', { end: true })
    .state('early', { end: true }, ({ stateHistory }) => ({ at: stateHistory['at'] ?? null }))
}

describe('an event from a worker', () => {
  it('moves the job before there is a result, and the worker is told to stop (D-35)', async () => {
    const server = await LiveServer.start([watched()])
    await server.register('w1', 'search')
    const jobId = await server.create('watched')
    const task = await server.take('w1')
    const event = { event_id: 'e-1', event_type: 'found', payload: { at: 3 }, job_id: jobId }
    const reply = await server.tell('w1', { ...event, task_id: task.task_id })
    expect([reply.status, reply.body]).toEqual([200, { status: 'event_accepted' }])
    expect(await server.jobIn('finished', jobId)).toMatchObject({
      current_state: 'early',
      result: { at: 3 },
    })
    const beat = { worker_id: 'w1', status: 'busy', current_tasks: [task.task_id] }
    const path = '/_worker/workers/w1'
    const { body } = await server.call('PATCH', path, { as: 'worker', body: beat })
    expect(body['cancel_task_ids']).toEqual([task.task_id])
    const late = await server.report('w1', task, { status: 'success' })
    expect(late.body).toMatchObject({ status: 'ignored', reason: 'job_already_terminated' })
  })

  it('is kept in the history, once for one id, and found by older names too', async () => {
    const server = await LiveServer.start([watched()])
    await server.register('w1', 'search')
    const jobId = await server.create('watched')
    const task = await server.take('w1')
    const event = { event_id: 'e-1', event_type: 'note', payload: { line: 1 } }
    await server.tell('w1', { ...event, target_job_id: jobId, target_task_id: task.task_id })
    const again = await server.tell('w1', { ...event, job_id: jobId })
    expect(again.body).toEqual({ status: 'event_accepted' })
    await server.tell('w1', { ...event, event_id: undefined, job_id: jobId })
    await until(async () => (await notesOf(server, jobId)).length === 2)
    const [first] = await notesOf(server, jobId)
    expect(first).toMatchObject({
      worker_id: 'w1',
      context_snapshot: { details: { id: 'e-1', type: 'note', payload: { line: 1 } } },
    })
  })

  it('that changes nothing is accepted all the same, with the reason', async () => {
    const server = await LiveServer.start([watched()])
    await server.register('w1', 'search')
    await server.register('w2', 'search')
    const jobId = await server.create('watched')
    const { task_id } = await server.take('w1')
    const tell = (workerId: string, event: object): Promise<Answer> =>
      server.tell(workerId, { event_type: 'note', ...event })
    const expected = async (answer: Promise<Answer>, ignored: string): Promise<void> => {
      const { status, body } = await answer
      expect([status, body]).toEqual([200, { status: 'event_accepted', ignored }])
    }
    await expected(tell('w1', {}), 'job_not_found')
    await expected(tell('w1', { job_id: 'none' }), 'job_not_found')
    await expected(tell('w1', { job_id: jobId, task_id: 'old' }), 'stale_task')
    await expected(tell('w2', { job_id: jobId, task_id }), 'worker_mismatch')
    const progress = { event_type: 'progress', payload: { progress: 0.5 }, job_id: jobId }
    await expected(tell('w1', { ...progress, task_id: 'old' }), 'stale_task')
    await expected(tell('w2', { ...progress, task_id }), 'worker_mismatch')
    expect(await server.job(jobId)).toMatchObject({ progress: null, current_state: 'start' })
  })

  it.each([
    [{ event_type: 'found', payload: { at: 'here' } }, 422, 'INVALID_INPUT'],
    [{ event_type: 'note', payload: { text: 'x'.repeat(1000) } }, 413, 'DATA_TOO_LARGE'],
    [{ event_type: 'progress', payload: { progress: 'half' } }, 422, 'INVALID_REQUEST'],
    [{ payload: {} }, 422, 'INVALID_REQUEST'],
    [{ event_type: 'note', payload: 7 }, 422, 'INVALID_REQUEST'],
  ])('%j is refused with %i %s and changes nothing', async (event, status, code) => {
    const server = await LiveServer.start([watched()], { maxDataBytes: 1000 })
    await server.register('w1', 'search')
    const jobId = await server.create('watched')
    const { task_id } = await server.take('w1')
    const reply = await server.tell('w1', { ...event, job_id: jobId, task_id })
    expect([reply.status, reply.body['code']]).toEqual([status, code])
    expect(await server.job(jobId)).toMatchObject({ current_task_id: task_id, progress: null })
  })
})

async function notesOf(server: LiveServer, jobId: string): Promise<Record<string, unknown>[]> {
  return (await server.history(jobId)).filter((row) => row['event_type'] === 'worker_event')
}
