/** Workers that are known by their client certificates, over TLS that the server itself ends. */
import { Agent, request } from 'node:https'
import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished } from 'vitest'
import { OrchestratorEngine, type OrchestratorConfig, type TlsConfig } from '../src/index.ts'
import { authority, type Authority, type Certificate } from './support/certificates.ts'
import { LiveServer, WORKER_TOKEN } from './support/live-server.ts'
import { search } from './support/search-flow.ts'

interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
}

type Headers = Readonly<Record<string, string>>

class Connection {
  readonly #url: string
  readonly #agent: Agent

  constructor(url: string, ca: string, certificate?: Certificate) {
    const own = certificate && { cert: certificate.cert, key: certificate.key }
    this.#url = url
    // A connection per request: later ones resume the TLS session of the first.
    this.#agent = new Agent({ ca, ...own })
    onTestFinished(() => {
      this.#agent.destroy()
    })
  }

  send(
    method: string,
    path: string,
    { headers = {}, body }: { readonly headers?: Headers; readonly body?: object } = {},
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const options = { method, headers, agent: this.#agent }
      const asked = request(this.#url + path, options, (reply) => {
        text(reply).then((said) => {
          const parsed: unknown = said === '' ? {} : JSON.parse(said)
          resolve({ status: reply.statusCode ?? 0, body: parsed as Answer['body'] })
        }, reject)
      })
      asked.on('error', reject)
      asked.end(body && JSON.stringify(body))
    })
  }

  register(workerId: string, headers: Headers = {}): Promise<Answer> {
    const body = { worker_id: workerId, supported_skills: ['search'] }
    return this.send('POST', '/_worker/workers/register', { headers, body })
  }
}

async function start(
  ca: Authority,
  { tls, ...config }: Omit<OrchestratorConfig, 'tls'> & { tls?: Partial<TlsConfig> } = {},
): Promise<LiveServer> {
  const { cert, key } = await ca.sign('localhost')
  return LiveServer.start([search()], { tls: { cert, key, ca: ca.cert, ...tls }, ...config })
}

const shared = { 'x-worker-token': WORKER_TOKEN }

describe('a worker with a client certificate', () => {
  it('is who the certificate says, without a token, for all its messages', async () => {
    const ca = await authority()
    const server = await start(ca)
    const worker = new Connection(server.url, ca.cert, await ca.sign('w1'))
    expect(await worker.register('w1')).toMatchObject({ status: 200 })
    const beat = { worker_id: 'w1', status: 'idle' }
    const path = '/_worker/workers/w1'
    expect(await worker.send('PATCH', path, { body: beat })).toMatchObject({ status: 200 })
    const poll = await worker.send('GET', `${path}/tasks/next?timeout=0`)
    expect(poll.status).toBe(204)
  })

  it('cannot be another, whatever it sends or whichever token it has', async () => {
    const ca = await authority()
    const server = await start(ca)
    const worker = new Connection(server.url, ca.cert, await ca.sign('w1'))
    for (const headers of [{}, shared]) {
      expect(await worker.register('w2', headers)).toMatchObject({
        status: 403,
        body: { code: 'WORKER_MISMATCH' },
      })
    }
    const headers = { 'x-worker-id': 'w2' }
    const poll = await worker.send('GET', '/_worker/workers/w1/tasks/next', { headers })
    expect(poll.status).toBe(403)
  })

  it('exchanges it for a token, which is good without it, and rotates that (A.7)', async () => {
    const ca = await authority()
    const server = await start(ca)
    const worker = new Connection(server.url, ca.cert, await ca.sign('w1'))
    const placeholder = { 'x-worker-token': 'your-secret-worker-token' }
    const { status, body } = await worker.send('POST', '/_worker/auth/token', {
      headers: placeholder,
    })
    expect([status, body]).toMatchObject([200, { worker_id: 'w1', expires_in: 3600 }])
    const token = { 'x-worker-token': String(body['access_token']) }
    const elsewhere = new Connection(server.url, ca.cert)
    expect(await elsewhere.register('w1', token)).toMatchObject({ status: 200 })
    expect(await elsewhere.register('w2', token)).toMatchObject({ status: 403 })
    // With the token in the header, as the second generation asks for the next one.
    const next = await worker.send('POST', '/_worker/auth/token', { headers: token })
    expect(next).toMatchObject({ status: 200, body: { worker_id: 'w1' } })
    expect(next.body['access_token']).not.toBe(body['access_token'])
  })

  it('of somebody else is refused, with the reason, and a token does not help', async () => {
    const [ca, stranger] = [await authority(), await authority()]
    const server = await start(ca)
    const worker = new Connection(server.url, ca.cert, await stranger.sign('w1'))
    for (const headers of [{}, shared]) {
      expect(await worker.register('w1', headers)).toMatchObject({
        status: 403,
        body: { code: 'CERTIFICATE_INVALID' },
      })
    }
  })

  it('that names no worker is refused', async () => {
    const ca = await authority()
    const server = await start(ca)
    const worker = new Connection(server.url, ca.cert, await ca.sign('not a worker'))
    expect(await worker.register('w1')).toMatchObject({ body: { code: 'CERTIFICATE_INVALID' } })
  })

  it('does not get through without one, where one is required', async () => {
    const ca = await authority()
    const server = await start(ca, { tls: { requireCert: true } })
    const worker = new Connection(server.url, ca.cert)
    await expect(worker.register('w1', shared)).rejects.toThrow(
      /certificate required|ECONNRESET|socket hang up|EPIPE/,
    )
    const known = new Connection(server.url, ca.cert, await ca.sign('w1'))
    expect(await known.register('w1')).toMatchObject({ status: 200 })
  })
})

