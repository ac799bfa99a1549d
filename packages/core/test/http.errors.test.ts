/** Errors and corners of the HTTP layer, as a host and its peers see them. */
import { UnavailableError } from '@avtomatika/protocol'
import { fastify, type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Blueprint, OrchestratorEngine } from '../src/index.ts'
import { until } from './support/engine-world.ts'
import { client, CLIENT_TOKEN, OTHER_TOKEN, testServer, worker } from './support/server.ts'
import { openStorage, overlay } from './support/storage-under-test.ts'

interface Host {
  readonly app: FastifyInstance
  readonly log: () => string
}

/** A host's own app with the plugin in it; `prepare` is what the host does before. */
async function host(
  prepare: (app: FastifyInstance) => void,
  storage = openStorage(),
  prefix = '/flows',
): Promise<Host> {
  const lines: string[] = []
  const logger = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) })
  const config = { clients: [{ token: CLIENT_TOKEN }], workerTokens: { shared: 'worker-secret' } }
  const engine = new OrchestratorEngine({ storage, logger, config })
  engine.register(new Blueprint('order').state('start', { start: true, end: true }))
  const loggerInstance: FastifyBaseLogger = logger
  const app = fastify({ loggerInstance })
  prepare(app)
  await app.register(engine.plugin, { prefix })
  onTestFinished(() => app.close())
  return { app, log: () => lines.join('') }
}

describe('an error', () => {
  it.each([
    ['POST', '/api/jobs', 400],
    ['GET', '/api/jobs/none', 404],
    ['GET', '/nowhere', 404],
    ['DELETE', '/api/jobs/none', 404],
    ['GET', '/api/jobs/none?wait=soon', 404],
  ] as const)(
    'of %s %s has status %i, a text, a code and the version',
    async (method, url, status) => {
      await using server = await testServer()
      const reply = await server.app.inject({ method, url, headers: client })
      expect(reply.statusCode).toBe(status)
      expect(reply.json()).toMatchObject({ error: expect.any(String), code: expect.any(String) })
      expect(reply.headers['x-rxon-version']).toBeTypeOf('string')
      expect(reply.headers['content-type']).toContain('application/json')
    },
  )

  it('that will not pass by itself carries no Retry-After', async () => {
    await using server = await testServer()
    const body = 'x'.repeat(10 * 1024 * 1024 + 1)
    const reply = await server.send({ method: 'POST', url: '/api/jobs', headers: client, body })
    expect(reply.statusCode).toBe(413)
    expect(reply.headers).not.toHaveProperty('retry-after')
  })

  it('of a store that is away is 503 and says when to come again', async () => {
    const away = overlay(openStorage(), {
      findJob: () => {
        const message = 'The store cannot be reached.'
        return Promise.reject(new UnavailableError('STORAGE_UNAVAILABLE', { message }))
      },
    })
    const { app } = await host(() => undefined, away)
    const reply = await app.inject({ url: '/flows/api/jobs/j', headers: client })
    expect(reply.statusCode).toBe(503)
    expect(reply.headers['retry-after']).toBe('1')
    expect(reply.json()).toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  })

  it('that is nobody’s fault but ours tells nothing of what it is made of', async () => {
    const broken = overlay(openStorage(), {
      findJob: () => Promise.reject(new Error('redis://user:password@10.0.0.1 broke')),
    })
    const { app, log } = await host(() => undefined, broken)
    const reply = await app.inject({ url: '/flows/api/jobs/j', headers: client })
    expect(reply.statusCode).toBe(500)
    expect(reply.json()).toEqual({ error: 'Internal server error.', code: 'INTERNAL' })
    expect(log()).toContain('request failed')
  })
})

describe('a read that waits', () => {
  it.each(['wait=soon', 'wait=-1', 'wait=', 'wait=Infinity', 'wait=1&since=yesterday'])(
    'refuses ?%s',
    async (query) => {
      await using server = await testServer()
      const url = `/api/v1/jobs/${await server.createJob()}?${query}`
      const reply = await server.send({ method: 'GET', url, headers: client })
      expect([reply.statusCode, reply.json<{ code: string }>().code]).toEqual([
        422,
        'INVALID_REQUEST',
      ])
    },
  )

  it('answers at the end of its job', async () => {
    await using server = await testServer()
    await server.register('w1')
    const jobId = await server.createJob()
    const { task_id } = (await server.poll('w1')).json<{ task_id: string }>()
    const url = `/api/v1/jobs/${jobId}?wait=30`
    const held = server.send({ method: 'GET', url, headers: client })
    await server.report({ job_id: jobId, task_id, worker_id: 'w1', data: { n: 1 } })
    expect((await held).json()).toMatchObject({ status: 'finished', result: { n: 1 } })
  })
})

