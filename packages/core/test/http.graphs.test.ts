/** Graphs over HTTP: of blueprints, and of jobs with the place where they are. */
import { GRAPH_CONTENT_TYPES, type GraphFormat } from '@avtomatika/protocol'
import { describe, expect, it } from 'vitest'
import { Blueprint } from '../src/index.ts'
import { LiveServer } from './support/live-server.ts'

function order(version?: string): Blueprint {
  return new Blueprint('order', { ...(version !== undefined && { version }) })
    .state('start', { start: true }, ({ actions }) => {
      actions.dispatchTask({ type: 'check', transitions: { success: 'done', odd: 'look' } })
    })
    .when('context.initial_data.fast == true', ({ actions }) => {
      actions.transitionTo('done')
    })
    .state('look', ({ actions }) => {
      actions.awaitHumanApproval({ integration: 'x', message: 'x', transitions: { ok: 'done' } })
    })
    .state('done', { end: true })
}

const STARTS: Record<GraphFormat, string> = {
  dot: '// State Machine for order\ndigraph',
  mermaid: 'flowchart TD',
  svg: '<svg',
  json: '{"name":"order"',
}

describe('the graph of a blueprint', () => {
  it.each(Object.entries(STARTS))('comes as %s', async (format, begin) => {
    const server = await LiveServer.start([order()])
    for (const prefix of ['/api', '/api/v1']) {
      const reply = await server.get(`${prefix}/blueprints/order/graph?format=${format}`)
      expect(reply.status).toBe(200)
      const type = GRAPH_CONTENT_TYPES[format as GraphFormat]
      expect(reply.headers.get('content-type')).toBe(`${type}; charset=utf-8`)
      expect(reply.text.startsWith(begin)).toBe(true)
      for (const state of ['start', 'look', 'done']) expect(reply.text).toContain(state)
    }
  })

  it('comes as DOT when nobody says, as older servers send it', async () => {
    const server = await LiveServer.start([order()])
    const plain = await server.get('/api/blueprints/order/graph')
    const dot = await server.get('/api/blueprints/order/graph?format=dot')
    expect(plain.text).toBe(dot.text)
  })

  it('tells programs its nodes and edges, conditional ones apart', async () => {
    const server = await LiveServer.start([order()])
    const { body } = await server.get('/api/blueprints/order/graph?format=json')
    expect(body).toMatchObject({ name: 'order', version: null, current_state: null })
    expect(body['nodes']).toEqual([
      { name: 'start', start: true, end: null, is_aggregator: false },
      { name: 'look', start: false, end: null, is_aggregator: false },
      { name: 'done', start: false, end: 'finished', is_aggregator: false },
    ])
    const condition = 'context.initial_data.fast == true'
    expect(body['edges']).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          from: 'start',
          to: 'done',
          label: null,
          is_conditional: true,
          condition,
        }),
        expect.objectContaining({
          from: 'start',
          to: 'look',
          label: 'odd',
          is_conditional: false,
          condition: null,
          is_declared: false,
        }),
        expect.objectContaining({ from: 'look', to: 'done', label: 'ok' }),
      ]),
    )
  })

  it('is that of the version that is asked for', async () => {
    const two = new Blueprint('order', { version: 'v2' }).state('only', { start: true, end: true })
    const server = await LiveServer.start([order('v1'), two])
    const graph = (query: string): Promise<string> =>
      server.get(`/api/blueprints/order/graph?${query}`).then(({ text }) => text)
    expect(await graph('version=v1')).toContain('look')
    expect(await graph('version=v2')).toContain('only')
    // Without a version: that of the one registered last, as for new jobs.
    expect(await graph('')).toContain('only')
  })

  it.each([
    ['/api/blueprints/none/graph', 404, 'BLUEPRINT_NOT_FOUND'],
    ['/api/blueprints/order/graph?version=v9', 404, 'BLUEPRINT_NOT_FOUND'],
    ['/api/blueprints/constructor/graph', 404, 'BLUEPRINT_NOT_FOUND'],
    ['/api/blueprints/order/graph?format=png', 422, 'INVALID_REQUEST'],
    ['/api/blueprints/order/graph?format=dot&format=svg', 422, 'INVALID_REQUEST'],
    ['/api/jobs/none/graph', 404, 'JOB_NOT_FOUND'],
    ['/api/jobs/none/graph?format=png', 422, 'INVALID_REQUEST'],
  ])('%s is answered with %i %s', async (path, status, code) => {
    const server = await LiveServer.start([order()])
    const reply = await server.get(path)
    expect([reply.status, reply.body['code']]).toEqual([status, code])
  })

  it('as a picture runs nothing when a browser shows it by itself', async () => {
    const server = await LiveServer.start([order()])
    const { headers } = await server.get('/api/blueprints/order/graph?format=svg')
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(headers.get('x-content-type-options')).toBe('nosniff')
  })
})

describe('the graph of a job', () => {
  it.each(Object.keys(STARTS))('marks where it is, as %s', async (format) => {
    const server = await LiveServer.start([order()])
    const jobId = await server.create('order')
    await server.jobIn('waiting_for_worker', jobId)
    const plain = await server.get(`/api/blueprints/order/graph?format=${format}`)
    const before = await server.get(`/api/jobs/${jobId}/graph?format=${format}`)
    await server.register('w1', 'check')
    await server.report('w1', await server.take('w1'), { status: 'odd' })
    await server.jobIn('waiting_for_human', jobId)
    const after = await server.get(`/api/v1/jobs/${jobId}/graph?format=${format}`)
    expect([before.status, after.status]).toEqual([200, 200])
    expect(new Set([plain.text, before.text, after.text]).size).toBe(3)
    if (format === 'json') expect(after.body['current_state']).toBe('look')
    if (format === 'dot') expect(after.text).toMatch(/"look" \[.*penwidth=3/)
  })
})
