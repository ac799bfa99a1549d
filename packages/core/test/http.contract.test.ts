/** The wire contract over HTTP: every generation's words, every kind of bad input. */
import { describe, expect, it } from 'vitest'
import {
  client,
  CLIENT_TOKEN,
  OTHER_TOKEN,
  OWN_TOKEN,
  testServer,
  worker,
  WORKER_TOKEN,
} from './support/server.ts'

const CREATE = { method: 'POST', url: '/api/v1/jobs/test', headers: client } as const

interface Task {
  readonly job_id: string
  readonly task_id: string
  readonly type: string
  readonly params: Record<string, unknown>
}

describe('creating a job', () => {
  it.each([
    ['X-Client-Token', { 'x-client-token': CLIENT_TOKEN }],
    ['X-Avtomatika-Token', { 'x-avtomatika-token': CLIENT_TOKEN }],
    ['Authorization: Bearer', { authorization: `Bearer ${CLIENT_TOKEN}` }],
  ])('takes the token from %s', async (_name, headers) => {
    await using server = await testServer()
    const reply = await server.send({ ...CREATE, headers, body: { message: 'hi' } })
    expect(reply.statusCode).toBe(202)
    expect(reply.json()).toEqual({ status: 'accepted', job_id: expect.any(String) as string })
  })

  it.each([
    ['the bare object', { message: 'hi', multiply: 3 }],
    ['initial_data', { initial_data: { message: 'hi', multiply: 3 }, dispatch_timeout: 60 }],
    ['data', { data: { message: 'hi', multiply: 3 } }],
  ])('takes its data from %s', async (_shape, body) => {
    await using server = await testServer()
    const job = await server.jobOf(await server.createJob(body))
    expect(job).toMatchObject({ initial_data: { message: 'hi', multiply: 3 } })
  })

  it('works by name for a blueprint without an endpoint', async () => {
    await using server = await testServer()
    const body = { blueprint: 'no_endpoint', data: {} }
    const reply = await server.send({ ...CREATE, url: '/api/jobs', body })
    const { job_id: jobId } = reply.json<{ job_id: string }>()
    const read = { method: 'GET', url: `/api/jobs/${jobId}?wait=5`, headers: client } as const
    expect((await server.send(read)).json()).toMatchObject({ status: 'finished', result: 'ran' })
  })

  it('makes one job for one idempotency key, and refuses the key for another request (D-61)', async () => {
    await using server = await testServer()
    const headers = { ...client, 'idempotency-key': 'k1' }
    const first = await server.send({ ...CREATE, headers, body: { n: 1 } })
    const again = await server.send({ ...CREATE, headers, body: { n: 1 } })
    const other = await server.send({ ...CREATE, headers, body: { n: 2 } })
    expect(again.json()).toEqual(first.json())
    expect(other.statusCode).toBe(409)
    expect(other.json()).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' })
  })
})

