/** Whose job it is decides on every route (D-54, D-55): a table over all of them. */
import { fastify } from 'fastify'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { Blueprint, OrchestratorEngine } from '../src/index.ts'
import { LiveServer, TOKENS, type Answer, type Who } from './support/live-server.ts'

interface Route {
  readonly body?: object
  /** What an admin is answered for a job that waits for a person. */
  readonly admin: number
  /** The answer goes on for as long as the job does. */
  readonly endsWithJob?: boolean
}

/** Every route that names a job, below `/api`. */
const JOB_ROUTES: Readonly<Record<string, Route>> = {
  'GET /jobs/:jobId': { admin: 200 },
  'GET /jobs/:jobId/history': { admin: 200 },
  'GET /jobs/:jobId/graph': { admin: 200 },
  'GET /jobs/:jobId/events': { admin: 200, endsWithJob: true },
  'POST /jobs/:jobId/events': { body: { name: 'x' }, admin: 202 },
  'POST /jobs/:jobId/retry': { body: { data: {} }, admin: 409 },
  'POST /jobs/:jobId/discard': { admin: 409 },
  'POST /_public/webhooks/approval/:jobId': { body: { decision: 'ask_again' }, admin: 200 },
  'POST /jobs/:jobId/cancel': { admin: 200 },
}

/** Those that look at a link instead of a client. */
const BY_LINK = ['GET /_public/webhooks/approval/:jobId']

/** Those that ask for a client, and name no job of it. */
const CLIENT_ROUTES = [
  'POST /jobs',
  'GET /workers',
  'GET /workers/catalog',
  'POST /workers/:workerId/drain',
  'POST /workers/:workerId/evict',
  'POST /admin/reload-workers',
  'GET /tasks/pending',
  'GET /quarantine',
  'POST /quarantine/retry',
  'POST /quarantine/discard',
  'GET /webhooks/dead-letters',
  'POST /webhooks/dead-letters/:id/resend',
  'GET /blueprints/:name/graph',
]

const PUBLIC_ROUTES = [
  'GET /_public/status',
  'GET /_public/ready',
  'GET /_public/metrics',
  'GET /_public/jobs/quarantined',
]

function ask(): Blueprint {
  return new Blueprint('ask')
    .state('start', { start: true }, ({ actions }) => {
      const transitions = { ask_again: 'start', done: 'done' }
      actions.awaitHumanApproval({ integration: 'x', message: 'Well?', transitions })
    })
    .state('done', { end: true })
}

function send(
  server: LiveServer,
  route: string,
  options: { as: Who; jobId: string },
): Promise<Answer> {
  const [method = '', template = ''] = route.split(' ')
  const path = template.replace(':jobId', options.jobId)
  const url = path.startsWith('/_public') ? path : `/api${path}`
  return server.call(method, url, { as: options.as, body: JOB_ROUTES[route]?.body })
}

describe('the table of routes', () => {
  it('names every route that there is, under every version of the API', async () => {
    const engine = new OrchestratorEngine({ logger: pino({ level: 'silent' }) })
    engine.register(
      new Blueprint('other', { version: 'v7' }).state('a', { start: true, end: true }),
    )
    const app = fastify()
    const routes: string[] = []
    app.addHook('onRoute', ({ method, url }) => {
      for (const each of [method].flat()) if (each !== 'HEAD') routes.push(`${each} ${url}`)
    })
    await app.register(engine.plugin)
    await app.close()
    const known = [...Object.keys(JOB_ROUTES), ...BY_LINK, ...PUBLIC_ROUTES, ...CLIENT_ROUTES]
    const expected = known.flatMap((route) =>
      route.includes(' /_public')
        ? [route]
        : ['/api', '/api/v1', '/api/v7'].map((prefix) => route.replace(' ', ` ${prefix}`)),
    )
    const asked = routes.filter((route) => !route.includes('/_worker/'))
    expect(asked.toSorted()).toEqual(expected.toSorted())
  })
})

describe.each(Object.keys(JOB_ROUTES))('%s', (route) => {
  it('answers another client as if there were no such job, and lets it change nothing (D-54)', async () => {
    const server = await LiveServer.start([ask()])
    const jobId = await server.create('ask')
    const before = await server.jobIn('waiting_for_human', jobId)
    const foreign = await send(server, route, { as: 'other', jobId })
    const unknown = await send(server, route, { as: 'other', jobId: 'none' })
    for (const { status, body } of [foreign, unknown]) {
      expect([status, body]).toEqual([404, { error: 'Job not found', code: 'JOB_NOT_FOUND' }])
    }
    expect((await server.job(jobId))['updated_at']).toBe(before['updated_at'])
  })

  it('serves an admin', async () => {
    const server = await LiveServer.start([ask()])
    const jobId = await server.create('ask')
    await server.jobIn('waiting_for_human', jobId)
    const { admin, endsWithJob = false } = JOB_ROUTES[route] ?? {}
    if (endsWithJob) await send(server, 'POST /jobs/:jobId/cancel', { as: 'owner', jobId })
    const { status } = await send(server, route, { as: 'admin', jobId })
    expect(status).toBe(admin)
  })
})

it.each([...Object.keys(JOB_ROUTES), ...CLIENT_ROUTES, 'GET /_public/jobs/quarantined'])(
  '%s asks for a token',
  async (route) => {
    const server = await LiveServer.start([ask()])
    const [method = '', path = ''] = route.split(' ')
    const url = (path.startsWith('/_public') ? path : `/api${path}`).replace(/:\w+/, 'none')
    const body = method === 'POST' ? { decision: 'done' } : undefined
    const missing = await server.call(method, url, { as: 'nobody', body })
    expect([missing.status, missing.body['code']]).toEqual([401, 'MISSING_TOKEN'])
    const headers = { 'x-client-token': `${TOKENS.owner}x` }
    const wrong = await server.call(method, url, { as: 'nobody', headers, body })
    expect([wrong.status, wrong.body['code']]).toEqual([401, 'INVALID_TOKEN'])
  },
)