describe('how workers may prove who they are', () => {
  it('mixed: without a certificate by a token, as ever', async () => {
    const ca = await authority()
    const server = await start(ca)
    const worker = new Connection(server.url, ca.cert)
    expect(await worker.register('w1', shared)).toMatchObject({ status: 200 })
    expect(await worker.register('w1')).toMatchObject({ body: { code: 'MISSING_TOKEN' } })
  })

  it('mtls-only: by a certificate or what was issued for it, and by no other token', async () => {
    const ca = await authority()
    const server = await start(ca, { workerAuthMode: 'mtls-only' })
    const elsewhere = new Connection(server.url, ca.cert)
    expect(await elsewhere.register('w1', shared)).toMatchObject({ status: 401 })
    const worker = new Connection(server.url, ca.cert, await ca.sign('w1'))
    const { body } = await worker.send('POST', '/_worker/auth/token')
    const token = { 'x-worker-token': String(body['access_token']) }
    expect(await elsewhere.register('w1', token)).toMatchObject({ status: 200 })
    const refresh = { body: { refresh_token: body['refresh_token'] } }
    const next = await elsewhere.send('POST', '/_worker/auth/token/refresh', refresh)
    expect(next).toMatchObject({ status: 200, body: { worker_id: 'w1' } })
  })

  it('token-only: certificates are not looked at', async () => {
    const ca = await authority()
    const server = await start(ca, { workerAuthMode: 'token-only' })
    const worker = new Connection(server.url, ca.cert, await ca.sign('w1'))
    expect(await worker.register('w1')).toMatchObject({ status: 401 })
    expect(await worker.register('w2', shared)).toMatchObject({ status: 200 })
  })
})

describe('TLS settings that cannot be used', () => {
  const config = (tls: TlsConfig, rest: OrchestratorConfig = {}) => {
    return () => new OrchestratorEngine({ config: { tls, ...rest } })
  }

  it('are told before anything starts, without the key', async () => {
    const { cert, key } = await authority()
    expect(config({ cert, key: 'no key' })).toThrow('tls cannot be used')
    expect(config({ cert, key, requestCert: true })).toThrow('need tls.ca')
    expect(config({ cert, key, requireCert: true })).toThrow('need tls.ca')
    expect(config({ cert, key }, { workerAuthMode: 'mtls-only' })).toThrow('needs tls.ca')
    const other = await authority()
    expect(config({ cert, key: other.key })).toThrow('tls cannot be used')
    expect(config({ cert, key: other.key })).not.toThrow(other.key)
  })
})
