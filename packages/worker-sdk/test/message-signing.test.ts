import { createHmac } from 'node:crypto'

import { AuthError, canonicalText, PATHS, unsignedFields } from '@avtomatika/protocol'
import { describe, expect, it } from 'vitest'

import { AuthorizedTransport } from '../src/authorized-transport.ts'
import { MessageSigner } from '../src/message-signing.ts'
import type { Reply, Transport } from '../src/transport.ts'
import { ManualClock } from './manual-clock.ts'
import { recordingLogger } from './setup.ts'

const SECRET = 'the-token-of-w1'
const NOW = 1_767_225_600_000

function aSigner(): MessageSigner {
  return new MessageSigner({ secret: SECRET, workerId: 'w1' })
}

interface Sent {
  readonly timestamp: number
  readonly security: { readonly signature: string; readonly signer_id: string }
}

function read(text: string | undefined): Sent {
  return JSON.parse(text ?? '') as Sent
}

/** What the signature of a message must be, by the rules of the contract. */
function signatureOf(text: string): string {
  const signed = canonicalText(text, { without: unsignedFields('message') })
  return createHmac('sha256', SECRET).update(signed).digest('hex')
}

describe('a signed message', () => {
  it.each([
    ['an empty one', {}],
    [
      'one with fields before and after the time',
      { worker_id: 'w1', load: 0.5, current_tasks: ['t'] },
    ],
    ['one that has only fields before', { a: null, b: [null, { z: 1, y: null }] }],
    ['one that has only fields after', { usage: 1, '😀': 2, '～': 3 }],
    ['one that was signed before', { timestamp: 5, security: { signature: 'x' }, worker_id: 'w1' }],
    ['one of line breaks', { a: '\n', b: 'x\n\n"timestamp":1' }],
  ])('holds its signature: %s', (_which, message) => {
    const sent = aSigner().sign(JSON.stringify(message), NOW)
    const { timestamp, security } = read(sent)
    expect(timestamp).toBe(NOW / 1000)
    expect(security).toEqual({ signature: signatureOf(sent), signer_id: 'w1' })
  })

  it('says the same as before', () => {
    const message = { worker_id: 'w1', params: { deep: [{ a: 1e-7, b: 'é\u2028' }] }, empty: [] }
    const { timestamp, security, ...rest } = {
      ...read(aSigner().sign(JSON.stringify(message), NOW)),
    }
    expect([timestamp, security.signer_id]).toEqual([NOW / 1000, 'w1'])
    expect(rest).toEqual(message)
  })

  it('is an object: what is none is left as it is', () => {
    for (const text of ['[1]', '"x"', 'null']) expect(aSigner().sign(text, NOW)).toBe(text)
  })
})

describe('the time of a signed message', () => {
  it('is that of the orchestrator, once an answer has told it', () => {
    const signer = aSigner()
    expect(signer.hear(NOW + 7_200_000, NOW)).toBe(true)
    expect(read(signer.sign('{}', NOW)).timestamp).toBe(NOW / 1000 + 7_200)
    expect(signer.hear(NOW + 7_201_000, NOW + 1_300)).toBe(false)
    expect(signer.hear(NOW, NOW)).toBe(true)
    expect(signer.seal.shiftMs).toBe(0)
  })
})

/** Answers one after the other; keeps what it was sent. */
function open(...answers: readonly Reply[]) {
  const left = [...answers]
  const bodies: string[] = []
  const tokens: (string | undefined)[] = []
  const inner: Transport = {
    request: ({ path, body, token }) => {
      if (path === PATHS.refreshToken) {
        const tokensOf = { access_token: 'a2', expires_in: 100, refresh_token: 'r2' }
        return Promise.resolve({ ok: true, status: 200, body: tokensOf })
      }
      bodies.push(body ?? '')
      tokens.push(token)
      return Promise.resolve(left.shift() ?? { ok: true, status: 200, body: {} })
    },
    close: () => Promise.resolve(),
  }
  const [clock, logger, signer] = [new ManualClock(), recordingLogger(), aSigner()]
  const options = { transport: inner, clock, logger, canAskForToken: false, signer }
  const transport = new AuthorizedTransport(options)
  const ask = (path = '/x') => {
    const { signal } = new AbortController()
    const body = JSON.stringify({ worker_id: 'w1' })
    return transport.request({ method: 'POST', path, body, timeoutMs: 1000, signal })
  }
  return { ask, bodies, tokens, clock, logger }
}

const stale = (serverTime: number): Reply => ({
  ok: false,
  status: 403,
  serverTime,
  error: new AuthError('SIGNATURE_STALE', { message: 'behind' }),
})

describe('a worker whose clock is wrong', () => {
  it('is refused once, and then tells the time of the orchestrator', async () => {
    const now = new ManualClock().now()
    const { ask, bodies, logger } = open(stale(now + 3_600_000))
    expect(await ask()).toMatchObject({ ok: true })
    expect(bodies.map((body) => read(body).timestamp)).toEqual([
      Math.floor(now / 1000),
      Math.floor((now + 3_600_500) / 1000),
    ])
    await ask()
    expect(bodies).toHaveLength(3)
    expect(logger.lines).toMatchObject([{ level: 'warn', fields: { shiftMs: 3_600_500 } }])
  })

  it('does not try for ever', async () => {
    const now = new ManualClock().now()
    const { ask, bodies } = open(stale(now + 3_600_000), stale(now - 3_600_000), stale(now))
    expect(await ask()).toMatchObject({ ok: false, status: 403 })
    expect(bodies).toHaveLength(2)
  })
})

it('a token that stands in for the own one signs nothing (C28)', async () => {
  const issued = { access_token: 'a1', expires_in: 100, refresh_token: 'r1' }
  const { ask, bodies, tokens, clock } = open({ ok: true, status: 200, body: issued })
  await ask(PATHS.registerWorker)
  await ask()
  clock.advance(90_000)
  await ask()
  expect(tokens).toEqual([undefined, 'a1', 'a2'])
  for (const body of bodies) expect(read(body).security.signature).toBe(signatureOf(body))
})
