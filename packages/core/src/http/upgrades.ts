/**
 * WebSockets beside whatever else the server of a host does. Requests to upgrade that are ours run through
 * the host's app, with its hooks and our authentication, and are refused as any request is.
 *
 * A server that listens for upgrades is handed every request that offers one, also those of clients that
 * only would like HTTP/2 (h2c). Where nobody but us listens, these are served as if they had not offered.
 */
import { ServerResponse, type IncomingMessage, type Server } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'

export interface Upgrade {
  readonly socket: Socket
  /** What came after the request. */
  readonly head: Buffer
}

const upgrades = new WeakMap<IncomingMessage, Upgrade>()

/** The connection of a request that asks to be upgraded, and was not refused so far. */
export function upgradeOf(request: IncomingMessage): Upgrade | undefined {
  return upgrades.get(request)
}

/** Lets WebSockets be opened below a path. */
export function acceptUpgrades(app: FastifyInstance, path: string): void {
  const { server } = app
  const prefix = app.prefix + path
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    // A server of Node's is given nothing else.
    if (!(socket instanceof Socket)) return
    if (isOurs(request, prefix)) serve(app, request, { socket, head })
    else if (server.listenerCount('upgrade') === 1) serveAsPlain(server, request, { socket, head })
  }
  server.on('upgrade', onUpgrade)
  app.addHook('onClose', (_instance, done) => {
    server.off('upgrade', onUpgrade)
    done()
  })
}

function isOurs({ url = '', headers }: IncomingMessage, prefix: string): boolean {
  const path = url.split('?', 1)[0] ?? ''
  const isBelow = path === prefix || path.startsWith(`${prefix}/`)
  return isBelow && headers.upgrade?.toLowerCase() === 'websocket'
}

function serve(app: FastifyInstance, request: IncomingMessage, upgrade: Upgrade): void {
  const { socket } = upgrade
  socket.on('error', (error) => {
    app.log.debug({ err: error }, 'a connection broke while it was to be upgraded')
  })
  upgrades.set(request, upgrade)
  const response = new ServerResponse(request)
  response.assignSocket(socket)
  response.shouldKeepAlive = false
  // Only a refusal is ever written as a response.
  response.once('finish', () => {
    socket.end()
  })
  app.routing(request, response)
}

/** Gives the connection back to the server, as if the request had just come without its offer. */
function serveAsPlain(server: Server, request: IncomingMessage, { socket, head }: Upgrade): void {
  const { method = 'GET', url = '/', httpVersion, rawHeaders } = request
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? ''
    if (!/^(upgrade|connection|http2-settings)$/i.test(name)) {
      lines.push(`${name}: ${rawHeaders[i + 1] ?? ''}`)
    }
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]))
  server.emit('setSecureContext' in server ? 'secureConnection' : 'connection', socket)
}
