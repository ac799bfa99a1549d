/** The orchestrator on a socket of its own: what `inject` cannot show. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { connect } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Blueprint, OrchestratorEngine, type OrchestratorConfig } from '../src/index.ts'
import { oneTask, until } from './support/engine-world.ts'
import { openStorage, settled } from './support/storage-under-test.ts'

const CLIENT = { 'x-client-token': 'client-secret' }
const WORKER = { 'x-worker-token': 'worker-secret' }

interface Server {
  readonly engine: OrchestratorEngine
  /** Resolves when a request for this path has come and waits, for whatever it is. */
  readonly waiting: (path: string) => Promise<void>
  readonly url: string
  readonly call: (method: string, path: string, body?: object) => Promise<Response>
}

async function serve(
  config: OrchestratorConfig = {},
  blueprint: Parameters<OrchestratorEngine['register']>[0] = oneTask(),
): Promise<Server> {
  const begun = requestsBegun()
  const engine = new OrchestratorEngine({
    storage: openStorage(),
    logger: pino({ level: 'silent' }),
    config: {
      port: 0,
      clients: [{ token: 'client-secret' }],
      workerTokens: { shared: 'worker-secret' },
      ...config,
    },
  })
  engine.register(blueprint)
  onTestFinished(() => engine.stop())
  const url = await engine.start()
  const call: Server['call'] = (method, path, body) =>
    fetch(url + path, {
      method,
      headers: { ...CLIENT, ...WORKER },
      ...(body && { body: JSON.stringify(body) }),
    })
  const waiting: Server['waiting'] = async (path) => {
    await until(() => begun.has(path))
    await settled()
  }
  return { engine, waiting, url, call }
}

/** The paths of requests whose handlers have begun, from now on. */
function requestsBegun(): ReadonlySet<string> {
  const paths = new Set<string>()
  const note = (message: unknown): void => {
    paths.add((message as { request: FastifyRequest }).request.url)
  }
  subscribe('tracing:fastify.request.handler:start', note)
  onTestFinished(() => void unsubscribe('tracing:fastify.request.handler:start', note))
  return paths
}

function register({ call }: Server, workerId: string): Promise<Response> {
  const body = { worker_id: workerId, supported_skills: ['resize'] }
  return call('POST', '/_worker/workers/register', body)
}

const nextOf = (workerId: string): string => `/_worker/workers/${workerId}/tasks/next`

async function jobOf(reply: Response): Promise<string> {
  return ((await reply.json()) as { job_id: string }).job_id
}

describe('a worker that hangs up while it waits', () => {
  // D-12: the task that came next went into the closed connection.
  it('is given nothing: the next task goes to another worker (D-12)', async () => {
    const server = await serve()
    await register(server, 'gone')
    await register(server, 'next')
    // A class that is known, so that the poll waits for tasks of it.
    const first = await server.call('POST', '/api/jobs', { blueprint: 'order', data: {} })
    await server.call('POST', `/api/jobs/${await jobOf(first)}/cancel`)

    const waiting = request(server.url + nextOf('gone'), { headers: WORKER })
    waiting.on('error', () => undefined)
    waiting.end()
    await server.waiting(nextOf('gone'))
    waiting.destroy()
    const created = await server.call('POST', '/api/jobs', { blueprint: 'order', data: {} })
    const jobId = await jobOf(created)
    const reply = await server.call('GET', `${nextOf('next')}?timeout=10`)
    expect(await reply.json()).toMatchObject({ job_id: jobId })
    const job = await server.call('GET', `/api/jobs/${jobId}`)
    expect(await job.json()).toMatchObject({ retry_count: 0, task_worker_id: 'next' })
  })
})

