/** How often clients and workers may ask. */
import { fastifyRateLimit } from '@fastify/rate-limit'
import { fastify } from 'fastify'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import { OrchestratorEngine, type RateLimitConfig } from '../src/index.ts'
import { LimitedServer, type LimitedOptions, type Said } from './support/limited-server.ts'
import { openStorage, overlay } from './support/storage-under-test.ts'

/** Says how often the shared counters are asked. */
class Counted {
  asked = 0
  readonly #inner = openStorage()
  readonly storage = overlay(this.#inner, {
    hit: (asked) => {
      this.asked += 1
      return this.#inner.hit(asked)
    },
  })
}

function start(rateLimits: RateLimitConfig, options: LimitedOptions = {}): LimitedServer {
  return new LimitedServer({ ...options, config: { rateLimits } })
}

async function repeated(count: number, call: () => Promise<Said>): Promise<number[]> {
  const statuses: number[] = []
  for (let n = 0; n < count; n += 1) statuses.push((await call()).status)
  return statuses
}

describe('a client that asks too often', () => {
  it('is told so, and when to go on: at least a second', async () => {
    const server = start({ clientRequests: 3, periodMs: 60_000 })
    expect(await repeated(3, () => server.create())).toEqual([202, 202, 202])
    const { status, headers, body } = await server.create()
    expect([status, body['code'], headers['retry-after']]).toEqual([429, 'RATE_LIMITED', '20'])
    expect(body['error']).toContain('Too Many Requests')
    server.clock.now += 19_999
    expect((await server.create()).headers['retry-after']).toBe('1')
    server.clock.now += 1
    expect(await repeated(2, () => server.create())).toEqual([202, 429])
  })

  it('is let in again while it keeps asking (D-47)', async () => {
    const server = start({ clientRequests: 2, periodMs: 10_000 })
    const ask = () => server.call('GET', '/api/workers')
    await repeated(2, ask)
    for (let n = 0; n < 49; n += 1) {
      server.clock.now += 100
      expect((await ask()).status).toBe(429)
    }
    server.clock.now += 100
    expect((await ask()).status).toBe(200)
  })

  it('hinders no other client, and itself not on other routes', async () => {
    const server = start({ clientRequests: 1 })
    expect(await repeated(2, () => server.create())).toEqual([202, 429])
    expect((await server.create({ as: 'other' })).status).toBe(202)
    expect((await server.call('GET', '/api/workers')).status).toBe(200)
  })

  it('has one limit for all its jobs, not one for each (D-47)', async () => {
    const server = start({ clientRequests: 2 })
    let n = 0
    const read = () => server.call('GET', `/api/jobs/job-${String((n += 1))}`)
    expect(await repeated(3, read)).toEqual([404, 404, 429])
  })

  it('reads how much is left', async () => {
    const server = start({ clientRequests: 3 })
    const { headers } = await server.create()
    expect(headers).toMatchObject({ 'x-ratelimit-limit': '3', 'x-ratelimit-remaining': '2' })
  })

  it('is told first that its token is wrong', async () => {
    const server = start({ clientRequests: 1 })
    const wrong = { headers: { 'x-client-token': 'wrong' } }
    expect(await repeated(3, () => server.create(wrong))).toEqual([401, 401, 401])
  })
})

describe('several orchestrators', () => {
  it('count what creates jobs together, and what reads each for itself', async () => {
    const counted = new Counted()
    const clock = { now: Date.UTC(2026, 0) }
    const servers = [0, 1].map(() =>
      start({ clientRequests: 2 }, { storage: counted.storage, clock }),
    )
    const statuses: number[] = []
    for (const server of servers) statuses.push(...(await repeated(2, () => server.create())))
    expect(statuses).toEqual([202, 202, 429, 429])
    const asked = counted.asked
    for (const server of servers) {
      expect(await repeated(3, () => server.call('GET', '/api/workers'))).toEqual([200, 200, 429])
    }
    expect(counted.asked).toBe(asked)
  })

  it('do not ask the storage again about whom it has just refused', async () => {
    const counted = new Counted()
    const server = start({ clientRequests: 1, periodMs: 10_000 }, { storage: counted.storage })
    await repeated(50, () => server.create())
    expect(counted.asked).toBe(2)
    server.clock.now += 10_000
    expect((await server.create()).status).toBe(202)
    expect(counted.asked).toBe(3)
  })

  it('let everybody in while the counters cannot be reached, and log it once', async () => {
    const storage = overlay(openStorage(), {
      hit: () => Promise.reject(new Error('the counters are away')),
    })
    const server = start({ clientRequests: 1 }, { storage })
    expect(await repeated(3, () => server.create())).toEqual([202, 202, 202])
    expect(server.log.split('rate limits cannot be counted').length - 1).toBe(1)
  })
})

