/** Signed messages of workers, by HTTP and on connections. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { OrchestratorConfig, SignatureRule } from '../src/index.ts'
import { until } from './support/engine-world.ts'
import { LiveServer, WORKER_TOKEN, type Answer } from './support/live-server.ts'
import { TestSocket } from './support/open-socket.ts'
import { search } from './support/search-flow.ts'
import { ShiftedClock } from './support/shifted-clock.ts'
import { signed } from './support/sign.ts'
import { openStorage } from './support/storage-under-test.ts'

const NOW = 1_767_225_600
const OWN = 'the-secret-of-own'

interface Vector {
  readonly about: string
  readonly kind: 'event' | 'message'
  readonly secret: string
  readonly sent: string
}

const vectors = JSON.parse(
  readFileSync(new URL('../../protocol/test/golden/signatures.json', import.meta.url), 'utf8'),
) as Vector[]

function start(
  workerSignatures?: SignatureRule,
  config: OrchestratorConfig = {},
): Promise<LiveServer> {
  const workerTokens = { shared: WORKER_TOKEN, individual: { own: OWN } }
  const rule = workerSignatures === undefined ? {} : { workerSignatures }
  const clock = new ShiftedClock(NOW * 1000)
  return LiveServer.start([search()], { workerTokens, ...rule, ...config }, openStorage(), clock)
}

function beat(fields: object = {}): object {
  return { worker_id: 'w1', status: 'idle', timestamp: NOW, ...fields }
}

function send(
  server: LiveServer,
  body: object | string,
  { token = WORKER_TOKEN, path = '/_worker/workers/w1', method = 'PATCH' } = {},
): Promise<Answer> {
  return server.call(method, path, { as: 'nobody', headers: { 'x-worker-token': token }, body })
}

function post(server: LiveServer, path: string, body: object | string): Promise<Answer> {
  return send(server, body, { path, method: 'POST' })
}

describe('a signature that is there', () => {
  it.each(vectors.filter(({ secret }) => secret === WORKER_TOKEN))(
    'is taken from another implementation, as it wrote it: $about (A.8)',
    async ({ sent, kind }) => {
      const server = await start('require')
      const isRegistration = sent.includes('supported_skills')
      const path =
        kind === 'event'
          ? '/_worker/events'
          : isRegistration
            ? '/_worker/workers/register'
            : '/_worker/tasks/ack'
      const said = { as: 'nobody', body: sent } as const
      const headers = { 'x-worker-token': WORKER_TOKEN, 'x-worker-id': 'gpu-7' }
      const { body } = await server.call('POST', path, { ...said, headers })
      // What is no acknowledgement is refused as such, and not for its signature.
      expect(String(body['code'] ?? '')).not.toContain('SIGNATURE')
      const forged = { ...said, body: sent.replace('1767225600', '1767225601') }
      expect((await server.call('POST', path, { ...forged, headers })).body).toMatchObject({
        code: 'SIGNATURE_INVALID',
      })
    },
  )

  it('is wrong by any change of what is signed, and by none of what is not', async () => {
    const server = await start()
    await server.register('w1', 'search')
    const message = signed(
      beat({ load: 1, x: { a: [1, null] }, skills_hash: null }),
      WORKER_TOKEN,
      'w1',
    )
    expect(await send(server, message)).toMatchObject({ status: 200 })
    const { security } = message
    const noise = { security: { ...(security as object), identity_chain: ['w1'] }, usage: null }
    expect(await send(server, { ...message, ...noise })).toMatchObject({ status: 200 })
    for (const change of [
      { load: 2 },
      { x: { a: [1] } },
      { x: { a: [null, 1] } },
      { more: 1 },
      { status: undefined },
      { bubbling_chain: [] },
      { timestamp: NOW + 1 },
      { security: { signature: 'ab12' } },
      { security: { signature: 7 } },
      { security: { signature: ['x'] } },
    ]) {
      const answer = await send(server, { ...message, ...change })
      expect([change, answer.status, answer.body['code']]).toEqual([
        change,
        403,
        'SIGNATURE_INVALID',
      ])
    }
  })

  it('must be of the worker that sends it, with its own token', async () => {
    const server = await start()
    await server.register('w1', 'search')
    for (const message of [
      signed(beat(), WORKER_TOKEN, 'w2'),
      signed(beat(), OWN, 'w1'),
      { ...beat(), security: { signature: 'a'.repeat(64), signer_id: { a: 1 } } },
    ]) {
      expect(await send(server, message)).toMatchObject({
        status: 403,
        body: { code: 'SIGNATURE_INVALID' },
      })
    }
  })

  it.each([
    [7_200, 'behind'],
    [-7_200, 'ahead of'],
    [61, 'behind'],
    [-61, 'ahead of'],
  ])('of %i s ago is refused, and says by how much the clock is %s', async (ago, where) => {
    const server = await start()
    const answer = await send(server, signed(beat({ timestamp: NOW - ago }), WORKER_TOKEN, 'w1'))
    expect(answer).toMatchObject({ status: 403, body: { code: 'SIGNATURE_STALE' } })
    expect(answer.body['error']).toMatch(new RegExp(`\\d+ s ${where} this orchestrator`))
    expect(answer.body['error']).toContain('NTP')
    const { seconds } = answer.body['details'] as { seconds: number }
    expect(Math.abs(seconds - ago)).toBeLessThan(30)
    expect(answer.headers.get('date')).not.toBeNull()
  })

  it('is fresh within a minute, and says when', async () => {
    const server = await start()
    await server.register('w1', 'search')
    for (const timestamp of [NOW - 20, NOW + 50, NOW + 0.5]) {
      const answer = await send(server, signed(beat({ timestamp }), WORKER_TOKEN, 'w1'))
      expect(answer.status).toBe(200)
    }
    const never = signed(beat({ timestamp: null }), WORKER_TOKEN, 'w1')
    expect(await send(server, never)).toMatchObject({ body: { code: 'SIGNATURE_STALE' } })
  })

  it('of a message that is nested too deeply is not even computed', async () => {
    const server = await start()
    const deep = `${'['.repeat(5_000)}${']'.repeat(5_000)}`
    const body = `{"worker_id":"w1","x":${deep},"security":{"signature":"ab"},"timestamp":1}`
    expect(await send(server, body)).toMatchObject({ status: 422, body: { code: 'DATA_TOO_DEEP' } })
  })

  it('is made with the own token, also by a worker that comes with another (C28)', async () => {
    const server = await start('require')
    const issue = { as: 'nobody', headers: { 'x-worker-token': OWN } } as const
    const { body } = await server.call('POST', '/_worker/auth/token', issue)
    const token = String(body['access_token'])
    const own = (secret: string): object => signed(beat({ worker_id: 'own' }), secret, 'own')
    const path = '/_worker/workers/own'
    expect(await send(server, own(OWN), { token, path })).toMatchObject({ status: 404 })
    for (const secret of [token, WORKER_TOKEN]) {
      expect(await send(server, own(secret), { token, path })).toMatchObject({
        body: { code: 'SIGNATURE_INVALID' },
      })
    }
  })

  it('is made with the issued token by an older generation, and taken where none is needed (C28)', async () => {
    const server = await start('verify')
    const issue = { as: 'nobody', headers: { 'x-worker-token': OWN } } as const
    const { body } = await server.call('POST', '/_worker/auth/token', issue)
    const token = String(body['access_token'])
    const message = signed(beat({ worker_id: 'own' }), token, 'own')
    const path = '/_worker/workers/own'
    expect(await send(server, message, { token, path })).toMatchObject({ status: 404 })
    // A token that is not that of the message is only some text.
    expect(await send(server, message, { token: OWN, path })).toMatchObject({ status: 403 })
  })

  it('is not looked at where nobody looks', async () => {
    const server = await start('off')
    await server.register('w1', 'search')
    const wrong = { ...beat({ timestamp: 1 }), security: { signature: 'ab12', signer_id: 'w9' } }
    expect(await send(server, wrong)).toMatchObject({ status: 200 })
  })
})

describe('a signature that is not there', () => {
  it.each([[{}], [{ security: null }], [{ security: {} }], [{ security: { signature: '' } }]])(
    'is no reason to refuse older workers: %j',
    async (fields) => {
      const server = await start()
      await server.register('w1', 'search')
      expect(await send(server, beat({ ...fields, timestamp: 1 }))).toMatchObject({ status: 200 })
    },
  )

  it('is a reason where messages must be signed, and not where there is none', async () => {
    const server = await start('require')
    const register = { worker_id: 'w1', supported_skills: ['search'], timestamp: NOW }
    const refused = { status: 403, body: { code: 'SIGNATURE_REQUIRED' } }
    const paths = ['tasks/result', 'tasks/results', 'tasks/ack', 'events', 'workers/register']
    for (const path of paths) {
      expect(await post(server, `/_worker/${path}`, register)).toMatchObject(refused)
    }
    expect(await send(server, beat())).toMatchObject(refused)
    const message = signed(register, WORKER_TOKEN, 'w1')
    expect(await post(server, '/_worker/workers/register', message)).toMatchObject({ status: 200 })
    expect(await send(server, '')).toMatchObject({ status: 200, body: { status: 'ttl_refreshed' } })
    expect(await send(server, {})).toMatchObject({ status: 200 })
    const { status } = await server.get('/_worker/workers/w1/tasks/next?timeout=0', 'worker')
    expect(status).toBe(204)
  })

  it('is one for a batch as a whole, not for what is in it', async () => {
    const server = await start('require')
    const results = [{ job_id: 'gone', task_id: 't', worker_id: 'w1', status: 'success' }]
    const batch = { worker_id: 'w1', results, timestamp: NOW }
    const path = '/_worker/tasks/results'
    expect(await post(server, path, batch)).toMatchObject({ status: 403 })
    expect(await post(server, path, signed(batch, WORKER_TOKEN, 'w1'))).toMatchObject({
      status: 200,
      body: { results: [{ status: 'ignored', reason: 'job_not_found' }] },
    })
  })
})

describe('frames on a connection', () => {
  const progress = (said: number, jobId: string, fields: object = {}): object => ({
    worker_id: 'w1',
    event_type: 'progress',
    payload: { progress: said },
    target_job_id: jobId,
    bubbling_chain: ['w1'],
    timestamp: NOW,
    ...fields,
  })

  it('that must be signed and are not change nothing, and take nobody’s place', async () => {
    const server = await start('require')
    const register = signed(
      { worker_id: 'w1', supported_skills: ['search'], timestamp: NOW },
      WORKER_TOKEN,
      'w1',
    )
    await post(server, '/_worker/workers/register', register)
    const jobId = await server.create('search')
    await server.take('w1')
    const mine = await TestSocket.open(server.url, '/_worker/ws/w1')
    const nameless = await TestSocket.open(server.url, '/_worker/ws')
    nameless.say(progress(0.9, jobId))
    mine.say(progress(0.8, jobId))
    mine.say(signed(progress(0.7, jobId), OWN, 'w1'))
    await until(() => server.log().split('a frame of a worker was refused').length === 4)
    expect(await server.job(jobId)).toMatchObject({ progress: null })
    expect(await Promise.race([mine.closed, Promise.resolve('open')])).toBe('open')
    const { security } = signed(progress(0.3, jobId), WORKER_TOKEN, 'w1') as { security: object }
    // Whoever passes an event on adds to its chain.
    mine.say(progress(0.3, jobId, { bubbling_chain: ['w1', 'relay'], security }))
    await until(async () => (await server.job(jobId))['progress'] === 0.3)
    const events = [progress(0.4, jobId), progress(0.5, jobId)]
    mine.say(signed({ events, timestamp: NOW }, WORKER_TOKEN, 'w1'))
    await until(async () => (await server.job(jobId))['progress'] === 0.5)
    nameless.say(signed(progress(0.6, jobId), WORKER_TOKEN, 'w1'))
    expect(await mine.closed).toEqual([1008, 'New connection established'])
  })
})
