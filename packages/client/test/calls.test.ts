import { describe, expect, it } from 'vitest'

import {
  AuthError,
  ConflictError,
  ConnectionError,
  InputError,
  NotFoundError,
} from '../src/index.ts'
import { aJobDocument, aScene, rejectionOf, TOKEN } from './setup.ts'

const accepted = { status: 202, json: { status: 'accepted', job_id: 'job-1' } }

describe('createJob', () => {
  it('sends the envelope, with times in seconds, and the token', async () => {
    const { client, server } = await aScene([accepted])
    const created = await client.createJob(
      '/jobs/orders',
      { items: [1] },
      {
        idempotencyKey: 'order-17',
        webhookUrl: 'https://shop.example/hook',
        dispatchTimeoutMs: 1500,
        resultTimeoutMs: 60_000,
        jobTimeoutMs: 3_600_000,
        metadata: { tenant: 'a' },
      },
    )
    expect(created).toEqual({ jobId: 'job-1' })
    const [request] = server.requests
    expect(server.paths).toEqual(['POST /api/v1/jobs/orders'])
    expect(request?.headers).toMatchObject({
      'content-type': 'application/json',
      'idempotency-key': 'order-17',
      'x-client-token': TOKEN,
    })
    expect(JSON.parse(request?.body ?? '')).toEqual({
      initial_data: { items: [1] },
      webhook_url: 'https://shop.example/hook',
      dispatch_timeout: 1.5,
      result_timeout: 60,
      job_timeout: 3600,
      metadata: { tenant: 'a' },
    })
  })

  it('leaves out options that were not given', async () => {
    const { client, server } = await aScene([accepted])
    await client.createJob('/jobs/orders', {})
    expect(server.requests[0]?.body).toBe('{"initial_data":{}}')
  })

  it.each([
    ['jobs/orders', {}, '/api/v1/jobs/orders'],
    ['/orders', { apiVersion: null }, '/api/orders'],
    ['/orders', { apiVersion: 'v2', prefix: '' }, '/v2/orders'],
    ['/orders', { prefix: 'flows/' }, '/flows/v1/orders'],
  ])('finds endpoint %s with options %j', async (endpoint, options, path) => {
    const { client, server } = await aScene([accepted], options)
    await client.createJob(endpoint, {})
    expect(server.paths).toEqual([`POST ${path}`])
  })

  it('keeps a path in the address', async () => {
    const { server } = await aScene([accepted])
    const other = await aScene([accepted], { url: `${server.url}/behind/proxy/` })
    await other.client.createJob('/orders', {})
    expect(server.paths).toEqual(['POST /behind/proxy/api/v1/orders'])
  })

  it('sends a new random key for each call without one (D-61)', async () => {
    const { client, server } = await aScene([accepted])
    await client.createJob('/orders', {})
    await client.createJob('/orders', {})
    const keys = server.requests.map((request) => request.headers['idempotency-key'])
    expect(keys).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/), expect.any(String)])
    expect(keys[0]).not.toBe(keys[1])
  })

  it.each([
    ['an endpoint that is empty', '/', {}, {}],
    ['an endpoint that climbs', '/../admin', {}, {}],
    ['an endpoint with a query', '/orders?x=1', {}, {}],
    ['data that is no object', '/orders', [1], {}],
    ['data without end', '/orders', circular(), {}],
    ['a number JSON does not know', '/orders', { n: 10n }, {}],
    ['a timeout of nothing', '/orders', {}, { resultTimeoutMs: 0 }],
    ['a job that may take for ever', '/orders', {}, { jobTimeoutMs: Infinity }],
    ['a key with a line break', '/orders', {}, { idempotencyKey: 'a\r\nx-evil: 1' }],
  ])('refuses %s before anything is sent', async (_what, endpoint, data, options) => {
    const { client, server } = await aScene([accepted])
    expect(InputError.is(await rejectionOf(client.createJob(endpoint, data, options)))).toBe(true)
    expect(server.requests).toEqual([])
  })

  it('tells when the answer is not that of an orchestrator', async () => {
    const { client } = await aScene([{ text: '<html>Welcome</html>' }])
    expect(await rejectionOf(client.createJob('/orders', {}))).toMatchObject({
      name: 'ConnectionError',
      code: 'UNEXPECTED_RESPONSE',
    })
  })
})

