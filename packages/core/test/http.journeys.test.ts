/** Whole jobs over HTTP: fan-out, children, timers, limits, webhooks. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Blueprint } from '../src/index.ts'
import { until } from './support/engine-world.ts'
import { LiveServer } from './support/live-server.ts'

/** One task, `work`; everything that can come of it leads somewhere. */
function single(name = 'single'): Blueprint {
  return new Blueprint(name)
    .state('start', { start: true }, ({ actions, initialData }) => {
      actions.dispatchTask({ type: 'work', params: initialData, transitions: { success: 'done' } })
    })
    .state('done', { end: true })
}

function fan(): Blueprint {
  return new Blueprint('fan')
    .state('start', { start: true }, ({ actions, initialData }) => {
      const names = initialData['names'] as string[]
      const tasks = Object.fromEntries(
        names.map((name) => [name, { type: 'work', params: { name } }]),
      )
      actions.dispatchParallel({ tasks, aggregateInto: 'collect' })
    })
    .aggregator('collect', ({ branches, aggregationResults, actions }) => {
      actions.updateContext({
        seen: branches.map(({ name, index, status, data, error, taskId }) => ({
          ...{ name, index, status, data, code: error?.code ?? null },
          byId: aggregationResults[taskId]?.status ?? null,
        })),
      })
      actions.transitionTo('done')
    })
    .state('done', { end: true }, ({ stateHistory }) => stateHistory['seen'])
}

describe('a parallel job', () => {
  it('hands its branches to workers and its aggregator their results, in order', async () => {
    const server = await LiveServer.start([fan()])
    const error = { code: 'PERMANENT_ERROR', message: 'no' }
    await server.employ('w1', ['work'], ({ params }) =>
      params['name'] === 'b' ? { status: 'failure', error } : { data: { got: params['name'] } },
    )
    const jobId = await server.create('fan', { initial_data: { names: ['c', 'b', 'a'] } })
    const job = await server.jobIn('finished', jobId)
    const done = { status: 'success', byId: 'success', code: null }
    expect(job['result']).toEqual([
      { ...done, name: 'c', index: 0, data: { got: 'c' } },
      {
        name: 'b',
        index: 1,
        status: 'failure',
        byId: 'failure',
        data: null,
        code: 'PERMANENT_ERROR',
      },
      { ...done, name: 'a', index: 2, data: { got: 'a' } },
    ])
    const rows = await server.history(jobId)
    const branches = rows.flatMap(({ event_type: type, context_snapshot: snapshot }) =>
      type === 'task_finished' ? [(snapshot as { branch?: unknown }).branch] : [],
    )
    expect(branches.toSorted()).toEqual(['a', 'b', 'c'])
  })

  it('shows how far its branches are', async () => {
    const server = await LiveServer.start([fan()])
    await server.register('w1', 'work')
    const jobId = await server.create('fan', { initial_data: { names: ['a', 'b', 'c', 'd'] } })
    await server.jobIn('waiting_for_parallel_tasks', jobId)
    const counts = async (): Promise<unknown> => (await server.job(jobId))['branches']
    expect(await counts()).toEqual({ total: 4, done: 0, failed: 0, running: 0, waiting: 4 })
    const tasks = [await server.take('w1'), await server.take('w1'), await server.take('w1')]
    expect(await counts()).toEqual({ total: 4, done: 0, failed: 0, running: 3, waiting: 1 })
    const [first, second] = tasks
    if (first === undefined || second === undefined) throw new Error('no tasks')
    const answer = await server.report('w1', first, { data: {} })
    expect(answer.body).toEqual({ status: 'accepted', transition: 'parallel_branch_accepted' })
    await server.report('w1', second, { status: 'failure' })
    expect(await counts()).toEqual({ total: 4, done: 1, failed: 1, running: 1, waiting: 1 })
    // The same result again is answered the same.
    expect((await server.report('w1', first, { data: {} })).body).toEqual(answer.body)
    await server.post(`/api/jobs/${jobId}/cancel`)
    expect(await server.job(jobId)).toMatchObject({ status: 'cancelled', branches: null })
  })
})

/** Runs `single`, and ends as that did. */
function parent(): Blueprint {
  return new Blueprint('parent')
    .state('start', { start: true }, ({ actions, initialData }) => {
      const transitions = { success: 'done', failure: 'failed' }
      actions.runBlueprint({ name: 'single', initialData, transitions })
    })
    .state('done', { end: true }, ({ child }) => ({ ...child }))
    .state('failed', { end: true }, ({ child }) => ({ ...child }))
}

async function childOf(server: LiveServer, jobId: string): Promise<string> {
  let childId: unknown
  await until(async () => {
    childId = (await server.job(jobId))['child_job_id']
    return typeof childId === 'string' && (await server.job(childId))['status'] !== undefined
  })
  return String(childId)
}