describe('bad input from clients', () => {
  it.each([
    ['malformed JSON', '{"a":', 400, 'Invalid JSON body'],
    ['no body', undefined, 400, 'Invalid JSON body'],
    ['an array', '[]', 400, 'Invalid JSON body'],
    ['__proto__', '{"__proto__":{"admin":true}}', 400, 'Invalid JSON body'],
    ['a constructor', '{"constructor":{"prototype":{"x":1}}}', 400, 'Invalid JSON body'],
  ])('%s is refused', async (_name, body, status, error) => {
    await using server = await testServer()
    const reply = await server.send({ ...CREATE, ...(body !== undefined && { body }) })
    expect(reply.statusCode).toBe(status)
    expect(reply.json()).toMatchObject({ error, code: 'INVALID_JSON' })
  })

  it('wrong types are answered with 422 and their paths', async () => {
    await using server = await testServer()
    const reply = await server.send({
      ...CREATE,
      body: { initial_data: [], dispatch_timeout: 'x' },
    })
    expect(reply.statusCode).toBe(422)
    const { details } = reply.json<{ details: { issues: { path: string }[] } }>()
    expect(details.issues.map(({ path }) => path)).toEqual(['initial_data', 'dispatch_timeout'])
  })

  it("input against the blueprint's schema is answered with 422 and its paths", async () => {
    await using server = await testServer()
    const body = { initial_data: { items: [{ n: 1 }, { n: 'two' }] } }
    const reply = await server.send({ ...CREATE, url: '/api/v1/jobs/typed', body })
    expect(reply.statusCode).toBe(422)
    const { details, code } = reply.json<{
      code: string
      details: { issues: { path: string }[] }
    }>()
    expect(code).toBe('INVALID_INPUT')
    const paths = details.issues.map(({ path }) => path)
    expect(paths).toEqual(['initial_data.id', 'initial_data.items[1].n'])
  })

  it('nesting of 10,000 levels does no harm', async () => {
    await using server = await testServer()
    const body = `{"a":${'['.repeat(10_000)}${']'.repeat(10_000)}}`
    const reply = await server.send({ ...CREATE, body })
    expect(reply.statusCode).toBe(422)
    expect((await server.send({ method: 'GET', url: '/_public/status' })).statusCode).toBe(200)
  })

  it('a body over 10 MiB is answered with 413 and the limit', async () => {
    await using server = await testServer()
    const body = JSON.stringify({ text: 'x'.repeat(10 * 1024 * 1024) })
    const reply = await server.send({ ...CREATE, body })
    expect(reply.statusCode).toBe(413)
    expect(reply.json()).toMatchObject({ code: 'BODY_TOO_LARGE' })
    expect(reply.json<{ error: string }>().error).toContain('10 MiB')
  })

  it.each([
    [{}, 'Missing X-Client-Token header'],
    [{ 'x-client-token': 'wrong' }, 'Unauthorized: Invalid token'],
    [{ authorization: 'Bearer wrong' }, 'Unauthorized: Invalid token'],
  ])('credentials %j are answered with 401', async (headers, error) => {
    await using server = await testServer()
    const reply = await server.send({ ...CREATE, headers, body: {} })
    expect(reply.statusCode).toBe(401)
    expect(reply.json()).toMatchObject({ error })
  })

  it('credentials are checked before the body is read', async () => {
    await using server = await testServer()
    const huge = JSON.stringify({ text: 'x'.repeat(10 * 1024 * 1024) })
    for (const body of ['{"a":', huge]) {
      const asClient = await server.send({
        ...CREATE,
        headers: { 'x-client-token': 'wrong' },
        body,
      })
      const url = '/_worker/tasks/result'
      const asWorker = await server.send({ method: 'POST', url, body })
      expect([asClient.statusCode, asWorker.statusCode]).toEqual([401, 401])
    }
  })

  it("another client's job is as good as none (D-54)", async () => {
    await using server = await testServer()
    const jobId = await server.createJob()
    const headers = { 'x-client-token': OTHER_TOKEN }
    for (const [method, path] of [
      ['GET', `/api/v1/jobs/${jobId}`],
      ['GET', `/api/v1/jobs/${jobId}/history`],
      ['POST', `/api/v1/jobs/${jobId}/cancel`],
    ] as const) {
      const reply = await server.send({ method, url: path, headers })
      expect([reply.statusCode, reply.json()]).toEqual([
        404,
        { error: 'Job not found', code: 'JOB_NOT_FOUND' },
      ])
    }
  })

  it('unknown jobs, blueprints and routes are answered with 404 in JSON', async () => {
    await using server = await testServer()
    const get = (url: string) => server.send({ method: 'GET', url, headers: client })
    expect((await get('/api/v1/jobs/none')).json()).toMatchObject({ code: 'JOB_NOT_FOUND' })
    expect((await get('/api/v1/nothing')).json()).toMatchObject({ code: 'ROUTE_NOT_FOUND' })
    const unknown = await server.send({ ...CREATE, url: '/api/v1/jobs/none', body: {} })
    expect([unknown.statusCode, unknown.json<{ code: string }>().code]).toEqual([
      404,
      'ROUTE_NOT_FOUND',
    ])
    const byName = await server.send({ ...CREATE, url: '/api/jobs', body: { blueprint: 'x' } })
    expect(byName.json()).toMatchObject({ code: 'BLUEPRINT_NOT_FOUND' })
  })

  it('has no way to erase everything (D-52)', async () => {
    await using server = await testServer()
    const reply = await server.send({ method: 'POST', url: '/_public/debug/flush_db' })
    expect(reply.statusCode).toBe(404)
  })

  it('a second cancel is told that there is nothing to cancel (D-16)', async () => {
    await using server = await testServer()
    const url = `/api/v1/jobs/${await server.createJob()}/cancel`
    const first = await server.send({ method: 'POST', url, headers: client })
    const second = await server.send({ method: 'POST', url, headers: client })
    expect(first.json()).toEqual({ status: 'cancellation_request_accepted' })
    expect(second.statusCode).toBe(404)
    expect(second.json()).toMatchObject({ error: 'Job not found or already terminal.' })
  })
})

