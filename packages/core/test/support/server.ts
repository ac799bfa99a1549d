/** An orchestrator behind `inject`, with its log kept, and clients and workers to talk to it. */
import { fastify, type FastifyInstance, type LightMyRequestResponse } from 'fastify'
import { pino } from 'pino'
import { z } from 'zod'
import { Blueprint, OrchestratorEngine } from '../../src/index.ts'
import { openStorage } from './storage-under-test.ts'

export const CLIENT_TOKEN = 'client-secret-1'
export const OTHER_TOKEN = 'client-secret-2'
export const WORKER_TOKEN = 'worker-secret'
export const OWN_TOKEN = 'own-secret'
export const client = { 'x-client-token': CLIENT_TOKEN }
export const worker = { 'x-worker-token': WORKER_TOKEN }

export interface TestServer extends AsyncDisposable {
  readonly app: FastifyInstance
  readonly log: () => string
  readonly send: (request: TestRequest) => Promise<LightMyRequestResponse>
  readonly createJob: (body?: object) => Promise<string>
  readonly jobOf: (jobId: string) => Promise<Record<string, unknown>>
  readonly register: (workerId: string, words?: object) => Promise<LightMyRequestResponse>
  readonly poll: (workerId: string, query?: string) => Promise<LightMyRequestResponse>
  readonly report: (result: object) => Promise<LightMyRequestResponse>
}

export interface TestRequest {
  readonly method: 'GET' | 'POST' | 'PATCH'
  readonly url: string
  readonly headers?: Record<string, string>
  readonly body?: string | object
}

/** One task, `echo`, and a typed blueprint that checks its input. */
function blueprints(): readonly {
  define: Blueprint['define']
  check: Blueprint['check']
  name: string
}[] {
  const flow = new Blueprint('test_flow', { endpoint: '/jobs/test', version: 'v1' })
    .state('start', { start: true }, ({ initialData, actions }) => {
      const transitions = { success: 'completed', failure: 'failed' }
      actions.dispatchTask({ type: 'echo', params: initialData, transitions })
    })
    .state('completed', { end: true })
    .state('failed', { end: true })
  const input = z.object({
    id: z.string(),
    items: z.array(z.object({ n: z.number() })).default([]),
  })
  const typed = new Blueprint('typed', { endpoint: 'jobs/typed', version: 'v1', input })
    .state('start', { start: true }, ({ actions }) => {
      actions.transitionTo('completed')
    })
    .state('completed', { end: true }, ({ initialData }) => initialData)
  const unnamed = new Blueprint('no_endpoint')
    .state('start', { start: true }, ({ actions }) => {
      actions.transitionTo('completed')
    })
    .state('completed', { end: true }, () => 'ran')
  return [flow, typed, unnamed]
}

export async function testServer(prefix = ''): Promise<TestServer> {
  const lines: string[] = []
  const logger = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) })
  const engine = new OrchestratorEngine({
    storage: openStorage(),
    logger,
    config: {
      clients: [{ token: CLIENT_TOKEN, id: 'one', plan: 'pro' }, { token: OTHER_TOKEN }],
      workerTokens: { shared: WORKER_TOKEN, individual: { own: OWN_TOKEN } },
      pollTimeoutMs: 2_000,
      backoff: { initialMs: 1, factor: 1, maxMs: 1, jitter: 0 },
    },
  })
  for (const blueprint of blueprints()) engine.register(blueprint)
  const app = fastify({ bodyLimit: 10 * 1024 * 1024 })
  await app.register(engine.plugin, { prefix })
  await app.ready()
  const send: TestServer['send'] = ({ method, url, headers = {}, body }) => {
    const payload = body === undefined ? {} : { payload: body }
    const type = typeof body === 'string' ? { 'content-type': 'application/json' } : {}
    return app.inject({ method, url: prefix + url, headers: { ...type, ...headers }, ...payload })
  }
  return {
    app,
    send,
    log: () => lines.join(''),
    createJob: async (body = { message: 'hi' }) => {
      const reply = await send({ method: 'POST', url: '/api/v1/jobs/test', headers: client, body })
      return reply.json<{ job_id: string }>().job_id
    },
    jobOf: async (jobId) =>
      (await send({ method: 'GET', url: `/api/v1/jobs/${jobId}`, headers: client })).json(),
    register: (workerId, words = { supported_skills: ['echo'] }) => {
      const body = { worker_id: workerId, worker_type: 'test', ...words }
      return send({ method: 'POST', url: '/_worker/workers/register', headers: worker, body })
    },
    poll: (workerId, query = '') =>
      send({
        method: 'GET',
        url: `/_worker/workers/${workerId}/tasks/next${query}`,
        headers: worker,
      }),
    report: (body) => send({ method: 'POST', url: '/_worker/tasks/result', headers: worker, body }),
    [Symbol.asyncDispose]: async () => {
      await app.close()
    },
  }
}