describe('other calls', () => {
  it('cancelJob accepts the answers of all generations', async () => {
    const { client, server } = await aScene([
      { json: { status: 'cancellation_request_accepted' } },
      { json: { status: 'cancellation_request_sent' } },
    ])
    await client.cancelJob('job-1')
    await client.cancelJob('job-1')
    expect(server.paths[1]).toBe('POST /api/v1/jobs/job-1/cancel')
  })

  it.each(['', '..', 'a/b', 'x?wait=1'])('refuses %j as the id of a job', async (id) => {
    const { client, server } = await aScene([{ json: aJobDocument() }])
    expect(InputError.is(await rejectionOf(client.getJob(id)))).toBe(true)
    expect(InputError.is(await rejectionOf(client.cancelJob(id)))).toBe(true)
    expect(InputError.is(await rejectionOf(client.waitForJob(id)))).toBe(true)
    expect(server.requests).toEqual([])
  })

  it('listWorkers reads workers of all generations', async () => {
    const worker = {
      worker_id: 'gpu-2',
      worker_type: 'gpu',
      status: 'busy',
      supported_skills: [{ name: 'resize', version: '2.1.0' }, 'crop'],
      max_concurrent_tasks: 2,
      current_tasks: ['task-1'],
      registered_at: '2026-01-01T00:00:00.000Z',
      last_seen_at: '2026-01-01T00:00:05.000Z',
      reputation: 0.9,
    }
    const older = { worker_id: 'old', supported_tasks: ['resize'], ip: '10.0.0.1' }
    const { client, server } = await aScene([{ json: [worker, older] }])
    expect(await client.listWorkers()).toEqual([
      {
        id: 'gpu-2',
        type: 'gpu',
        status: 'busy',
        skills: ['resize', 'crop'],
        maxConcurrentTasks: 2,
        currentTaskIds: ['task-1'],
        reputation: 0.9,
        registeredAt: Date.UTC(2026, 0, 1),
        lastSeenAt: Date.UTC(2026, 0, 1, 0, 0, 5),
        raw: worker,
      },
      expect.objectContaining({ id: 'old', skills: ['resize'], status: null, lastSeenAt: null }),
    ])
    expect(server.paths).toEqual(['GET /api/v1/workers'])
  })

  it('listQuarantined gives ids, whether the server sends jobs or ids', async () => {
    const { client, server } = await aScene([{ json: ['job-1', aJobDocument({ id: 'job-2' })] }])
    expect(await client.listQuarantined()).toEqual(['job-1', 'job-2'])
    expect(server.paths).toEqual(['GET /_public/jobs/quarantined'])
  })
})

describe('errors', () => {
  const json = (status: number, code: string) => ({ status, json: { error: 'No.', code } })

  it.each([
    ['with a code', json(404, 'JOB_NOT_FOUND'), NotFoundError, 'JOB_NOT_FOUND'],
    [
      'without a code',
      { status: 404, json: { error: 'Job not found' } },
      NotFoundError,
      'NOT_FOUND',
    ],
    ['in plain text (D-67)', { status: 403, text: 'Access denied' }, AuthError, 'FORBIDDEN'],
    ['of a token', { status: 401, json: { error: 'Missing header' } }, AuthError, 'INVALID_TOKEN'],
    ['of a key', json(409, 'IDEMPOTENCY_CONFLICT'), ConflictError, 'IDEMPOTENCY_CONFLICT'],
    ['of a redirect', { status: 302, text: '' }, ConnectionError, 'UNEXPECTED_RESPONSE'],
    ['that is a job of nobody', { json: { hello: 1 } }, ConnectionError, 'UNEXPECTED_RESPONSE'],
  ])('%s becomes a typed error and is not tried again', async (_what, reply, type, code) => {
    const { client, server } = await aScene([reply])
    const error = await rejectionOf(client.getJob('job-1'))
    expect(type.is(error)).toBe(true)
    expect(error).toMatchObject({ code })
    expect(server.requests).toHaveLength(1)
  })

  it('an answer above 16 MiB is cut off', async () => {
    const { client } = await aScene([{ text: 'x'.repeat(16 * 1024 * 1024 + 1) }])
    expect(await rejectionOf(client.getJob('job-1'))).toMatchObject({ code: 'UNEXPECTED_RESPONSE' })
  })

  it('an answer of 12 MiB is read', async () => {
    const result = 'x'.repeat(12 * 1024 * 1024)
    const { client } = await aScene([{ json: aJobDocument({ result }) }])
    expect((await client.getJob<string>('job-1')).result).toHaveLength(result.length)
  })
})

function circular(): object {
  const loop: Record<string, unknown> = {}
  loop['self'] = loop
  return loop
}
