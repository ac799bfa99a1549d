/** How many jobs a client may create in a month (D-60). */
import { UnavailableError } from '@avtomatika/protocol'
import { describe, expect, it } from 'vitest'
import { OrchestratorEngine, type ClientConfig } from '../src/index.ts'
import { CLIENTS, JANUARY, LimitedServer, type LimitedOptions } from './support/limited-server.ts'
import { openStorage, overlay } from './support/storage-under-test.ts'

const FEBRUARY = Date.UTC(2026, 1)

function start(monthlyAttempts: number, options: LimitedOptions = {}): LimitedServer {
  const clients: ClientConfig[] = [
    { token: CLIENTS.owner, id: 'owner', monthlyAttempts },
    { token: CLIENTS.other, id: 'other' },
  ]
  return new LimitedServer({ ...options, config: { clients } })
}

async function statuses(server: LimitedServer, count: number): Promise<number[]> {
  const found: number[] = []
  for (let n = 0; n < count; n += 1) found.push((await server.create()).status)
  return found
}

describe('a client with a monthly quota', () => {
  it('creates that many jobs, and is told when it may go on', async () => {
    const server = start(2)
    expect(await statuses(server, 2)).toEqual([202, 202])
    const { status, headers, body } = await server.create()
    expect(status).toBe(429)
    expect(body).toMatchObject({
      error: 'Quota exceeded or not configured',
      code: 'QUOTA_EXCEEDED',
      details: { limit: 2, resets_at: '2026-02-01T00:00:00.000Z' },
    })
    // The clock of the test stands two hours before the end of January.
    expect(headers['retry-after']).toBe('7200')
  })

  it('has a new one with the month, by UTC (D-60)', async () => {
    const server = start(1)
    expect(await statuses(server, 2)).toEqual([202, 429])
    server.clock.now = FEBRUARY - 1
    const last = await server.create()
    expect([last.status, last.headers['retry-after']]).toEqual([429, '1'])
    server.clock.now = FEBRUARY
    expect(await statuses(server, 2)).toEqual([202, 429])
  })

  it('has the rest of it after a restart, and beside another orchestrator (D-60)', async () => {
    const storage = openStorage()
    expect(await statuses(start(2, { storage }), 1)).toEqual([202])
    expect(await statuses(start(2, { storage }), 2)).toEqual([202, 429])
  })

  it('pays for created jobs only: not for reads, nor for what is refused (D-60)', async () => {
    const server = start(1)
    const bad = [
      { body: { blueprint: 'none' } },
      { body: { blueprint: 'empty', initial_data: 5 } },
      { body: { blueprint: 'empty', initial_data: { text: 'x'.repeat(2 ** 20) } } },
    ]
    for (const call of bad) {
      expect((await server.create(call)).status).toBeGreaterThanOrEqual(400)
    }
    for (const path of ['/api/jobs/none', '/api/workers', '/api/quarantine']) {
      await server.call('GET', path)
    }
    const { status, body } = await server.create()
    expect(status).toBe(202)
    const read = await server.call('GET', `/api/jobs/${String(body['job_id'])}`)
    expect(read.status).toBe(200)
  })

  it('pays once for a request that is repeated, also when nothing is left (D-61)', async () => {
    const server = start(1)
    const once = { headers: { 'idempotency-key': 'key-1' } }
    const first = await server.create(once)
    const second = await server.create(once)
    expect([first.status, second.status]).toEqual([202, 202])
    expect(second.body['job_id']).toBe(first.body['job_id'])
    const other = { body: { blueprint: 'empty', initial_data: { n: 1 } } }
    expect((await server.create({ ...once, ...other })).status).toBe(409)
    expect((await server.create({ headers: { 'idempotency-key': 'key-2' } })).status).toBe(429)
  })

  it('gets back what it paid for repeats and conflicts while it has a rest', async () => {
    const server = start(2)
    const once = { headers: { 'idempotency-key': 'key-1' } }
    for (let n = 0; n < 5; n += 1) await server.create(once)
    const other = { body: { blueprint: 'empty', initial_data: { n: 1 } } }
    await server.create({ ...once, ...other })
    expect(await statuses(server, 2)).toEqual([202, 429])
  })

  it('gets back what it paid for a job that could not be written', async () => {
    let isAway = true
    const inner = openStorage()
    const storage = overlay(inner, {
      commit: (entries) => {
        if (!isAway) return inner.commit(entries)
        const message = 'The storage is away.'
        return Promise.reject(new UnavailableError('STORAGE_UNAVAILABLE', { message }))
      },
    })
    const server = start(1, { storage })
    expect(await statuses(server, 2)).toEqual([503, 503])
    isAway = false
    expect(await statuses(server, 2)).toEqual([202, 429])
  })

  it('is answered with the error of the job, and logged, when giving back fails', async () => {
    const storage = overlay(openStorage(), {
      commit: () => {
        throw new UnavailableError('STORAGE_UNAVAILABLE', { message: 'The storage is away.' })
      },
      giveBackQuota: () => {
        throw new Error('no way back')
      },
    })
    const server = start(1, { storage })
    expect((await server.create()).status).toBe(503)
    expect(server.log).toContain('an attempt could not be given back')
  })

  it('of nothing creates nothing, over either route', async () => {
    const server = start(0)
    expect(await statuses(server, 1)).toEqual([429])
    expect((await server.call('POST', '/api/jobs/empty', { body: {} })).status).toBe(429)
  })
})

describe('a client without a quota', () => {
  it('creates as many jobs as it likes (D-60), whatever others have left', async () => {
    const server = start(0)
    for (let n = 0; n < 20; n += 1) expect((await server.create({ as: 'other' })).status).toBe(202)
    expect(await server.storage.readQuota(quotaOf('other'))).toBe(0)
  })
})

describe('a quota that is none', () => {
  it.each([-1, 1.5, NaN, Infinity])('stops the start: %d', async (monthlyAttempts) => {
    const config = { port: 0, clients: [{ token: 'secret', id: 'c', monthlyAttempts }] }
    const engine = new OrchestratorEngine({ config })
    await expect(engine.start()).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})

function quotaOf(clientId: string) {
  const period = { from: Date.UTC(2026, 0), until: FEBRUARY }
  return { key: `attempts:${clientId}`, period, now: JANUARY }
}