describe('workers of every generation', () => {
  it.each([
    ['supported_tasks', { supported_tasks: ['echo'], max_concurrent_tasks: 2 }],
    [
      'supported_skills as names',
      { supported_skills: ['echo'], resources: { max_concurrent_tasks: 2 } },
    ],
    ['supported_skills as objects', { supported_skills: [{ name: 'echo', version: '1.0.0' }] }],
  ])('register with %s and get their task', async (_name, words) => {
    await using server = await testServer()
    const registered = await server.register('w1', words)
    expect(registered.json()).toMatchObject({ status: 'registered' })
    const jobId = await server.createJob()
    const task = (await server.poll('w1')).json<Task>()
    expect(task).toMatchObject({
      job_id: jobId,
      type: 'echo',
      params: { message: 'hi' },
      attempt: 1,
    })
  })

  it.each([
    ['flat', (ids: object) => ({ ...ids, status: 'success', data: { n: 1 } })],
    ['nested', (ids: object) => ({ ...ids, result: { status: 'success', data: { n: 1 } } })],
    ['without a status', (ids: object) => ({ ...ids, data: { n: 1 } })],
  ])('report a result that is %s', async (_name, shape) => {
    await using server = await testServer()
    await server.register('w1')
    const jobId = await server.createJob()
    const { task_id } = (await server.poll('w1')).json<Task>()
    const reply = await server.report(shape({ job_id: jobId, task_id, worker_id: 'w1' }))
    expect(reply.json()).toEqual({ status: 'accepted', transition: 'success_transition' })
    expect(await server.jobOf(jobId)).toMatchObject({
      status: 'finished',
      current_state: 'completed',
      state_history: { n: 1 },
      result: { n: 1 },
      task_worker_id: 'w1',
    })
  })

  it('get the same answer for the same result sent twice (D-13)', async () => {
    await using server = await testServer()
    await server.register('w1')
    const jobId = await server.createJob()
    const { task_id } = (await server.poll('w1')).json<Task>()
    const result = { job_id: jobId, task_id, worker_id: 'w1', status: 'success' }
    expect((await server.report(result)).json()).toEqual((await server.report(result)).json())
  })

  it('are told why a result changes nothing, with 200', async () => {
    await using server = await testServer()
    await server.register('w1')
    const jobId = await server.createJob()
    const { task_id } = (await server.poll('w1')).json<Task>()
    const reasonOf = async (result: object): Promise<unknown> =>
      (await server.report(result)).json<{ reason: unknown }>().reason
    expect(await reasonOf({ job_id: 'none', task_id, worker_id: 'w1' })).toBe('job_not_found')
    expect(await reasonOf({ job_id: jobId, task_id: 'old', worker_id: 'w1' })).toBe('stale_task')
    expect(await reasonOf({ job_id: jobId, task_id, worker_id: 'w2' })).toBe('worker_mismatch')
    await server.send({ method: 'POST', url: `/api/v1/jobs/${jobId}/cancel`, headers: client })
    expect(await reasonOf({ job_id: jobId, task_id, worker_id: 'w1' })).toBe('job_cancelled')
  })

  it('send heartbeats with JSON, with nothing, or with something that is no JSON', async () => {
    await using server = await testServer()
    await server.register('w1')
    const beat = (body?: string | object) => {
      const said = body === undefined ? {} : { body }
      const url = '/_worker/workers/w1'
      return server.send({ method: 'PATCH', url, headers: worker, ...said })
    }
    expect((await beat()).json()).toEqual({ status: 'ttl_refreshed' })
    expect((await beat('no json')).json()).toEqual({ status: 'ttl_refreshed' })
    expect((await beat({ worker_id: 'w1', status: 'idle', load: 0 })).json()).toEqual({
      status: 'ok',
    })
  })

  it('hear in a heartbeat that a task was cancelled (D-45)', async () => {
    await using server = await testServer()
    await server.register('w1')
    const jobId = await server.createJob()
    const { task_id } = (await server.poll('w1')).json<Task>()
    const body = { worker_id: 'w1', status: 'busy', current_tasks: [task_id] }
    const beat = { method: 'PATCH', url: '/_worker/workers/w1', headers: worker, body } as const
    expect((await server.send(beat)).json()).toEqual({ status: 'ok' })
    await server.send({ method: 'POST', url: `/api/v1/jobs/${jobId}/cancel`, headers: client })
    expect((await server.send(beat)).json()).toEqual({ status: 'ok', cancel_task_ids: [task_id] })
  })

  it('that are unknown are sent to register again (D-45, C-12)', async () => {
    await using server = await testServer()
    const beat = await server.send({ method: 'PATCH', url: '/_worker/workers/w9', headers: worker })
    expect(beat.statusCode).toBe(404)
    expect(beat.json<{ error: string }>().error).toContain('not found')
    expect((await server.poll('w9')).statusCode).toBe(404)
  })

  it('get 204 after the time they asked for, and a batch when they asked for one', async () => {
    await using server = await testServer()
    await server.register('w1')
    const empty = await server.poll('w1', '?timeout=0.05')
    expect([empty.statusCode, empty.body]).toEqual([204, ''])
    const jobs = [await server.createJob(), await server.createJob(), await server.createJob()]
    // The third task may not be on offer yet when the first two are: ask until all have come.
    const tasks: Task[] = []
    while (tasks.length < jobs.length) {
      tasks.push(...(await server.poll('w1', '?max=5')).json<{ tasks: Task[] }>().tasks)
    }
    expect(tasks.map((task) => task.job_id)).toEqual(jobs)
  })

  it('wait for a task and get it the moment it is offered', async () => {
    await using server = await testServer()
    await server.register('w1')
    // It would look by itself only after 5 s, and by then it has gone home empty.
    const waiting = server.poll('w1', '?timeout=2')
    const jobId = await server.createJob()
    expect((await waiting).json<Task>().job_id).toBe(jobId)
  })

  it('report progress from 0 to 1', async () => {
    await using server = await testServer()
    await server.register('w1')
    const jobId = await server.createJob()
    const { task_id } = (await server.poll('w1')).json<Task>()
    const body = {
      event_id: 'e1',
      worker_id: 'w1',
      event_type: 'progress',
      payload: { progress: 0.5, message: 'half' },
      target_job_id: jobId,
      target_task_id: task_id,
    }
    const reply = await server.send({
      method: 'POST',
      url: '/_worker/events',
      headers: worker,
      body,
    })
    expect(reply.json()).toEqual({ status: 'event_accepted' })
    expect(await server.jobOf(jobId)).toMatchObject({ progress: 0.5, progress_message: 'half' })
  })
})