describe('an orchestrator that stops', () => {
  it('answers waiting polls and held reads, and then nothing any more', async () => {
    const server = await serve()
    await register(server, 'w-1')
    const created = await server.call('POST', '/api/jobs', { blueprint: 'order', data: {} })
    const jobId = await jobOf(created)
    await server.call('GET', nextOf('w-1'))
    const paths = { poll: `${nextOf('w-1')}?timeout=30`, read: `/api/jobs/${jobId}?wait=60` }
    const polled = server.call('GET', paths.poll)
    const held = server.call('GET', paths.read)
    await Promise.all([server.waiting(paths.poll), server.waiting(paths.read)])
    await server.engine.stop()
    expect((await polled).status).toBe(204)
    expect((await held).status).toBe(200)
    await expect(fetch(`${server.url}/_public/status`)).rejects.toThrow()
  })

  it('does not wait for a handler that never ends', async () => {
    let began = false
    const blueprint = new Blueprint('order').state(
      'start',
      { start: true, end: true },
      async () => {
        began = true
        await new Promise(() => undefined)
      },
    )
    const server = await serve({ shutdownTimeoutMs: 20 }, blueprint)
    await server.call('POST', '/api/jobs', { blueprint: 'order', data: {} })
    await until(() => began)
    await server.engine.stop()
    await expect(fetch(`${server.url}/_public/status`)).rejects.toThrow()
  })

  it('may be told so twice, and may never have started', async () => {
    const { engine } = await serve()
    await Promise.all([engine.stop(), engine.stop()])
    await engine.stop()
    await new OrchestratorEngine().stop()
  })
})

describe('an orchestrator that starts', () => {
  it('once more stays where it is', async () => {
    const { engine, url } = await serve()
    expect(await engine.start()).toBe(url)
    await engine.stop()
    await expect(fetch(`${url}/_public/status`)).rejects.toThrow()
  })

  it('on a port that is taken says so, and can be started again when it is free', async () => {
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const address = holder.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const logger = pino({ level: 'silent' })
    const engine = new OrchestratorEngine({ storage: openStorage(), logger, config: { port } })
    onTestFinished(() => engine.stop())
    await expect(engine.start()).rejects.toThrow('EADDRINUSE')
    holder.close()
    await once(holder, 'close')
    const url = await engine.start()
    expect((await fetch(`${url}/_public/status`)).status).toBe(200)
  })
})

describe('the server', () => {
  it('takes ids of the full length that the protocol allows', async () => {
    const server = await serve()
    const workerId = 'w'.repeat(128)
    expect((await register(server, workerId)).status).toBe(200)
    expect((await server.call('GET', `${nextOf(workerId)}?timeout=0`)).status).toBe(204)
    expect((await server.call('PATCH', `/_worker/workers/${workerId}`)).status).toBe(200)
    const tooLong = await server.call('GET', `${nextOf(`${workerId}w`)}?timeout=0`)
    expect(tooLong.status).toBe(422)
  })

  it('takes a trailing slash', async () => {
    const server = await serve()
    expect((await server.call('GET', '/_public/status/')).status).toBe(200)
    expect((await server.call('GET', '/api/v1/workers/')).status).toBe(200)
  })

  it('answers a malformed URL in JSON too', async () => {
    const server = await serve()
    const reply = await server.call('GET', '/api/jobs/%E0%A4')
    expect(reply.status).toBe(400)
    expect(reply.headers.get('x-rxon-version')).toBeTypeOf('string')
    expect(await reply.json()).toEqual({ error: expect.any(String), code: 'INVALID_REQUEST' })
  })

  it('survives what is no HTTP at all, and a request that is cut off', async () => {
    const server = await serve()
    const { port } = new URL(server.url)
    const noise = connect(Number(port), '127.0.0.1')
    noise.on('error', () => undefined)
    noise.end('\u0000\u0001 not http\r\n\r\n')
    await once(noise.resume(), 'close')
    const cut = request(`${server.url}/api/jobs`, {
      method: 'POST',
      headers: { ...CLIENT, 'content-length': '1000' },
    })
    cut.on('error', () => undefined)
    cut.write('{"blueprint":')
    await once(cut, 'socket')
    cut.destroy()
    expect((await server.call('GET', '/_public/status')).status).toBe(200)
  })

  it('keeps one connection for many requests without gathering listeners on it', async () => {
    const server = await serve()
    await register(server, 'w-1')
    const warnings: Error[] = []
    const onWarning = (warning: Error): void => void warnings.push(warning)
    process.on('warning', onWarning)
    for (let i = 0; i < 30; i += 1) {
      expect((await server.call('GET', `${nextOf('w-1')}?timeout=0`)).status).toBe(204)
    }
    process.off('warning', onWarning)
    expect(warnings).toEqual([])
  })
})
