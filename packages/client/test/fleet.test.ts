import { describe, expect, it } from 'vitest'

import { AuthError, ConnectionError, InputError, NotFoundError } from '../src/index.ts'
import { aScene, rejectionOf } from './setup.ts'

const entry = {
  contract: { name: 'resize', version: '2', output_statuses: ['needs_review'] },
  providers_count: 3,
  available_count: 2,
  versions: ['1', '2'],
  worker_types: ['gpu'],
  price: { min: 0.1, max: 0.4 },
  average_reputation: 0.9,
}

const task = {
  task_id: 't-1',
  job_id: 'job-1',
  blueprint_name: 'orders',
  type: 'render',
  branch: null,
  priority: 1,
  attempt: 2,
  dispatched_at: '2026-01-01T00:00:00.000Z',
  waiting_seconds: 12.5,
  expires_at: null,
  why: 'no worker is registered',
  workers: 0,
  reasons: [{ reason: 'skill', count: 2, text: "does not offer the skill 'render'" }],
}

describe('the skill catalog', () => {
  it('has each skill by its name, with what a worker says of it', async () => {
    const { client, server } = await aScene([{ json: { resize: entry } }])
    expect(await client.skillCatalog()).toEqual([
      {
        name: 'resize',
        providers: 3,
        available: 2,
        versions: ['1', '2'],
        workerTypes: ['gpu'],
        price: { min: 0.1, max: 0.4 },
        averageReputation: 0.9,
        contract: entry.contract,
      },
    ])
    expect(server.paths).toEqual(['GET /api/v1/workers/catalog'])
  })

  it('that is none is an error', async () => {
    const { client } = await aScene([{ json: { resize: { ...entry, price: 'cheap' } } }])
    expect(ConnectionError.is(await rejectionOf(client.skillCatalog()))).toBe(true)
  })
})

describe('pending tasks', () => {
  it('say since when they wait, and why', async () => {
    const { client, server } = await aScene([{ json: { tasks: [task] } }])
    expect(await client.pendingTasks({ limit: 5 })).toEqual([
      {
        taskId: 't-1',
        jobId: 'job-1',
        blueprintName: 'orders',
        type: 'render',
        branch: null,
        priority: 1,
        attempt: 2,
        dispatchedAt: Date.UTC(2026, 0, 1),
        waitedMs: 12_500,
        expiresAt: null,
        why: 'no worker is registered',
        workers: 0,
        reasons: task.reasons,
      },
    ])
    expect(server.paths).toEqual(['GET /api/v1/tasks/pending?limit=5'])
  })

  it.each([0, 1001, 1.5])('are not asked for with a limit of %d', async (limit) => {
    const { client, server } = await aScene([{ json: { tasks: [] } }])
    expect(InputError.is(await rejectionOf(client.pendingTasks({ limit })))).toBe(true)
    expect(server.requests).toEqual([])
  })
})

describe('a worker', () => {
  it('is drained, and given tasks again', async () => {
    const { client, server } = await aScene([
      { json: { status: 'draining', worker_id: 'w1' } },
      { json: { status: 'active', worker_id: 'w1' } },
    ])
    await client.drainWorker('w1')
    await client.drainWorker('w1', { drain: false })
    expect(server.paths).toEqual(['POST /api/v1/workers/w1/drain', 'POST /api/v1/workers/w1/drain'])
    expect(server.requests.map(({ body }) => body)).toEqual(['{"drain":true}', '{"drain":false}'])
  })

  it('that may have been evicted is not evicted again: it may be back by now', async () => {
    const evicted = { json: { status: 'evicted', worker_id: 'w1' } }
    const { client, server } = await aScene(['cut', evicted])
    expect(ConnectionError.is(await rejectionOf(client.evictWorker('w1')))).toBe(true)
    await client.evictWorker('w1')
    expect(server.paths).toEqual(['POST /api/v1/workers/w1/evict', 'POST /api/v1/workers/w1/evict'])
  })

  it.each([
    [403, 'FORBIDDEN', AuthError],
    [404, 'WORKER_NOT_FOUND', NotFoundError],
  ])('is left alone after %i %s', async (status, code, type) => {
    const { client, server } = await aScene([{ status, json: { error: 'No.', code } }])
    for (const call of [client.drainWorker('w1'), client.evictWorker('w1')]) {
      expect(type.is(await rejectionOf(call))).toBe(true)
    }
    expect(server.requests).toHaveLength(2)
  })

  it.each(['', '../jobs', 'w 1'])('that cannot be called %j is not asked for', async (id) => {
    const { client, server } = await aScene([{ json: {} }])
    expect(InputError.is(await rejectionOf(client.drainWorker(id)))).toBe(true)
    expect(InputError.is(await rejectionOf(client.evictWorker(id)))).toBe(true)
    expect(server.requests).toEqual([])
  })
})

describe('worker tokens', () => {
  it('are read again', async () => {
    const { client, server } = await aScene([{ json: { status: 'worker_configs_reloaded' } }])
    await client.reloadWorkerTokens()
    expect(server.paths).toEqual(['POST /api/v1/admin/reload-workers'])
  })

  it('of what is no orchestrator are not', async () => {
    const { client } = await aScene([{ text: 'hello' }])
    expect(ConnectionError.is(await rejectionOf(client.reloadWorkerTokens()))).toBe(true)
  })
})
