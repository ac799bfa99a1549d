import { describe, expect, it } from 'vitest'

import { InputError, NotFoundError, TimeoutError } from '../src/index.ts'
import type { Job } from '../src/index.ts'
import { aJobDocument, aScene, rejectionOf } from './setup.ts'

const running = { json: aJobDocument() }
const finished = { json: aJobDocument({ status: 'finished', result: { total: 3 } }) }
const away = { status: 503, text: 'restarting' }
const held = 'GET /api/v1/jobs/job-1?wait=20'

describe('waitForJob', () => {
  it('asks the server to hold its answer and resolves with the job', async () => {
    const { client, server } = await aScene([finished])
    const job = await client.waitForJob<{ total: number }>('job-1')
    expect(job).toMatchObject({ id: 'job-1', status: 'finished', result: { total: 3 } })
    expect(server.paths).toEqual([held])
  })

  it.each(['finished', 'failed', 'error', 'quarantined', 'cancelled'])(
    'resolves when the job ends as %s',
    async (status) => {
      const { client } = await aScene([{ json: aJobDocument({ status }) }])
      expect((await client.waitForJob('job-1')).status).toBe(status)
    },
  )

  it('asks again at once after an answer that was held', async () => {
    const { client, clock, server } = await aScene([running, holdThen(running), finished])
    await client.waitForJob('job-1')
    expect(server.paths).toEqual([held, held, held])
    expect(clock.pauses).toEqual([])

    function holdThen(reply: typeof running) {
      return () => {
        clock.advance(20_000)
        return reply
      }
    }
  })

  it('backs off from a server that does not hold its answers, anew after each change', async () => {
    const same = Array.from({ length: 7 }, () => running)
    const moved = { json: aJobDocument({ progress: 0.5 }) }
    const { client, clock } = await aScene([running, ...same, moved, moved, finished])
    await client.waitForJob('job-1')
    expect(clock.pauses).toEqual([100, 200, 400, 800, 1600, 2000, 2000, 100])
  })

  it('tells the first view and each change of status, state and progress, once', async () => {
    const views = [
      aJobDocument({ status: 'pending' }),
      aJobDocument({ status: 'pending' }),
      aJobDocument(),
      aJobDocument({ current_state: 'pay' }),
      aJobDocument({ current_state: 'pay', updated_at: '2026-01-01T00:00:09.000Z' }),
      aJobDocument({ current_state: 'pay', progress: 0.5 }),
      aJobDocument({ current_state: 'pay', progress: 0.5, progress_message: 'half' }),
      aJobDocument({ status: 'finished', current_state: 'done' }),
    ]
    const { client, server } = await aScene(views.map((json) => ({ json })))
    const told: unknown[] = []
    await client.waitForJob('job-1', {
      onProgress: (job) => {
        told.push([job.status, job.currentState, job.progress, job.progressMessage])
      },
    })
    expect(told).toEqual([
      ['pending', 'start', null, null],
      ['running', 'start', null, null],
      ['running', 'pay', null, null],
      ['running', 'pay', 0.5, null],
      ['running', 'pay', 0.5, 'half'],
      ['finished', 'done', null, null],
    ])
    const sinceSeen = `${held}&since=2026-01-01T00%3A00%3A01.000Z`
    expect(server.paths.slice(0, 2)).toEqual(['GET /api/v1/jobs/job-1', sinceSeen])
  })

  it('ends with what onProgress throws', async () => {
    const { client } = await aScene([running])
    const reason = new Error('display gone')
    const onProgress = () => Promise.reject(reason)
    expect(await rejectionOf(client.waitForJob('job-1', { onProgress }))).toBe(reason)
  })

  it('gives up after timeoutMs, ending the request, and says that the job goes on', async () => {
    const { client, server, clock } = await aScene([running, 'silence'])
    const failed = rejectionOf(client.waitForJob('job-1', { timeoutMs: 12_000 }))
    await server.untilRequests(2)
    clock.advance(12_000)
    const error = await failed
    expect(TimeoutError.is(error)).toBe(true)
    expect(error).toMatchObject({
      code: 'WAIT_TIMEOUT',
      details: { job_id: 'job-1', status: 'running', state: 'start' },
    })
  })

  it('gives up after five minutes when no time is given', async () => {
    const { client, server, clock } = await aScene(['silence'], { timeoutMs: 600_000 })
    const failed = rejectionOf(client.waitForJob('job-1'))
    await server.untilRequests(1)
    expect(clock.pending).toContain(300_000)
    clock.advance(300_000)
    expect(await failed).toMatchObject({ code: 'WAIT_TIMEOUT' })
  })

  it('waits for ever with Infinity, and gives each try its own time on top of the held time', async () => {
    const { client, server, clock } = await aScene(['silence', finished])
    const ended = client.waitForJob('job-1', { timeoutMs: Infinity })
    await server.untilRequests(1)
    expect(clock.pending).toEqual([50_000])
    clock.advance(50_000)
    expect((await ended).status).toBe('finished')
  })

  it('ends with the reason of its signal', async () => {
    const { client, server } = await aScene([running, 'silence'])
    const abort = new AbortController()
    const failed = rejectionOf(client.waitForJob('job-1', { signal: abort.signal }))
    await server.untilRequests(2)
    const reason = new Error('shutting down')
    abort.abort(reason)
    expect(await failed).toBe(reason)
  })

  it('ends when the client is closed', async () => {
    const { client, server } = await aScene([running, 'silence'])
    const failed = rejectionOf(client.waitForJob('job-1'))
    await server.untilRequests(2)
    await client.close()
    expect(await failed).toMatchObject({ code: 'CONNECTION_FAILED' })
  })

  it('asks at pollIntervalMs, without holding, when told so', async () => {
    const { client, server, clock } = await aScene([running, running, finished])
    await client.waitForJob('job-1', { pollIntervalMs: 700 })
    expect(new Set(server.paths)).toEqual(new Set(['GET /api/v1/jobs/job-1']))
    expect(clock.pauses).toEqual([700, 700])
  })

  it('survives a restart of the server once it has seen the job', async () => {
    const outage = Array.from({ length: 6 }, () => away)
    const { client, server } = await aScene([running, ...outage, finished])
    expect((await client.waitForJob('job-1')).status).toBe('finished')
    expect(server.requests).toHaveLength(8)
  })

  it('leaves a server alone for as long as it asks, also between looks', async () => {
    const busy = { status: 429, text: '', headers: { 'retry-after': '40' } }
    const { client, clock } = await aScene([running, busy, finished])
    const ended = client.waitForJob('job-1')
    await clock.untilPending(40_100)
    clock.advance(40_100)
    expect((await ended).status).toBe('finished')
  })

  it('tells an outage at once when it has never seen the job', async () => {
    const { client, server } = await aScene([away])
    expect(await rejectionOf(client.waitForJob('job-1'))).toMatchObject({ code: 'UNAVAILABLE' })
    expect(server.requests).toHaveLength(3)
  })

  it('ends when the job is gone', async () => {
    const gone = { status: 404, json: { error: 'No job.', code: 'JOB_NOT_FOUND' } }
    const { client } = await aScene([running, gone])
    expect(NotFoundError.is(await rejectionOf(client.waitForJob('job-1')))).toBe(true)
  })
})

describe('run', () => {
  const accepted = { status: 202, json: { status: 'accepted', job_id: 'job-1' } }

  it('creates a job and waits for it', async () => {
    const { client, server } = await aScene([accepted, finished])
    const job: Job<{ total: number }> = await client.run('/orders', { n: 1 })
    expect(job.result).toEqual({ total: 3 })
    expect(server.paths).toEqual(['POST /api/v1/orders', held])
  })

  it.each([{ timeoutMs: 0 }, { timeoutMs: Number.NaN }, { pollIntervalMs: -1 }])(
    'refuses %j before it creates a job',
    async (options) => {
      const { client, server } = await aScene([accepted, finished])
      const error = await rejectionOf(client.run('/orders', {}, options))
      expect(InputError.is(error)).toBe(true)
      expect(error).toMatchObject({ details: { option: Object.keys(options)[0] } })
      expect(server.requests).toEqual([])
    },
  )
})