describe('credentials', () => {
  it('of the newer client header count when both are sent', async () => {
    await using server = await testServer()
    const jobId = await server.createJob()
    const read = (headers: Record<string, string>): Promise<number> =>
      server
        .send({ method: 'GET', url: `/api/jobs/${jobId}`, headers })
        .then(({ statusCode }) => statusCode)
    const both = { 'x-client-token': CLIENT_TOKEN, 'x-avtomatika-token': OTHER_TOKEN }
    expect(await read(both)).toBe(200)
    expect(await read({ ...both, 'x-client-token': OTHER_TOKEN })).toBe(404)
    expect(await read({ 'x-client-token': '' })).toBe(401)
  })

  it('are asked for on every route of clients and workers', async () => {
    await using server = await testServer()
    const routes = [
      ['GET', '/api/jobs/j'],
      ['GET', '/api/v1/jobs/j'],
      ['POST', '/api/jobs'],
      ['POST', '/api/jobs/j/cancel'],
      ['GET', '/api/jobs/j/history'],
      ['GET', '/api/workers'],
      ['GET', '/_public/jobs/quarantined'],
      ['POST', '/_worker/workers/register'],
      ['GET', '/_worker/workers/w/tasks/next'],
      ['PATCH', '/_worker/workers/w'],
      ['POST', '/_worker/tasks/result'],
      ['POST', '/_worker/events'],
    ] as const
    for (const [method, url] of routes) {
      const reply = await server.send({ method, url })
      expect([url, reply.statusCode]).toEqual([url, 401])
      expect(reply.json()).toMatchObject({ code: 'MISSING_TOKEN' })
    }
  })

  // D-55: the list showed every tenant's jobs to anybody.
  it('decide which quarantined jobs are listed (D-55)', async () => {
    await using server = await testServer()
    await server.register('w1')
    const jobId = await server.createJob()
    const { task_id } = (await server.poll('w1')).json<{ task_id: string }>()
    const error = { code: 'PERMANENT_ERROR', message: 'never' }
    await server.report({ job_id: jobId, task_id, worker_id: 'w1', status: 'failure', error })
    const list = (token: string): Promise<unknown> =>
      server
        .send({
          method: 'GET',
          url: '/_public/jobs/quarantined',
          headers: { 'x-client-token': token },
        })
        .then((reply) => reply.json())
    expect(await list(CLIENT_TOKEN)).toEqual([jobId])
    expect(await list(OTHER_TOKEN)).toEqual([])
  })
})

describe('a worker', () => {
  // D-45: an id inside the body could take the place of another worker's.
  it('that names another one in its heartbeat is refused (D-45)', async () => {
    await using server = await testServer()
    await server.register('w1')
    await server.register('w2')
    const body = { worker_id: 'w2', status: 'offline' }
    const url = '/_worker/workers/w1'
    const reply = await server.send({ method: 'PATCH', url, headers: worker, body })
    expect([reply.statusCode, reply.json<{ code: string }>().code]).toEqual([
      403,
      'WORKER_MISMATCH',
    ])
    for (const id of ['w1', 'w2']) {
      expect((await server.poll(id, '?timeout=0')).statusCode).toBe(204)
    }
  })

  it('that says nowhere who it is is refused', async () => {
    await using server = await testServer()
    const body = { job_id: 'j', task_id: 't' }
    const reply = await server.report(body)
    expect([reply.statusCode, reply.json<{ code: string }>().code]).toEqual([
      403,
      'WORKER_MISMATCH',
    ])
  })

  it('is given only what it says it can start now', async () => {
    await using server = await testServer()
    await server.register('w1', { supported_skills: ['echo', 'other'] })
    const jobId = await server.createJob()
    await until(async () => (await server.jobOf(jobId))['status'] === 'waiting_for_worker')
    expect((await server.poll('w1', '?timeout=0&available_skills=other')).statusCode).toBe(204)
    expect((await server.poll('w1', '?timeout=0&available_skills=')).statusCode).toBe(204)
    const reply = await server.poll('w1', '?timeout=0&available_skills=other,echo')
    expect(reply.json()).toMatchObject({ job_id: jobId })
  })

  it.each(['timeout=soon', 'timeout=-1', 'max=0', 'max=x'])(
    'may not poll with ?%s',
    async (query) => {
      await using server = await testServer()
      await server.register('w1')
      const reply = await server.poll('w1', `?${query}`)
      expect([reply.statusCode, reply.json<{ code: string }>().code]).toEqual([
        422,
        'INVALID_REQUEST',
      ])
    },
  )

  it('loses no task to a HEAD request, which has no body to hold one', async () => {
    await using server = await testServer()
    await server.register('w1')
    const jobId = await server.createJob()
    const url = '/_worker/workers/w1/tasks/next?timeout=0'
    const head = await server.app.inject({ method: 'HEAD', url, headers: worker })
    expect(head.statusCode).toBe(404)
    expect((await server.poll('w1')).json()).toMatchObject({ job_id: jobId, attempt: 1 })
  })

  it('reads everything about its task, with a deadline in whole seconds', async () => {
    await using server = await testServer()
    await server.register('w1')
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    await server.send({
      method: 'POST',
      url: '/api/v1/jobs/test',
      headers: { ...client, traceparent, cookie: 'session=1' },
      body: { n: 1 },
    })
    const task = (await server.poll('w1')).json<Record<string, unknown>>()
    expect(task).toEqual({
      job_id: expect.any(String),
      task_id: expect.stringMatching(/^task-/),
      type: 'echo',
      params: { n: 1 },
      // Nothing of the request but its trace context goes on (D-54).
      tracing_context: { traceparent },
      priority: 0,
      deadline: expect.toSatisfy(Number.isInteger),
      attempt: 1,
      deadline_in: expect.any(Number),
      lease_expires_in: expect.any(Number),
    })
  })
})

