/** Quarantine over HTTP: look, let go on, give up; one by one and many at once. */
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Blueprint, type AnyBlueprint } from '../src/index.ts'
import { LiveServer, type Who } from './support/live-server.ts'

/** Its handler gives up for good unless `n` is more than 0, as typed data would be. */
function fragile(): AnyBlueprint {
  return new Blueprint('fragile', { input: z.object({ n: z.number().default(0) }) })
    .state('start', { start: true }, ({ actions, initialData }) => {
      if (initialData.n <= 0) throw new Error('n is too small')
      actions.transitionTo('done')
    })
    .state('done', { end: true }, ({ initialData }) => ({ n: initialData.n }))
}

async function start(): Promise<LiveServer> {
  return LiveServer.start([fragile()], { maxRetries: 0 })
}

async function quarantined(server: LiveServer, as: Who = 'owner'): Promise<string> {
  const jobId = await server.create('fragile', {}, as)
  await server.jobIn('quarantined', jobId, as)
  return jobId
}

async function listed(server: LiveServer, as: Who = 'owner', query = ''): Promise<unknown[]> {
  const { body } = await server.get(`/api/quarantine${query}`, as)
  return (body['jobs'] as { id: string }[]).map(({ id }) => id)
}

describe('the list of quarantined jobs', () => {
  it('shows a client its own, with what went wrong, newest first', async () => {
    const server = await start()
    const jobIds = [await quarantined(server), await quarantined(server)]
    await quarantined(server, 'other')
    const { status, body } = await server.get('/api/quarantine')
    expect(status).toBe(200)
    expect(body['jobs']).toMatchObject([
      { id: expect.any(String), status: 'quarantined', error: { message: 'n is too small' } },
      { id: expect.any(String), status: 'quarantined', error: { code: 'HANDLER_FAILED' } },
    ])
    expect((await listed(server)).toSorted()).toEqual(jobIds.toSorted())
    expect(await listed(server, 'owner', '?limit=1')).toHaveLength(1)
  })

  it("shows an admin everybody's, also in the form for older clients", async () => {
    const server = await start()
    const own = await quarantined(server)
    const other = await quarantined(server, 'other')
    expect(await listed(server, 'admin')).toEqual(expect.arrayContaining([own, other]))
    expect(await listed(server, 'other')).toEqual([other])
    const legacy = async (as: Who): Promise<unknown> =>
      JSON.parse((await server.get('/_public/jobs/quarantined', as)).text)
    expect(await legacy('admin')).toEqual(expect.arrayContaining([own, other]))
    expect(await legacy('other')).toEqual([other])
  })

  it.each(['0', '-1', 'all', '1001', '1.5', ''])('refuses ?limit=%s', async (limit) => {
    const server = await start()
    const { status, body } = await server.get(`/api/quarantine?limit=${limit}`)
    expect([status, body['code']]).toEqual([422, 'INVALID_REQUEST'])
  })
})