describe('a job with a child', () => {
  it('waits for it and gets its result; both belong to the client', async () => {
    const server = await LiveServer.start([single(), parent()])
    await server.register('w1', 'work')
    const jobId = await server.create('parent', { initial_data: { n: 1 } })
    const childId = await childOf(server, jobId)
    expect(await server.job(jobId)).toMatchObject({ status: 'waiting_for_sub_job', depth: 0 })
    expect(await server.job(childId)).toMatchObject({
      blueprint_name: 'single',
      parent_job_id: jobId,
      initial_data: { n: 1 },
      depth: 1,
    })
    expect((await server.get(`/api/jobs/${childId}`, 'other')).status).toBe(404)
    await server.report('w1', await server.take('w1'), { data: { n: 2 } })
    const job = await server.jobIn('finished', jobId)
    expect(job).toMatchObject({ current_state: 'done', child_job_id: null })
    expect(job['result']).toEqual({
      jobId: childId,
      outcome: 'success',
      status: 'finished',
      finalState: 'done',
      result: { n: 2 },
      error: null,
    })
  })

  it('ends as it says also when the child is quarantined, or cancelled by its client (D-17, D-18)', async () => {
    const server = await LiveServer.start([single(), parent()])
    await server.register('w1', 'work')
    const first = await server.create('parent')
    await childOf(server, first)
    const error = { code: 'PERMANENT_ERROR', message: 'never' }
    await server.report('w1', await server.take('w1'), { status: 'failure', error })
    const second = await server.create('parent')
    const childId = await childOf(server, second)
    await server.post(`/api/jobs/${childId}/cancel`)
    expect(await server.jobIn('failed', first)).toMatchObject({
      result: { outcome: 'failure', status: 'quarantined', error: { code: 'PERMANENT_ERROR' } },
    })
    expect(await server.jobIn('failed', second)).toMatchObject({
      result: { jobId: childId, outcome: 'failure', status: 'cancelled' },
    })
  })

  it('takes it along when it is cancelled, and the worker is told to stop', async () => {
    const server = await LiveServer.start([single(), parent()])
    await server.register('w1', 'work')
    const jobId = await server.create('parent')
    const childId = await childOf(server, jobId)
    const task = await server.take('w1')
    const reply = await server.post(`/api/jobs/${jobId}/cancel`)
    expect(reply.body).toEqual({ status: 'cancellation_request_accepted' })
    expect(await server.job(jobId)).toMatchObject({ status: 'cancelled', child_job_id: null })
    const child = await server.jobIn('cancelled', childId)
    expect(child['error_message']).toContain(jobId)
    const late = await server.report('w1', task, { data: {} })
    expect(late.body).toMatchObject({ status: 'ignored', reason: 'job_cancelled' })
  })
})

describe('a job that waits for time', () => {
  it('shows when it goes on, and goes on', async () => {
    const nap = new Blueprint('nap')
      .state('start', { start: true }, ({ actions, initialData }) => {
        actions.sleep({ seconds: Number(initialData['seconds']), next: 'done' })
      })
      .state('done', { end: true })
    const server = await LiveServer.start([nap])
    const long = await server.create('nap', { initial_data: { seconds: 60 } })
    const job = await server.jobIn('sleeping', long)
    const wakesAt = Date.parse(String(job['updated_at'])) + 60_000
    expect(job['wakes_at']).toBe(new Date(wakesAt).toISOString())
    const short = await server.create('nap', { initial_data: { seconds: 0.01 } })
    expect(await server.jobIn('finished', short)).toMatchObject({ wakes_at: null })
  })

  it('fails where it is when its own time is over', async () => {
    const server = await LiveServer.start([single()])
    const jobId = await server.create('single', { initial_data: {}, job_timeout: 0.05 })
    const job = await server.job(jobId)
    const deadline = Date.parse(String(job['created_at'])) + 50
    expect(job['deadline_at']).toBe(new Date(deadline).toISOString())
    const failed = await server.jobIn('failed', jobId)
    expect(failed).toMatchObject({ error: { code: 'TIMEOUT_ERROR' } })
  })

  it('shows the retries of its task', async () => {
    const server = await LiveServer.start([single()])
    await server.register('w1', 'work')
    const jobId = await server.create('single')
    const error = { code: 'TRANSIENT_ERROR', message: 'later' }
    const first = await server.take('w1')
    await server.report('w1', first, { status: 'failure', error })
    const second = await server.take('w1')
    expect(second.task_id).not.toBe(first.task_id)
    expect(await server.job(jobId)).toMatchObject({
      status: 'waiting_for_worker',
      retry_count: 1,
      current_task_id: second.task_id,
      current_task_info: { type: 'work', attempt: 2 },
      current_task_transitions: { success: 'done' },
    })
  })
})

