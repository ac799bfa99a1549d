import { inspect } from 'node:util'

import { describe, expect, it } from 'vitest'

import { ConnectionError, LimitError, UnavailableError } from '../src/index.ts'
import { aJobDocument, aScene, rejectionOf, TOKEN } from './setup.ts'

const accepted = { status: 202, json: { status: 'accepted', job_id: 'job-1' } }
const job = { json: aJobDocument() }

describe('a call', () => {
  it('that loses its answer is repeated with the same key and bytes: no second job (D-61)', async () => {
    const { client, server } = await aScene(['cut', { status: 503, text: '' }, accepted])
    expect(await client.createJob('/orders', { n: 1 })).toEqual({ jobId: 'job-1' })
    const sent = server.requests.map(({ headers, body }) => [headers['idempotency-key'], body])
    expect(sent).toHaveLength(3)
    expect(new Set(sent.map(String)).size).toBe(1)
  })

  it.each([502, 503, 504, 429])('answered %i is repeated', async (status) => {
    const { client, server, clock } = await aScene([{ status, text: 'later' }, job])
    await client.getJob('job-1')
    expect(server.requests).toHaveLength(2)
    expect(clock.pauses).toEqual([200])
  })

  it('waits longer before each try and gives up after `retries`', async () => {
    const { client, server, clock } = await aScene([{ status: 503, text: 'away' }], { retries: 3 })
    const error = await rejectionOf(client.cancelJob('job-1'))
    expect(UnavailableError.is(error)).toBe(true)
    expect(server.requests).toHaveLength(4)
    expect(clock.pauses).toEqual([200, 400, 800])
  })

  it('loses up to half of a pause by chance', async () => {
    const { client, clock } = await aScene([{ status: 503, text: '' }, job], { random: () => 0 })
    await client.getJob('job-1')
    expect(clock.pauses).toEqual([100])
  })

  it('is sent once when retries are off', async () => {
    const { client, server } = await aScene(['cut'], { retries: 0 })
    expect(ConnectionError.is(await rejectionOf(client.getJob('job-1')))).toBe(true)
    expect(server.requests).toHaveLength(1)
  })

  it.each([
    ['in seconds', '2'],
    ['as a date', new Date(Date.UTC(2026, 0, 1, 0, 0, 2)).toUTCString()],
  ])('waits as long as Retry-After %s says', async (_how, value) => {
    const busy = { status: 429, text: '', headers: { 'retry-after': value } }
    const { client, clock } = await aScene([busy, job])
    await client.getJob('job-1')
    expect(clock.pauses).toEqual([2200])
  })

  it('leaves a pause of more than 30 s to the caller', async () => {
    const busy = { status: 429, text: '', headers: { 'retry-after': '3600' } }
    const { client, server } = await aScene([busy])
    const error = await rejectionOf(client.getJob('job-1'))
    expect(LimitError.is(error) && error.retryAfterMs).toBe(3_600_000)
    expect(server.requests).toHaveLength(1)
  })

  it.each([
    ['of a used-up quota', { status: 429, json: { error: 'No.', code: 'QUOTA_EXCEEDED' } }],
    ['of a broken server', { status: 500, text: 'oops' }],
  ])('is not repeated because %s', async (_why, reply) => {
    const { client, server } = await aScene([reply])
    await rejectionOf(client.getJob('job-1'))
    expect(server.requests).toHaveLength(1)
  })

  it('that is not answered in time is repeated, and told as CONNECTION_FAILED', async () => {
    const { client, server, clock } = await aScene(['silence'], { retries: 1, timeoutMs: 10_000 })
    const failed = rejectionOf(client.getJob('job-1'))
    await server.untilRequests(1)
    clock.advance(9_999)
    expect(clock.pending).toEqual([10_000])
    clock.advance(1)
    await server.untilRequests(2)
    clock.advance(10_000)
    expect(await failed).toMatchObject({
      code: 'CONNECTION_FAILED',
      message: expect.stringContaining('within 10000 ms'),
    })
  })

  it('that nobody answers says where it went, and keeps the cause, but not the token', async () => {
    const { client, server } = await aScene([job])
    const { url } = server
    await server.close()
    const error = await rejectionOf(client.createJob('/orders', {}))
    expect(error).toMatchObject({
      code: 'CONNECTION_FAILED',
      message: expect.stringContaining(`POST ${url}/api/v1/orders`),
      cause: expect.any(Error),
    })
    expect(inspect(error, { depth: 20 })).not.toContain(TOKEN)
    expect(inspect(client, { depth: 20, showHidden: true })).not.toContain(TOKEN)
  })

  it('ends with the reason of its signal, also while it is in flight', async () => {
    const { client, server } = await aScene(['silence'])
    const reason = new Error('no longer wanted')
    expect(await rejectionOf(client.getJob('x', { signal: AbortSignal.abort(reason) }))).toBe(
      reason,
    )
    expect(server.requests).toEqual([])
    const abort = new AbortController()
    const failed = rejectionOf(client.createJob('/orders', {}, { signal: abort.signal }))
    await server.untilRequests(1)
    abort.abort(reason)
    expect(await failed).toBe(reason)
    expect(server.requests).toHaveLength(1)
  })
})

describe('close', () => {
  it('ends calls in flight, refuses new ones, and can be repeated', async () => {
    const { client, server } = await aScene(['silence'])
    const failed = rejectionOf(client.getJob('job-1'))
    await server.untilRequests(1)
    await Promise.all([client.close(), client[Symbol.asyncDispose]()])
    expect(await failed).toMatchObject({ message: expect.stringContaining('client is closed') })
    expect(await rejectionOf(client.getJob('job-1'))).toMatchObject({ code: 'CONNECTION_FAILED' })
    expect(server.requests).toHaveLength(1)
  })
})