describe('bad input from workers', () => {
  it.each([
    [{}, 'Missing X-Worker-Token header'],
    [{ 'x-worker-token': 'wrong' }, 'Unauthorized: No valid token found'],
  ])('credentials %j are answered with 401', async (headers, error) => {
    await using server = await testServer()
    const body = { worker_id: 'w1', supported_skills: ['echo'] }
    const url = '/_worker/workers/register'
    const reply = await server.send({ method: 'POST', url, headers, body })
    expect([reply.statusCode, reply.json<{ error: string }>().error]).toEqual([401, error])
  })

  it.each([
    ['the token of one worker, the id of another', { 'x-worker-token': OWN_TOKEN }, 'w1'],
    [
      'the shared token, the id of a worker with its own',
      { 'x-worker-token': WORKER_TOKEN },
      'own',
    ],
    ['one id in the header, another in the body', { ...worker, 'x-worker-id': 'w2' }, 'w1'],
  ])('%s: 403 everywhere (D-65)', async (_name, headers, id) => {
    await using server = await testServer()
    const requests = [
      { method: 'POST', url: '/_worker/workers/register', body: { worker_id: id } },
      { method: 'GET', url: `/_worker/workers/${id}/tasks/next` },
      { method: 'PATCH', url: `/_worker/workers/${id}` },
      {
        method: 'POST',
        url: '/_worker/tasks/result',
        body: { job_id: 'j', task_id: 't', worker_id: id },
      },
    ] as const
    for (const request of requests) {
      const reply = await server.send({ ...request, headers })
      expect([reply.statusCode, reply.json<{ code: string }>().code]).toEqual([
        403,
        'WORKER_MISMATCH',
      ])
    }
  })

  it('hurts only the worker that sent it', async () => {
    await using server = await testServer()
    await server.register('good')
    const jobId = await server.createJob()
    const { task_id } = (await server.poll('good')).json<Task>()
    for (const body of [
      'garbage',
      '[]',
      '{"job_id":7}',
      { job_id: jobId, task_id: 7 },
      { worker_id: {} },
    ]) {
      const url = '/_worker/tasks/result'
      const reply = await server.send({ method: 'POST', url, headers: worker, body })
      expect(reply.statusCode).toBeGreaterThanOrEqual(400)
      expect(reply.statusCode).toBeLessThan(500)
      expect(reply.json()).toMatchObject({
        error: expect.any(String) as string,
        code: expect.any(String) as string,
      })
    }
    expect((await server.register('bad id!')).statusCode).toBe(422)
    const done = { job_id: jobId, task_id, worker_id: 'good', status: 'success' }
    expect((await server.report(done)).json()).toMatchObject({ status: 'accepted' })
  })
})

