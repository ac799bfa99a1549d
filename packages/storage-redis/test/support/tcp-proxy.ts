/** A line between two programs that a test may cut, slow down or let go dead. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

const HOST = '127.0.0.1'

/** What may be wrong with the line. */
type Fault =
  | { readonly kind: 'none' }
  /** Every connection is reset, also new ones. */
  | { readonly kind: 'cut' }
  /** Every byte arrives this much later, in both directions. */
  | { readonly kind: 'delayed'; readonly ms: number }
  /** Nothing arrives and nothing is closed, neither on old connections nor on new ones. */
  | { readonly kind: 'half-open' }

export interface TcpProxy {
  readonly port: number
  /** Breaks the line, or mends it. What was half-open stays dead: the path has forgotten it. */
  readonly set: (fault: Fault) => void
  /** Cuts every connection and listens no more. */
  readonly close: () => Promise<void>
}

interface Line {
  readonly ends: readonly [Socket, Socket]
  isDead: boolean
}

/** Listens on a port of its own and passes everything on to another one of this machine. */
export async function startProxy(targetPort: number): Promise<TcpProxy> {
  const lines = new Set<Line>()
  let fault: Fault = { kind: 'none' }
  const server = createServer((near) => {
    if (fault.kind === 'cut') {
      near.on('error', () => undefined).resetAndDestroy()
      return
    }
    const line: Line = {
      ends: [near, connect(targetPort, HOST)],
      isDead: fault.kind === 'half-open',
    }
    lines.add(line)
    const [, far] = line.ends
    far.once('close', () => lines.delete(line))
    carry(near, { to: far, line, delayMs: () => delayOf(fault) })
    carry(far, { to: near, line, delayMs: () => delayOf(fault) })
  })
  server.listen(0, HOST)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    set: (next) => {
      fault = next
      for (const line of lines) {
        if (next.kind === 'half-open') line.isDead = true
        if (next.kind === 'cut') reset(line)
      }
    },
    close: async () => {
      for (const line of lines) reset(line)
      server.close()
      await once(server, 'close')
    },
  }
}

function delayOf(fault: Fault): number {
  return fault.kind === 'delayed' ? fault.ms : 0
}

function reset({ ends }: Line): void {
  for (const end of ends) end.resetAndDestroy()
}

/** In order, whatever the delay was when a piece came. */
function carry(
  from: Socket,
  { to, line, delayMs }: { to: Socket; line: Line; delayMs: () => number },
): void {
  let carried = Promise.resolve()
  const later = (work: () => void): void => {
    const dueAt = Date.now() + delayMs()
    carried = carried.then(async () => {
      const leftMs = dueAt - Date.now()
      if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs))
      if (!line.isDead) work()
    })
  }
  from.on('data', (bytes) => later(() => to.write(bytes)))
  from.on('close', () => later(() => to.destroy()))
  from.on('error', () => undefined)
}