describe('data that are too large', () => {
  it.each(['initial_data', 'metadata'])('create no job when they are the %s', async (field) => {
    const server = await LiveServer.start([single()], { maxDataBytes: 1000 })
    const body = { blueprint: 'single', initial_data: {} }
    const reply = await server.post('/api/jobs', { ...body, [field]: { text: 'x'.repeat(1000) } })
    expect([reply.status, reply.body['code']]).toEqual([413, 'DATA_TOO_LARGE'])
    expect(reply.body['error']).toContain('MAX_DATA_BYTES')
    const small = await server.post('/api/jobs', { ...body, [field]: { text: 'x'.repeat(900) } })
    expect(small.status).toBe(202)
  })

  it('of a worker are refused, and the job is quarantined with the reason', async () => {
    const server = await LiveServer.start([single()], { maxDataBytes: 1000 })
    await server.register('w1', 'work')
    const jobId = await server.create('single')
    const task = await server.take('w1')
    const reply = await server.report('w1', task, { data: { text: 'x'.repeat(1000) } })
    expect([reply.status, reply.body['code']]).toEqual([413, 'DATA_TOO_LARGE'])
    const job = await server.jobIn('quarantined', jobId)
    expect(job['error_message']).toContain('MAX_DATA_BYTES')
  })
})

interface Call {
  readonly delivery: string
  readonly said: Record<string, unknown>
}

/** A server that is called, and keeps what it was told. */
async function receiver(): Promise<{ readonly url: string; readonly calls: Call[] }> {
  const calls: Call[] = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const said = JSON.parse(body) as Record<string, unknown>
      calls.push({ delivery: String(request.headers['x-avtomatika-delivery']), said })
      response.end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${String(port)}/hook?key=secret-in-the-url`, calls }
}

describe('a webhook', () => {
  it('is told how its job ended, whatever the end, and of events of its worker (D-31)', async () => {
    const { url, calls } = await receiver()
    const wrong = new Blueprint('wrong').state('start', { start: true }, () => undefined)
    const blueprints = [single(), wrong]
    const server = await LiveServer.start(blueprints, { webhookPrivateHosts: true })
    await server.register('w1', 'work')
    const create = (blueprint: string): Promise<string> =>
      server.create(blueprint, { initial_data: {}, webhook_url: url })

    const finished = await create('single')
    const task = await server.take('w1')
    await server.tell('w1', { event_type: 'milestone', job_id: finished, payload: { n: 1 } })
    await server.report('w1', task, { data: { n: 2 } })
    const quarantined = await create('single')
    const error = { code: 'PERMANENT_ERROR', message: 'never' }
    await server.report('w1', await server.take('w1'), { status: 'failure', error })
    const failed = await create('wrong')
    const cancelled = await create('single')
    await server.post(`/api/jobs/${cancelled}/cancel`)

    await until(() => calls.length >= 5)
    const told = calls.map(({ said }) => said)
    const about = (jobId: string): unknown[] => told.filter((said) => said['job_id'] === jobId)
    const milestone = { event: 'worker_event:milestone', status: 'waiting_for_worker' }
    expect(about(finished)).toEqual(
      expect.arrayContaining([
        { ...milestone, job_id: finished, result: null, error: null },
        { ...end('finished', finished), result: { n: 2 }, error: null },
      ]),
    )
    const never = expect.stringContaining('never')
    const noAction = expect.stringContaining('without an action')
    expect(about(quarantined)).toMatchObject([{ ...end('quarantined', quarantined), error: never }])
    expect(about(failed)).toMatchObject([{ ...end('failed', failed), error: noAction }])
    expect(about(cancelled)).toMatchObject([end('cancelled', cancelled)])
    expect(new Set(calls.map(({ delivery }) => delivery)).size).toBe(5)
    expect(server.log()).not.toContain('secret-in-the-url')
  })

  it('in a private network is not called unless the operator allows it (D-58)', async () => {
    const { url, calls } = await receiver()
    const server = await LiveServer.start([single()])
    const jobId = await server.create('single', { initial_data: {}, webhook_url: url })
    await server.post(`/api/jobs/${jobId}/cancel`)
    await until(() => server.log().includes('a webhook was not delivered'))
    expect(calls).toEqual([])
    expect(server.log()).not.toContain('secret-in-the-url')
    expect(await server.job(jobId)).toMatchObject({ status: 'cancelled' })
  })
})

function end(status: string, jobId: string): Record<string, unknown> {
  return { event: `job_${status}`, job_id: jobId, status }
}