describe('every answer', () => {
  it('carries the protocol version, and no answer, job, history or log carries a token (D-54, D-56)', async () => {
    await using server = await testServer()
    await server.register('w1')
    const headers = { ...client, traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` }
    const created = await server.send({ ...CREATE, headers, body: { message: 'hi' } })
    const { job_id: jobId } = created.json<{ job_id: string }>()
    const { task_id } = (await server.poll('w1')).json<Task>()
    await server.report({ job_id: jobId, task_id, worker_id: 'w1', status: 'odd' })
    const answers = await Promise.all(
      [`/api/v1/jobs/${jobId}`, `/api/v1/jobs/${jobId}/history`, '/api/v1/workers', '/none'].map(
        (url) => server.send({ method: 'GET', url, headers: client }),
      ),
    )
    const refused = await server.send({
      ...CREATE,
      headers: { 'x-client-token': 'wr0ng-t0ken' },
      body: {},
    })
    for (const answer of [created, ...answers, refused]) {
      expect(answer.headers['x-rxon-version']).toBeTypeOf('string')
    }
    const everything = [...answers, refused].map(({ body }) => body).join('') + server.log()
    for (const secret of [CLIENT_TOKEN, WORKER_TOKEN, OWN_TOKEN, 'wr0ng-t0ken']) {
      expect(everything).not.toContain(secret)
    }
  })

  it('shows workers without their addresses (D-59)', async () => {
    await using server = await testServer()
    await server.register('w1', {
      supported_tasks: ['echo'],
      hostname: 'inner-host',
      ip_address: '10.1.2.3',
      security: { metadata: { seal: 'abcdef' } },
    })
    const reply = await server.send({ method: 'GET', url: '/api/v1/workers', headers: client })
    expect(reply.json()).toMatchObject([
      { worker_id: 'w1', supported_tasks: ['echo'], reputation: 1 },
    ])
    expect(reply.body).not.toMatch(/inner-host|10\.1\.2\.3|abcdef/)
  })
})

describe('the plugin in a host app', () => {
  it('serves everything under its prefix and leaves the rest to the host', async () => {
    await using server = await testServer('/workflows')
    const jobId = await server.createJob()
    expect(await server.jobOf(jobId)).toMatchObject({ id: jobId })
    const outside = await server.app.inject({ method: 'GET', url: '/api/v1/workers' })
    expect(outside.statusCode).toBe(404)
    expect(outside.json()).not.toHaveProperty('code')
  })

  it('sends waiting polls home when the host closes', async () => {
    const server = await testServer()
    await server.register('w1')
    const waiting = server.poll('w1', '?timeout=2')
    await server.app.close()
    expect((await waiting).statusCode).toBe(204)
  })
})
