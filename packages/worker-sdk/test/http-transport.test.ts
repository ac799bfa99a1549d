import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

import { describe, expect, it, onTestFinished } from 'vitest'

import { HttpTransport, MAX_ANSWER_BYTES } from '../src/http-transport.ts'
import { ManualClock } from './manual-clock.ts'

async function open(listener: RequestListener, path = '') {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const clock = new ManualClock()
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`
  const transport = new HttpTransport({ url, token: 'secret', workerId: 'w1' }, clock)
  const abort = new AbortController()
  onTestFinished(async () => {
    await transport.close()
    server.closeAllConnections()
    server.close()
    expect(clock.waits).toEqual([])
  })
  const ask = () =>
    transport.request({ method: 'GET', path: '/x', timeoutMs: 1000, signal: abort.signal })
  return { ask, clock, abort }
}

describe('the HTTP transport', () => {
  it('keeps the path of the orchestrator URL', async () => {
    const { ask } = await open(
      (request, response) => response.end(JSON.stringify(request.url)),
      '/base',
    )
    expect(await ask()).toMatchObject({ ok: true, status: 200, body: '/base/x' })
  })

  it('takes an empty body for no body', async () => {
    const { ask } = await open((_request, response) => response.writeHead(204).end())
    expect(await ask()).toMatchObject({ ok: true, status: 204, body: undefined })
  })

  it('tells the time that an answer tells', async () => {
    const said = 'Wed, 01 Jan 2031 00:00:00 GMT'
    const { ask } = await open((_request, response) =>
      response.writeHead(204, { date: said }).end(),
    )
    expect(await ask()).toMatchObject({ serverTime: Date.parse(said) })
    const none = await open((_request, response) => {
      response.sendDate = false
      response.writeHead(403).end()
    })
    expect(await none.ask()).toMatchObject({ ok: false, serverTime: undefined })
  })

  it('reads no answer that is too large', async () => {
    const { ask } = await open((_request, response) =>
      response.end(`"${'x'.repeat(MAX_ANSWER_BYTES)}"`),
    )
    expect(await ask()).toMatchObject({
      ok: false,
      status: null,
      error: { code: 'CONNECTION_FAILED' },
    })
  })

  it('gives up when an answer stops half way', async () => {
    let isHalfWay: () => void = () => undefined
    const halfWay = new Promise<void>((resolve) => {
      isHalfWay = resolve
    })
    const { ask, clock } = await open((_request, response) => {
      response.write('{"a":')
      isHalfWay()
    })
    const reply = ask()
    await halfWay
    clock.advance(1000)
    const failed = await reply
    expect(failed).toMatchObject({ ok: false, status: null })
    expect(failed.ok ? '' : failed.error.message).toContain('no answer within 1000 ms')
  })

  it('ends with a failure when it is aborted, before and during the request', async () => {
    let isAsked: () => void = () => undefined
    const asked = new Promise<void>((resolve) => {
      isAsked = resolve
    })
    const { ask, abort } = await open(() => {
      isAsked()
    })
    const reply = ask()
    await asked
    abort.abort()
    expect(await reply).toMatchObject({ ok: false, status: null })
    expect(await ask()).toMatchObject({ ok: false, status: null })
  })

  it.each([
    ['7', 7000],
    ['soon', undefined],
    [new Date(1_700_000_000_000 + 5000).toUTCString(), 5000],
    [new Date(0).toUTCString(), 0],
  ])('reads Retry-After %s', async (header, retryAfterMs) => {
    const { ask } = await open((_request, response) =>
      response.writeHead(503, { 'retry-after': header }).end('busy'),
    )
    expect(await ask()).toMatchObject({ ok: false, status: 503, retryAfterMs })
  })
})
