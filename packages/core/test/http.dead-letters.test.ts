/** Webhook calls that were given up, over HTTP (D-71). */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Blueprint, type AnyBlueprint } from '../src/index.ts'
import { LiveServer, type Who } from './support/live-server.ts'
import { until } from './support/engine-world.ts'

function short(): AnyBlueprint {
  return new Blueprint('short').state('start', { start: true, end: true })
}

/** A receiver that answers with its status, and counts. */
async function receiver(): Promise<{ url: string; status: number; calls: number }> {
  const state = { url: '', status: 410, calls: 0 }
  const server: Server = createServer((_request, response) => {
    state.calls += 1
    response.writeHead(state.status).end()
  })
  onTestFinished(() => void server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/secret?key=secret`
  return state
}

function start(): Promise<LiveServer> {
  return LiveServer.start([short()], { webhookPrivateHosts: true, webhookAttempts: 1 })
}

type Letters = readonly Record<string, unknown>[]

async function letters(server: LiveServer, as: Who = 'owner', query = ''): Promise<Letters> {
  return (await server.get(`/api/v1/webhooks/dead-letters${query}`, as)).body[
    'dead_letters'
  ] as Letters
}

async function dead(server: LiveServer, url: string, as: Who = 'owner'): Promise<string> {
  const jobId = await server.create('short', { webhook_url: url }, as)
  await until(async () => (await letters(server, as)).some((each) => each['job_id'] === jobId))
  return jobId
}

describe('the list of dead letters', () => {
  it('shows a client its own, newest first, without their URLs', async () => {
    const [server, { url }] = [await start(), await receiver()]
    const first = await dead(server, url)
    const second = await dead(server, url)
    await dead(server, url, 'other')
    const { status, text } = await server.get('/api/v1/webhooks/dead-letters')
    expect(status).toBe(200)
    expect(text).not.toContain('secret')
    expect(await letters(server)).toEqual(
      [second, first].map((jobId) => ({
        id: expect.stringMatching(`^${jobId}:`),
        job_id: jobId,
        event: 'job_finished',
        host: new URL(url).host,
        attempts: 1,
        reason: 'answered 410',
        failed_at: expect.stringMatching(/^\d{4}-.*Z$/),
      })),
    )
    expect(await letters(server, 'owner', '?limit=1')).toHaveLength(1)
    expect(await letters(server, 'admin')).toHaveLength(3)
  })

  it.each(['0', '1001', 'all'])('refuses ?limit=%s', async (limit) => {
    const server = await start()
    const { status, body } = await server.get(`/api/v1/webhooks/dead-letters?limit=${limit}`)
    expect([status, body['code']]).toEqual([422, 'INVALID_REQUEST'])
  })
})

describe('a dead letter', () => {
  it('is sent again when its owner asks for it', async () => {
    const [server, target] = [await start(), await receiver()]
    await dead(server, target.url)
    const [letter] = await letters(server)
    target.status = 200
    const path = `/api/v1/webhooks/dead-letters/${encodeURIComponent(String(letter?.['id']))}/resend`
    const { status, body } = await server.post(path)
    expect([status, body]).toEqual([202, { status: 'resent', id: letter?.['id'] }])
    await until(() => target.calls === 2)
    expect(await letters(server)).toEqual([])
    const again = await server.post(path)
    expect([again.status, again.body['code']]).toEqual([404, 'NOT_FOUND'])
  })

  it('is not there for another client, and is for an admin (D-54)', async () => {
    const [server, target] = [await start(), await receiver()]
    await dead(server, target.url)
    const [letter] = await letters(server)
    const path = `/api/v1/webhooks/dead-letters/${encodeURIComponent(String(letter?.['id']))}/resend`
    const foreign = await server.post(path, undefined, 'other')
    expect([foreign.status, foreign.body['code']]).toEqual([404, 'NOT_FOUND'])
    expect(target.calls).toBe(1)
    expect((await server.post(path, undefined, 'admin')).status).toBe(202)
    await until(() => target.calls === 2)
  })
})