describe('a host', () => {
  it('keeps its routes, its error handler, its parsers and its answer to unknown routes', async () => {
    const { app } = await host((own) => {
      own.setErrorHandler((error: Error, _request, reply) => {
        void reply.status(418).send({ own: error.message })
      })
      own.setNotFoundHandler((_request, reply) => void reply.status(404).send({ own: 'nothing' }))
      own.post('/own', () => {
        throw new Error('mine')
      })
    })
    const thrown = await app.inject({ method: 'POST', url: '/own', payload: { n: 1 } })
    expect([thrown.statusCode, thrown.json()]).toEqual([418, { own: 'mine' }])
    expect(thrown.headers).not.toHaveProperty('x-rxon-version')
    const text = { 'content-type': 'application/x-own' }
    const unparsed = await app.inject({ method: 'POST', url: '/own', headers: text, payload: 'x' })
    expect(unparsed.json()).toEqual({ own: expect.stringContaining('Unsupported Media Type') })
    expect((await app.inject('/none')).json()).toEqual({ own: 'nothing' })
    expect((await app.inject('/flows/none')).json()).toMatchObject({ code: 'ROUTE_NOT_FOUND' })
    const job = await app.inject({ url: '/flows/api/jobs/none', headers: client })
    expect(job.json()).toEqual({ error: 'Job not found', code: 'JOB_NOT_FOUND' })
  })

  it('keeps its answer to unknown routes also when it mounts the plugin at its root', async () => {
    const prepare = (own: FastifyInstance): void => {
      own.setNotFoundHandler((_request, reply) => void reply.status(404).send({ own: 'nothing' }))
    }
    const { app } = await host(prepare, openStorage(), '')
    expect((await app.inject('/none')).json()).toEqual({ own: 'nothing' })
    expect((await app.inject('/_public/status')).json()).toEqual({ status: 'ok' })
  })

  it.each([
    [429, 'RATE_LIMITED'],
    [401, 'INVALID_TOKEN'],
    [403, 'FORBIDDEN'],
    [418, 'INVALID_REQUEST'],
  ])('that turns a request away with %i is not overruled', async (statusCode, code) => {
    const { app } = await host((own) => {
      own.addHook('onRequest', (_request, reply, done) => {
        reply.header('retry-after', '7')
        done(Object.assign(new Error('turned away'), { statusCode }))
      })
    })
    const reply = await app.inject({ url: '/flows/api/jobs/none', headers: client })
    expect([reply.statusCode, reply.json()]).toEqual([statusCode, { error: 'turned away', code }])
    expect(reply.headers['retry-after']).toBe('7')
  })

  it('starts the engine by being ready, and stops it by closing', async () => {
    const storage = openStorage()
    const { app } = await host(() => undefined, storage)
    const order = { method: 'POST', url: '/flows/api/jobs', headers: client } as const
    const created = await app.inject({ ...order, payload: { blueprint: 'order', data: {} } })
    const { job_id: jobId } = created.json<{ job_id: string }>()
    const url = `/flows/api/jobs/${jobId}?wait=5`
    const job = await app.inject({ url, headers: client })
    expect(job.json()).toMatchObject({ status: 'finished' })
    await app.close()
    const claim = { now: Date.now() + 60_000, leaseMs: 1, limit: 10 }
    expect(await storage.claimRecords(claim)).toEqual([])
  })
})
