/** What our own workers may say beyond older ones: what they negotiate, and what they batch. */
import { describe, expect, it } from 'vitest'
import { LiveServer } from './support/live-server.ts'
import { until } from './support/engine-world.ts'
import { search } from './support/search-flow.ts'
import { openStorage } from './support/storage-under-test.ts'

const skills = { supported_skills: ['search'] }

describe('features', () => {
  it('are those that both sides know; who names none is answered as ever', async () => {
    const server = await LiveServer.start([search()])
    const features = ['stream', 'telepathy', 'acks']
    expect((await server.enlist('w1', { ...skills, features }))['features']).toEqual([
      'acks',
      'stream',
    ])
    expect(await server.enlist('w2', skills)).toEqual({
      status: 'registered',
      version: expect.any(String),
      warning: null,
    })
  })
})

describe('results in a batch', () => {
  it('are answered one by one, in order, and a bad one spoils no other', async () => {
    const server = await LiveServer.start([search()])
    await server.register('w1', 'search')
    const jobs = [await server.create('search'), await server.create('search')]
    const tasks = [await server.take('w1'), await server.take('w1')]
    const [first, second] = tasks.map(({ job_id, task_id }) => ({ job_id, task_id }))
    const results = [
      { ...first, status: 'success', data: { n: 1 } },
      { ...first, status: 'success', data: { n: 2 } },
      { status: 'success' },
      { ...second, worker_id: 'w2', status: 'success' },
      { job_id: 'none', task_id: 't' },
      {
        ...second,
        worker_id: 'w1',
        result: { status: 'failure', error: { code: 'PERMANENT_ERROR' } },
      },
    ]
    const body = { worker_id: 'w1', results }
    const reply = await server.post('/_worker/tasks/results', body, 'worker')
    const taken = { status: 'accepted', transition: expect.any(String) as string }
    expect([reply.status, reply.body]).toMatchObject([
      200,
      {
        results: [
          taken,
          taken,
          { status: 'error', code: 'INVALID_REQUEST', retry: false },
          { status: 'error', code: 'WORKER_MISMATCH', retry: false },
          { status: 'ignored', reason: 'job_not_found' },
          { status: 'accepted' },
        ],
      },
    ])
    const { state_history } = await server.jobIn('finished', jobs[0] ?? '')
    expect(state_history).toMatchObject({ n: 1 })
    await server.jobIn('quarantined', jobs[1] ?? '')
  })

  it.each([
    [{ worker_id: 'w1', results: [] }, 422],
    [{ worker_id: 'w1', results: Array.from({ length: 101 }, () => ({})) }, 422],
    [{ worker_id: 'w1', results: ['x'] }, 422],
    [{ worker_id: 'w1' }, 422],
    [{ results: [{}] }, 403],
  ])('are refused as a whole when they are no batch', async (body, status) => {
    const server = await LiveServer.start([search()])
    const reply = await server.post('/_worker/tasks/results', body, 'worker')
    expect(reply.status).toBe(status)
  })

  it('that hold more than a job may take are refused without the others', async () => {
    const server = await LiveServer.start([search()], { maxDataBytes: 1000 })
    await server.register('w1', 'search')
    await server.create('search')
    await server.create('search')
    const one = await server.take('w1')
    const other = await server.take('w1')
    const results = [
      { job_id: one.job_id, task_id: one.task_id, data: { text: 'x'.repeat(1000) } },
      { job_id: other.job_id, task_id: other.task_id },
    ]
    const reply = await server.post(
      '/_worker/tasks/results',
      { worker_id: 'w1', results },
      'worker',
    )
    expect(reply.body['results']).toMatchObject([
      { status: 'error', code: 'DATA_TOO_LARGE', retry: false },
      { status: 'accepted' },
    ])
  })
})

describe('an acknowledgement', () => {
  it('names what the worker does not hold any more', async () => {
    const server = await LiveServer.start([search()])
    await server.enlist('w1', { ...skills, features: ['acks'] })
    await server.create('search')
    const { task_id } = await server.take('w1')
    const ack = (task_ids: unknown): ReturnType<LiveServer['post']> =>
      server.post('/_worker/tasks/ack', { worker_id: 'w1', task_ids }, 'worker')
    expect((await ack([task_id])).body).toEqual({ status: 'ok' })
    expect((await ack([task_id, 'other'])).body).toEqual({
      status: 'ok',
      cancel_task_ids: ['other'],
    })
    expect((await ack([])).status).toBe(422)
    expect((await ack('all')).status).toBe(422)
  })
})

describe('a poll brings word of what is not wanted any more', () => {
  const features = { ...skills, features: ['cancel_in_poll'] }
  const path = '/_worker/workers/w1/tasks/next?max=5&timeout=2'

  it('at once, also when another orchestrator was told', async () => {
    const storage = openStorage()
    const one = await LiveServer.start([search()], {}, storage)
    const other = await LiveServer.start([search()], {}, storage)
    await one.enlist('w1', features)
    const jobId = await other.create('search')
    const { task_id } = await one.take('w1')
    const polling = one.get(path, 'worker')
    await other.post(`/api/jobs/${jobId}/cancel`)
    const { status, body } = await polling
    expect([status, body]).toEqual([200, { tasks: [], cancel_task_ids: [task_id] }])
    const after = await one.get(`${path.split('&')[0] ?? ''}&timeout=0`, 'worker')
    expect(after.status, 'it is told once').toBe(204)
  })

  it('beside the next tasks, when it happened between two polls', async () => {
    const server = await LiveServer.start([search()])
    await server.enlist('w1', features)
    const jobId = await server.create('search')
    const { task_id } = await server.take('w1')
    await server.post(`/api/jobs/${jobId}/cancel`)
    await until(async () => (await server.job(jobId))['status'] === 'cancelled')
    const { body } = await server.get(path, 'worker')
    expect(body).toEqual({ tasks: [], cancel_task_ids: [task_id] })
  })

  it('only to workers that understand it', async () => {
    const server = await LiveServer.start([search()])
    await server.enlist('w1', skills)
    const jobId = await server.create('search')
    await server.take('w1')
    await server.post(`/api/jobs/${jobId}/cancel`)
    expect(
      (await server.get('/_worker/workers/w1/tasks/next?max=5&timeout=0', 'worker')).status,
    ).toBe(204)
  })
})
