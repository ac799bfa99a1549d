import { ConnectionError, PATHS } from '@avtomatika/protocol'
import { describe, expect, it } from 'vitest'

import { AuthorizedTransport } from '../src/authorized-transport.ts'
import type { Reply, Transport, TransportRequest } from '../src/transport.ts'
import { ManualClock } from './manual-clock.ts'
import { recordingLogger } from './setup.ts'

const OK: Reply = { ok: true, status: 200, body: {} }
const error = new ConnectionError('UNEXPECTED_RESPONSE', { message: 'no' })
const REFUSED: Reply = { ok: false, status: 401, error }

const issue = (token: string, fields: object = {}): Reply => ({
  ok: true,
  status: 200,
  body: { status: 'registered', access_token: token, expires_in: 100, ...fields },
})

/** Answers by path, in order; afterwards OK. Notes who asked what. */
function open(answers: Record<string, Reply[]>, canAskForToken = false) {
  const asked: [path: string, token: string | undefined, body: string | undefined][] = []
  const inner: Transport = {
    request: ({ path, token, body }: TransportRequest) => {
      asked.push([path, token, body])
      return Promise.resolve(answers[path]?.shift() ?? OK)
    },
    close: () => Promise.resolve(),
  }
  const clock = new ManualClock()
  const logger = recordingLogger()
  const transport = new AuthorizedTransport({ transport: inner, clock, logger, canAskForToken })
  const { signal } = new AbortController()
  const ask = (path: string) => transport.request({ method: 'POST', path, timeoutMs: 1000, signal })
  return { ask, asked, clock, logger }
}

describe('the token of a worker', () => {
  it('is its own until the orchestrator issues one at registration', async () => {
    const { ask, asked } = open({ [PATHS.registerWorker]: [issue('t1')] })
    await ask('/x')
    await ask(PATHS.registerWorker)
    await ask('/x')
    expect(asked.map(([, token]) => token)).toEqual([undefined, undefined, 't1'])
  })

  it('is renewed before it expires', async () => {
    const { ask, asked, clock } = open({
      [PATHS.registerWorker]: [issue('t1', { refresh_token: 'r1' })],
      [PATHS.refreshToken]: [issue('t2', { refresh_token: 'r2' }), issue('t3')],
    })
    await ask(PATHS.registerWorker)
    clock.advance(80_000)
    await ask('/x')
    clock.advance(80_000)
    await ask('/x')
    expect(asked.slice(1)).toEqual([
      [PATHS.refreshToken, 't1', '{"refresh_token":"r1"}'],
      ['/x', 't2', undefined],
      [PATHS.refreshToken, 't2', '{"refresh_token":"r2"}'],
      ['/x', 't3', undefined],
    ])
  })

  it('is renewed once after a 401, for all requests that met it, which are repeated (D-30)', async () => {
    const { ask, asked } = open({
      [PATHS.registerWorker]: [issue('t1', { refresh_token: 'r1' })],
      [PATHS.refreshToken]: [issue('t2')],
      '/x': [REFUSED],
      '/y': [REFUSED],
    })
    await ask(PATHS.registerWorker)
    expect(await Promise.all([ask('/x'), ask('/y')])).toEqual([OK, OK])
    expect(asked.filter(([path]) => path === PATHS.refreshToken)).toHaveLength(1)
    expect(asked.slice(-2).map(([, token]) => token)).toEqual(['t2', 't2'])
  })

  it('is its own again when no new one is to be had', async () => {
    const { ask, asked, logger } = open({
      [PATHS.registerWorker]: [issue('t1', { refresh_token: 'r1' })],
      [PATHS.refreshToken]: [REFUSED],
      '/x': [REFUSED],
    })
    await ask(PATHS.registerWorker)
    expect(await ask('/x')).toEqual(OK)
    expect(asked.at(-1)).toEqual(['/x', undefined, undefined])
    expect(logger.lines.map(({ level }) => level)).toEqual(['warn'])
    expect(JSON.stringify(logger.lines)).not.toContain('t1')
  })

  it('is asked for when a certificate proves who the worker is', async () => {
    const { ask, asked } = open({ [PATHS.issueToken]: [issue('t1')], '/x': [REFUSED] }, true)
    expect(await ask('/x')).toEqual(OK)
    expect(asked.map(([path, token]) => [path, token])).toEqual([
      ['/x', undefined],
      [PATHS.issueToken, undefined],
      ['/x', 't1'],
    ])
  })

  it('refused without a way to get another is told as it is', async () => {
    const { ask, asked } = open({ '/x': [REFUSED] })
    expect(await ask('/x')).toEqual(REFUSED)
    expect(asked).toHaveLength(1)
  })
})