describe('a quarantined job', () => {
  it('goes on from the failed step, with other data if they are given', async () => {
    const server = await start()
    const jobId = await quarantined(server)
    const reply = await server.post(`/api/jobs/${jobId}/retry`, { data: { n: 3 } })
    expect([reply.status, reply.body]).toEqual([200, { status: 'retried', job_id: jobId }])
    expect(await server.jobIn('finished', jobId)).toMatchObject({
      initial_data: { n: 3 },
      result: { n: 3 },
      error: null,
    })
    expect(await listed(server)).toEqual([])
    const types = (await server.history(jobId)).map((row) => row['event_type'])
    expect(types).toContain('job_retried')
  })

  it('may be retried without a body, and comes back when nothing has changed', async () => {
    const server = await start()
    const jobId = await quarantined(server)
    const reply = await server.post(`/api/v1/jobs/${jobId}/retry`)
    expect(reply.status).toBe(200)
    await server.jobIn('quarantined', jobId)
    expect(await listed(server)).toEqual([jobId])
  })

  it('is not retried with data that its blueprint does not take', async () => {
    const server = await start()
    const jobId = await quarantined(server)
    const reply = await server.post(`/api/jobs/${jobId}/retry`, { data: { n: 'many' } })
    expect([reply.status, reply.body['code']]).toEqual([422, 'INVALID_INPUT'])
    expect(await server.job(jobId)).toMatchObject({ status: 'quarantined', initial_data: { n: 0 } })
  })

  it('can be given up: it has failed then', async () => {
    const server = await start()
    const jobId = await quarantined(server)
    const reply = await server.post(`/api/jobs/${jobId}/discard`)
    expect([reply.status, reply.body]).toEqual([200, { status: 'discarded', job_id: jobId }])
    expect(await server.job(jobId)).toMatchObject({
      status: 'failed',
      error: { message: 'n is too small' },
    })
    expect(await listed(server)).toEqual([])
  })

  it.each(['retry', 'discard'])('is the only one that %s is for', async (deed) => {
    const server = await start()
    const jobId = await server.create('fragile', { initial_data: { n: 1 } })
    await server.jobIn('finished', jobId)
    const reply = await server.post(`/api/jobs/${jobId}/${deed}`)
    expect([reply.status, reply.body['code']]).toEqual([409, 'NOT_QUARANTINED'])
    const none = await server.post(`/api/jobs/none/${deed}`)
    expect([none.status, none.body['code']]).toEqual([404, 'JOB_NOT_FOUND'])
  })

  it.each([
    ['{"data":', 400],
    ['[]', 400],
    [{ data: [] }, 422],
    [{ data: 'x' }, 422],
  ])('is not retried with %j', async (body, status) => {
    const server = await start()
    const jobId = await quarantined(server)
    expect((await server.post(`/api/jobs/${jobId}/retry`, body)).status).toBe(status)
    expect(await server.job(jobId)).toMatchObject({ status: 'quarantined' })
  })

  it("of another client is an admin's to retry", async () => {
    const server = await start()
    const jobId = await quarantined(server, 'other')
    const reply = await server.post(`/api/jobs/${jobId}/retry`, { data: { n: 1 } }, 'admin')
    expect(reply.status).toBe(200)
    // It stays the job of its owner.
    expect(await server.jobIn('finished', jobId, 'other')).toMatchObject({ result: { n: 1 } })
  })
})

describe('many quarantined jobs', () => {
  it('are retried at once, each with an answer of its own, in order', async () => {
    const server = await start()
    const good = await quarantined(server)
    const foreign = await quarantined(server, 'other')
    const done = await server.create('fragile', { initial_data: { n: 1 } })
    await server.jobIn('finished', done)
    const ids = ['none', foreign, good, done, good]
    const reply = await server.post('/api/quarantine/retry', { ids, data: { n: 5 } })
    const notFound = { code: 'JOB_NOT_FOUND', message: 'Job not found' }
    expect([reply.status, reply.body]).toEqual([
      200,
      {
        results: [
          { job_id: 'none', status: 'error', error: notFound },
          { job_id: foreign, status: 'error', error: notFound },
          { job_id: good, status: 'retried', error: null },
          {
            job_id: done,
            status: 'error',
            error: {
              code: 'NOT_QUARANTINED',
              message: 'The job is not quarantined; its status is finished.',
            },
          },
        ],
      },
    ])
    expect(await server.jobIn('finished', good)).toMatchObject({ result: { n: 5 } })
    expect(await server.job(foreign, 'other')).toMatchObject({ status: 'quarantined' })
  })

  it('are discarded at once, by an admin for all clients', async () => {
    const server = await start()
    const own: string[] = []
    for (let n = 0; n < 40; n += 1) own.push(await quarantined(server))
    const ids = [...own, await quarantined(server, 'other')]
    const reply = await server.post('/api/quarantine/discard', { ids }, 'admin')
    const results = reply.body['results']
    expect(results).toEqual(ids.map((id) => ({ job_id: id, status: 'discarded', error: null })))
    expect(await listed(server, 'admin')).toEqual([])
  })

  it.each([
    [undefined, 400],
    ['[]', 400],
    [{}, 422],
    [{ ids: [] }, 422],
    [{ ids: 'all' }, 422],
    [{ ids: ['../x'] }, 422],
    [{ ids: Array.from({ length: 1001 }, (_, n) => `job-${String(n)}`) }, 422],
  ])('are not named by %j', async (body, status) => {
    const server = await start()
    for (const deed of ['retry', 'discard']) {
      expect((await server.post(`/api/quarantine/${deed}`, body)).status).toBe(status)
    }
  })
})