describe('a worker that runs in circles', () => {
  it('is sent away when its polls bring nothing again and again', async () => {
    const server = start({ emptyPolls: 3, periodMs: 3_000 })
    await server.register('w')
    expect(await repeated(3, () => server.poll('w'))).toEqual([204, 204, 204])
    const { status, headers, body } = await server.poll('w')
    expect([status, body['code'], headers['retry-after']]).toEqual([429, 'RATE_LIMITED', '1'])
    server.clock.now += 1_000
    expect(await repeated(2, () => server.poll('w'))).toEqual([204, 429])
  })

  it('may still send heartbeats, results and events, and hinders no other worker', async () => {
    const server = start({ emptyPolls: 1 })
    await server.register('w')
    await server.register('v')
    expect(await repeated(2, () => server.poll('w'))).toEqual([204, 429])
    expect((await server.poll('v')).status).toBe(204)
    expect((await server.beat('w')).status).toBe(200)
    const lost = { job_id: 'none', task_id: 'none' }
    expect((await server.report('w', lost)).status).toBe(200)
  })

  it('is sent away when it beats too often', async () => {
    const server = start({ heartbeats: 2 })
    await server.register('w')
    expect(await repeated(3, () => server.beat('w'))).toEqual([200, 200, 429])
  })

  it('is sent away when it repeats results that nobody waits for', async () => {
    const server = start({ workerMessages: 3 })
    await server.register('w')
    const lost = { job_id: 'none', task_id: 'none' }
    expect(await repeated(3, () => server.report('w', lost))).toEqual([200, 200, 429])
  })

  it('is sent away when it guesses refresh tokens, and others from its address are served', async () => {
    const server = start({ workerMessages: 2, periodMs: 60_000 })
    const issued = await server.call('POST', '/_worker/auth/token', {
      as: 'worker',
      headers: { 'x-worker-id': 'w' },
    })
    const path = '/_worker/auth/token/refresh'
    const refresh = (token: unknown) =>
      server.call('POST', path, { as: 'worker', body: { refresh_token: token } })
    let token = issued.body['refresh_token']
    for (let n = 0; n < 5; n += 1) {
      const { status, body } = await refresh(token)
      expect(status).toBe(200)
      token = body['refresh_token']
    }
    const guess = () => refresh('avtr.w.a-guess')
    expect(await repeated(3, guess)).toEqual([401, 401, 429])
    expect((await server.poll('w')).status).not.toBe(429)
  })

  it('is told first that it may not speak for another', async () => {
    const server = start({ emptyPolls: 1 })
    const poll = () =>
      server.call('GET', '/_worker/workers/w/tasks/next?timeout=0', {
        as: 'worker',
        headers: { 'x-worker-id': 'v' },
      })
    expect(await repeated(3, poll)).toEqual([403, 403, 403])
  })
})

describe('a worker that works', () => {
  it('is never sent away: tasks it takes and results it hands in do not count (D-47)', async () => {
    const server = start({ emptyPolls: 1, heartbeats: 1, workerMessages: 2 })
    // This counts, as one message.
    await server.register('w')
    for (let n = 0; n < 20; n += 1) {
      const created = await server.create({ body: { blueprint: 'work' } })
      expect(created.status).toBe(202)
      const taken = await server.poll('w', 5)
      expect(taken.status).toBe(200)
      const { status, body } = await server.report('w', taken.body)
      expect([status, body['status']]).toEqual([200, 'accepted'])
    }
  })

  it('costs no question to the storage', async () => {
    const counted = new Counted()
    const server = start({ clientRequests: 10 }, { storage: counted.storage })
    await server.register('w')
    await repeated(5, () => server.poll('w'))
    await repeated(5, () => server.beat('w'))
    expect(counted.asked).toBe(0)
  })
})

describe('without settings', () => {
  it('clients are not limited, and workers not before they run in circles', async () => {
    const counted = new Counted()
    const server = new LimitedServer({ storage: counted.storage })
    await server.register('w')
    const results = await Promise.all([
      repeated(150, () => server.create()),
      repeated(150, () => server.call('GET', '/api/workers')),
      repeated(150, () => server.poll('w')),
      repeated(150, () => server.beat('w')),
    ])
    expect(results.map((statuses) => [...new Set(statuses)])).toEqual([[202], [200], [204], [200]])
    expect(counted.asked).toBe(0)
  })

  it('nothing is counted at all when limits are off', async () => {
    const server = start({ enabled: false, clientRequests: 1, emptyPolls: 1 })
    await server.register('w')
    expect(await repeated(3, () => server.create())).toEqual([202, 202, 202])
    expect(await repeated(3, () => server.poll('w'))).toEqual([204, 204, 204])
  })

  it.each([
    { periodMs: 10 },
    { clientRequests: 0 },
    { emptyPolls: 1.5 },
    { heartbeats: -1 },
    { workerMessages: NaN },
  ])('%j cannot be used', (rateLimits) => {
    expect(() => new OrchestratorEngine({ config: { rateLimits } })).toThrow(/rateLimits\./)
  })
})

describe('a host with rate limits of its own', () => {
  it('keeps them, and they do not mix with ours', async () => {
    const app = fastify()
    await app.register(fastifyRateLimit, { max: 2, global: true })
    const engine = new OrchestratorEngine({
      logger: pino({ level: 'silent' }),
      config: { clients: [{ token: 'secret' }], rateLimits: { clientRequests: 1 } },
    })
    await app.register(engine.plugin, { prefix: '/workflows' })
    onTestFinished(() => app.close())
    const ask = async (url: string) => {
      const { statusCode } = await app.inject({ url, headers: { 'x-client-token': 'secret' } })
      return statusCode
    }
    expect(await ask('/workflows/api/workers')).toBe(200)
    expect(await ask('/workflows/api/workers')).toBe(429)
  })
})
