import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { describe, expect, it, onTestFinished } from 'vitest'

import { DIAL_MS, LiveSocket, type LiveSocketOptions } from '../src/live-socket.ts'
import type { TransportTarget } from '../src/transport.ts'
import { FakeSocket } from './fake-socket.ts'
import { ManualClock } from './manual-clock.ts'
import { gate } from './setup.ts'

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1']
const NAMES = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']

/** A certificate that signs itself, good for a day. */
async function aCertificate() {
  const directory = await mkdtemp(join(tmpdir(), 'certificate-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const [key = '', cert = ''] = ['key.pem', 'cert.pem'].map((name) => join(directory, name))
  const files = ['-keyout', key, '-out', cert]
  await promisify(execFile)('openssl', ['req', '-x509', ...EC, ...NAMES, ...files])
  return { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') }
}

/** A server over TLS that knows its peers by their certificates, below a path of a proxy. */
async function openTlsServer() {
  const certificate = await aCertificate()
  const sockets: FakeSocket[] = []
  const server: Server = createServer({
    ...certificate,
    ca: certificate.cert,
    requestCert: true,
    rejectUnauthorized: true,
  })
  server.on('upgrade', (request, stream) => {
    sockets.push(new FakeSocket(request, stream, () => undefined))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/behind/a/proxy`
  return { url, certificate, sockets }
}

function dial(
  target: Pick<TransportTarget, 'url' | 'tls'>,
  options: Partial<LiveSocketOptions> = {},
) {
  const clock = new ManualClock()
  const opened = gate()
  const socket = new LiveSocket({
    target: { token: 'own', workerId: 'w1', ...target },
    token: undefined,
    clock,
    onOpen: () => {
      opened.open()
    },
    onFrame: () => undefined,
    ...options,
  })
  onTestFinished(async () => {
    socket.terminate('the test is over')
    await socket.ended
    expect(clock.waits).toEqual([])
  })
  return { socket, clock, opened: opened.opened }
}

describe('a connection', () => {
  it('is made with the certificates of the worker and the token of the day, below the path of the URL', async () => {
    const { url, certificate, sockets } = await openTlsServer()
    const tls = { ca: certificate.cert, ...certificate }
    const { opened } = dial({ url, tls }, { token: 'issued' })
    await opened
    expect(sockets[0]?.request.url).toBe('/behind/a/proxy/_worker/ws/w1')
    expect(sockets[0]?.request.headers['x-worker-token']).toBe('issued')
  })

  it('is not made with a server that nobody vouches for', async () => {
    const { url, sockets } = await openTlsServer()
    const { socket } = dial({ url })
    expect(await socket.ended).toMatchObject({ wasOpen: false })
    expect(sockets).toEqual([])
  })

  it('ends when there is nobody, and when a server takes the call and says nothing', async () => {
    const silent = createTcpServer()
    const lines = new Set<Socket>()
    const called = gate()
    silent.on('connection', (line) => {
      lines.add(line)
      line.on('error', () => undefined)
      called.open()
    })
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
    const { socket, clock } = dial({ url })
    await called.opened
    await clock.pass(DIAL_MS)
    expect(await socket.ended).toMatchObject({ wasOpen: false, code: 1006 })
    for (const line of lines) line.destroy()
    await new Promise((resolve) => silent.close(resolve))
    expect(await dial({ url }).socket.ended).toMatchObject({ wasOpen: false, code: 1006 })
  })

  it('sends nothing when it is over', async () => {
    const { socket } = dial({ url: 'http://127.0.0.1:1' })
    expect(socket.send('x')).toBe(false)
    await socket.ended
    expect(socket.send('x')).toBe(false)
    socket.close()
    socket.terminate('again')
  })
})
