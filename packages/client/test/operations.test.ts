import { describe, expect, expectTypeOf, it } from 'vitest'

import {
  AvtomatikaClient,
  ConflictError,
  ConnectionError,
  InputError,
  LimitError,
  UnavailableError,
} from '../src/index.ts'
import type { GraphFormat } from '../src/index.ts'
import { aJobDocument, aScene, rejectionOf, TOKEN } from './setup.ts'
import type { Reply } from './scripted-server.ts'

const away = { status: 503, text: 'away' }

function refusal(status: number, code: string): Reply {
  return { status, json: { error: 'No.', code } }
}

function circular(): object {
  const loop: Record<string, unknown> = {}
  loop['self'] = loop
  return loop
}

describe('sendEvent', () => {
  const accepted = {
    status: 202,
    json: { status: 'accepted', job_id: 'job-1', outcome: 'received' },
  }

  it('sends name, data, id and the token, and tells what became of the event', async () => {
    const { client, server } = await aScene([accepted])
    const event = { name: 'paid', data: { amount: 12 }, eventId: 'psp-1' }
    expect(await client.sendEvent('job-1', event)).toEqual({ outcome: 'received' })
    expect(server.paths).toEqual(['POST /api/v1/jobs/job-1/events'])
    expect(server.requests[0]?.headers).toMatchObject({ 'x-client-token': TOKEN })
    expect(JSON.parse(server.requests[0]?.body ?? '')).toEqual({
      name: 'paid',
      data: { amount: 12 },
      event_id: 'psp-1',
    })
  })

  it('that loses its answer is repeated with the same id, so that it counts once', async () => {
    const repeated = { status: 202, json: { ...accepted.json, outcome: 'repeated' } }
    const { client, server } = await aScene(['cut', repeated])
    expect(await client.sendEvent('job-1', { name: 'paid' })).toEqual({ outcome: 'repeated' })
    const bodies = server.requests.map(({ body }) => body)
    expect(new Set(bodies).size).toBe(1)
    expect(JSON.parse(bodies[0] ?? '')).toEqual({
      name: 'paid',
      event_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
  })

  it('has another random id for each call', async () => {
    const { client, server } = await aScene([accepted])
    await client.sendEvent('job-1', { name: 'paid' })
    await client.sendEvent('job-1', { name: 'paid' })
    expect(server.requests[0]?.body).not.toBe(server.requests[1]?.body)
  })

  it('waits a little for room, then says that the job keeps enough events', async () => {
    const { client, server } = await aScene([refusal(429, 'EVENTS_FULL')])
    const error = await rejectionOf(client.sendEvent('job-1', { name: 'paid' }))
    expect(LimitError.is(error)).toBe(true)
    expect(error).toMatchObject({ code: 'EVENTS_FULL' })
    expect(server.requests).toHaveLength(3)
  })

  it.each([
    [409, 'JOB_ENDED', ConflictError],
    [413, 'DATA_TOO_LARGE', LimitError],
  ])('is told %i %s at once', async (status, code, type) => {
    const { client, server } = await aScene([refusal(status, code)])
    const error = await rejectionOf(client.sendEvent('job-1', { name: 'paid' }))
    expect(type.is(error)).toBe(true)
    expect(error).toMatchObject({ code })
    expect(server.requests).toHaveLength(1)
  })

  it.each([
    ['no name', { name: '' }],
    ['a name that is too long', { name: 'x'.repeat(129) }],
    ['an empty id', { name: 'x', eventId: '' }],
    ['a list as data', { name: 'x', data: [1] }],
    ['data without end', { name: 'x', data: circular() }],
    ['a number JSON does not know', { name: 'x', data: { n: 1n } }],
  ])('refuses %s before anything is sent', async (_what, event) => {
    const { client, server } = await aScene([accepted])
    expect(InputError.is(await rejectionOf(client.sendEvent('job-1', event)))).toBe(true)
    expect(server.requests).toEqual([])
  })
})

describe('approve', () => {
  const received = { json: { status: 'approval_received', job_id: 'job-1' } }

  it('sends who decided what and why, with the token (D-33)', async () => {
    const { client, server } = await aScene([received])
    const approval = { decision: 'rejected', actor: 'ann', comment: 'too much', data: { max: 1 } }
    await client.approve('job-1', { ...approval, approvalId: 'job-1-a2' })
    expect(server.paths).toEqual(['POST /_public/webhooks/approval/job-1'])
    expect(server.requests[0]?.headers).toMatchObject({ 'x-client-token': TOKEN })
    const sent: unknown = JSON.parse(server.requests[0]?.body ?? '')
    expect(sent).toEqual({ ...approval, approval_id: 'job-1-a2' })
  })

  it.each([['cut' as const], [away]])(
    'that may have been taken is not sent again: the job may ask for another decision now (%j)',
    async (reply) => {
      const { client, server } = await aScene([reply, received])
      const error = await rejectionOf(client.approve('job-1', { decision: 'approved' }))
      expect(ConnectionError.is(error) || UnavailableError.is(error)).toBe(true)
      expect(server.requests).toHaveLength(1)
    },
  )

  it('that was not let in is sent again', async () => {
    const { client, server } = await aScene([{ status: 429, text: 'slow down' }, received])
    await client.approve('job-1', { decision: 'approved' })
    expect(server.requests).toHaveLength(2)
  })

  it.each([
    [400, 'DECISION_INVALID', InputError],
    [409, 'NOT_APPROVABLE', ConflictError],
  ])('is told %i %s', async (status, code, type) => {
    const { client } = await aScene([refusal(status, code)])
    const error = await rejectionOf(client.approve('job-1', { decision: 'maybe' }))
    expect(type.is(error)).toBe(true)
    expect(error).toMatchObject({ code })
  })

  it.each([{ decision: '' }, { decision: 'a', actor: 'x'.repeat(256) }])(
    'refuses what cannot be sent before it is',
    async (approval) => {
      const { client, server } = await aScene([received])
      expect(InputError.is(await rejectionOf(client.approve('job-1', approval)))).toBe(true)
      expect(server.requests).toEqual([])
    },
  )
})

describe('the quarantine', () => {
  const retried = { json: { status: 'retried', job_id: 'job-1' } }
  const results = {
    json: {
      results: [
        { job_id: 'a', status: 'retried', error: null },
        { job_id: 'b', status: 'error', error: { code: 'JOB_NOT_FOUND', message: 'No job b.' } },
      ],
    },
  }
  const outcomes = [
    { jobId: 'a', status: 'retried', error: null },
    { jobId: 'b', status: 'error', error: { code: 'JOB_NOT_FOUND', message: 'No job b.' } },
  ]

  it('is listed as jobs with their errors', async () => {
    const error = { code: 'PERMANENT_ERROR', message: 'no such codec' }
    const jobs = [aJobDocument({ status: 'quarantined', error }), aJobDocument({ id: 'job-2' })]
    const { client, server } = await aScene([{ json: { jobs } }])
    const [first, second] = await client.quarantined()
    expect(first).toMatchObject({ id: 'job-1', status: 'quarantined', error })
    expect(second).toMatchObject({ id: 'job-2' })
    await client.quarantined({ limit: 1000 })
    expect(server.paths).toEqual(['GET /api/v1/quarantine', 'GET /api/v1/quarantine?limit=1000'])
  })

  it.each([0, 1001, 1.5, Number.NaN])('refuses a limit of %d', async (limit) => {
    const { client, server } = await aScene([{ json: { jobs: [] } }])
    expect(InputError.is(await rejectionOf(client.quarantined({ limit })))).toBe(true)
    expect(server.requests).toEqual([])
  })

  it.each([['jobs'], [[]], [{}], [{ jobs: ['job-1'] }]])(
    'tells when the list is not one (%j)',
    async (json) => {
      const { client } = await aScene([{ json }])
      const error = await rejectionOf(client.quarantined())
      expect(error).toMatchObject({ code: 'UNEXPECTED_RESPONSE' })
    },
  )

  it('retry sends the data to lay over, or none', async () => {
    const { client, server } = await aScene([retried])
    await client.retry('job-1', { data: { codec: 'h264' } })
    await client.retry('job-1')
    expect(server.requests.map(({ body }) => body)).toEqual(['{"data":{"codec":"h264"}}', '{}'])
    expect(server.paths[0]).toBe('POST /api/v1/jobs/job-1/retry')
  })

  it('retry is not sent again when the job may go on already', async () => {
    const { client, server } = await aScene(['cut', retried])
    expect(ConnectionError.is(await rejectionOf(client.retry('job-1')))).toBe(true)
    expect(server.requests).toHaveLength(1)
  })

  it('discard is sent again, for a job is given up only once', async () => {
    const discarded = { json: { status: 'discarded', job_id: 'job-1' } }
    const { client, server } = await aScene([away, discarded])
    await client.discard('job-1')
    expect(server.paths).toEqual(Array(2).fill('POST /api/v1/jobs/job-1/discard'))
    expect(server.requests[0]?.body).toBe('')
  })

  it('retryMany and discardMany tell what became of each', async () => {
    const { client, server } = await aScene([results])
    expect(await client.retryMany(['a', 'b'], { data: { n: 1 } })).toEqual(outcomes)
    expect(await client.discardMany(['a', 'b'])).toEqual(outcomes)
    expect(server.requests.map(({ body }) => body)).toEqual([
      '{"ids":["a","b"],"data":{"n":1}}',
      '{"ids":["a","b"]}',
    ])
    expect(server.paths).toEqual([
      'POST /api/v1/quarantine/retry',
      'POST /api/v1/quarantine/discard',
    ])
  })

  it('retryMany is sent once', async () => {
    const { client, server } = await aScene([away, results])
    expect(UnavailableError.is(await rejectionOf(client.retryMany(['a'])))).toBe(true)
    expect(server.requests).toHaveLength(1)
  })

  it.each([[[]], [['../a']], [Array.from({ length: 1001 }, String)]])(
    'refuses ids that cannot be sent',
    async (ids) => {
      const { client, server } = await aScene([results])
      expect(InputError.is(await rejectionOf(client.retryMany(ids)))).toBe(true)
      expect(InputError.is(await rejectionOf(client.discardMany(ids)))).toBe(true)
      expect(server.requests).toEqual([])
    },
  )
})

describe('graphs', () => {
  const DOT = 'digraph { a -> b }'
  const graph = (type: string, text: string): Reply => ({
    text,
    headers: { 'content-type': type },
  })

  it('are DOT by default, as older servers send it', async () => {
    const { client, server } = await aScene([graph('text/vnd.graphviz; charset=utf-8', DOT)])
    expect(await client.blueprintGraph('orders')).toBe(DOT)
    expect(await client.jobGraph('job-1', { format: 'dot' })).toBe(DOT)
    expect(server.paths).toEqual([
      'GET /api/v1/blueprints/orders/graph',
      'GET /api/v1/jobs/job-1/graph?format=dot',
    ])
    expect(server.requests[0]?.headers.accept).toBe('text/vnd.graphviz')
  })

  it.each<[GraphFormat, string, string]>([
    ['mermaid', 'text/vnd.mermaid', 'flowchart LR'],
    ['svg', 'image/svg+xml', '<svg/>'],
    ['json', 'application/json', '{"nodes": []}'],
  ])('in %s are its text, untouched', async (format, type, text) => {
    const { client, server } = await aScene([graph(type, text)])
    expect(await client.jobGraph('job-1', { format })).toBe(text)
    expect(server.paths).toEqual([`GET /api/v1/jobs/job-1/graph?format=${format}`])
  })

  it('of a server that knows only DOT are not taken for another format', async () => {
    const { client } = await aScene([graph('text/vnd.graphviz', DOT), { json: {} }])
    expect(await rejectionOf(client.jobGraph('job-1', { format: 'svg' }))).toMatchObject({
      code: 'UNEXPECTED_RESPONSE',
      message: expect.stringContaining('text/vnd.graphviz, not image/svg+xml'),
    })
    expect(await rejectionOf(client.jobGraph('job-1'))).toMatchObject({
      code: 'UNEXPECTED_RESPONSE',
    })
  })

  it('that do not exist are told as errors, not as text', async () => {
    const { client } = await aScene([refusal(404, 'BLUEPRINT_NOT_FOUND')])
    expect(await rejectionOf(client.blueprintGraph('nope'))).toMatchObject({
      name: 'NotFoundError',
      code: 'BLUEPRINT_NOT_FOUND',
    })
  })

  it('cannot be asked for in a format that is none', async () => {
    const { client, server } = await aScene([graph('image/png', '')])
    const options = JSON.parse('{"format":"png"}')
    expect(InputError.is(await rejectionOf(client.jobGraph('job-1', options)))).toBe(true)
    expect(InputError.is(await rejectionOf(client.blueprintGraph('../x')))).toBe(true)
    expect(server.requests).toEqual([])
  })
})

describe('dead letters', () => {
  const letter = {
    id: 'job-1:7:0',
    job_id: 'job-1',
    event: 'job_finished',
    host: 'hooks.example.com',
    attempts: 8,
    reason: 'answered 503',
    failed_at: '2026-07-08T10:04:14.000Z',
  }

  it('are listed', async () => {
    const { client, server } = await aScene([{ json: { dead_letters: [letter] } }])
    expect(await client.deadLetters()).toEqual([
      {
        id: 'job-1:7:0',
        jobId: 'job-1',
        event: 'job_finished',
        host: 'hooks.example.com',
        attempts: 8,
        reason: 'answered 503',
        failedAt: new Date('2026-07-08T10:04:14.000Z'),
      },
    ])
    await client.deadLetters({ limit: 5 })
    expect(server.paths).toEqual([
      'GET /api/v1/webhooks/dead-letters',
      'GET /api/v1/webhooks/dead-letters?limit=5',
    ])
  })

  it.each([0, 1001, 1.5, NaN])('are not asked for with a limit of %d', async (limit) => {
    const { client, server } = await aScene([{ json: {} }])
    expect(InputError.is(await rejectionOf(client.deadLetters({ limit })))).toBe(true)
    expect(server.requests).toEqual([])
  })

  it('are sent again', async () => {
    const { client, server } = await aScene([
      { status: 202, json: { status: 'resent', id: letter.id } },
    ])
    await client.resend(letter.id)
    expect(server.paths).toEqual(['POST /api/v1/webhooks/dead-letters/job-1%3A7%3A0/resend'])
  })

  it.each(['', '..', 'a/b', 'x?limit=1'])('have no id such as %j', async (id) => {
    const { client, server } = await aScene([{ json: {} }])
    expect(InputError.is(await rejectionOf(client.resend(id)))).toBe(true)
    expect(server.requests).toEqual([])
  })
})

describe('each of these calls', () => {
  const client = AvtomatikaClient.prototype

  it.each<[string, (client: AvtomatikaClient) => Promise<unknown>]>([
    ['sendEvent', (client) => client.sendEvent('j', { name: 'x' })],
    ['approve', (client) => client.approve('j', { decision: 'x' })],
    ['quarantined', (client) => client.quarantined()],
    ['retry', (client) => client.retry('j')],
    ['discard', (client) => client.discard('j')],
    ['retryMany', (client) => client.retryMany(['j'])],
    ['discardMany', (client) => client.discardMany(['j'])],
    ['deadLetters', (client) => client.deadLetters()],
    ['resend', (client) => client.resend('j:1:0')],
    ['jobGraph', (client) => client.jobGraph('j')],
    ['blueprintGraph', (client) => client.blueprintGraph('b')],
  ])('%s does not take the page of a stranger for success', async (_name, call) => {
    const { client } = await aScene([{ text: '<html>Welcome</html>' }])
    expect(await rejectionOf(call(client))).toMatchObject({ code: 'UNEXPECTED_RESPONSE' })
  })

  it.each(['', '..', 'a/b', 'x?wait=1'])('refuses %j as the id of a job', async (id) => {
    const scene = await aScene([{ json: {} }])
    const calls = [
      scene.client.sendEvent(id, { name: 'x' }),
      scene.client.approve(id, { decision: 'x' }),
      scene.client.retry(id),
      scene.client.discard(id),
      scene.client.jobGraph(id),
    ]
    for (const call of calls) expect(InputError.is(await rejectionOf(call))).toBe(true)
    expect(scene.server.requests).toEqual([])
  })

  it('ends with the reason of its signal', async () => {
    const scene = await aScene(['silence'])
    const reason = new Error('no longer wanted')
    const signal = AbortSignal.abort(reason)
    const calls = [
      scene.client.sendEvent('j', { name: 'x', signal }),
      scene.client.approve('j', { decision: 'x', signal }),
      scene.client.quarantined({ signal }),
      scene.client.retry('j', { signal }),
      scene.client.discard('j', { signal }),
      scene.client.retryMany(['j'], { signal }),
      scene.client.discardMany(['j'], { signal }),
      scene.client.deadLetters({ signal }),
      scene.client.resend('j:1:0', { signal }),
      scene.client.jobGraph('j', { signal }),
      scene.client.blueprintGraph('b', { signal }),
    ]
    for (const call of calls) expect(await rejectionOf(call)).toBe(reason)
    expect(scene.server.requests).toEqual([])
  })

  it('has types that keep mistakes from being sent', () => {
    expectTypeOf(client.jobGraph).returns.resolves.toBeString()
    // @ts-expect-error an event has a name
    void (() => client.sendEvent('j', { data: {} }))
    // @ts-expect-error data is an object
    void (() => client.retry('j', { data: 'text' }))
    // @ts-expect-error there is no such format
    void (() => client.jobGraph('j', { format: 'png' }))
  })
})
