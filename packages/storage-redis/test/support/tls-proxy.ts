/** Speaks TLS in front of a program that does not. */
import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { createServer } from 'node:tls'

export interface TlsProxy {
  readonly port: number
  readonly close: () => Promise<void>
}

export async function startTlsProxy(options: {
  readonly targetPort: number
  readonly cert: string
  readonly key: string
}): Promise<TlsProxy> {
  const { targetPort, cert, key } = options
  const server = createServer({ cert, key }, (near) => {
    const far = connect(targetPort, '127.0.0.1')
    near.pipe(far).pipe(near)
    near.on('error', () => far.destroy())
    far.on('error', () => near.destroy())
    near.on('close', () => far.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.close()
      await once(server, 'close')
    },
  }
}
