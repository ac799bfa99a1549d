/** Who the other end of a connection is by its client certificate. */
import { TLSSocket } from 'node:tls'
import { AuthError, isIdentifier } from '@avtomatika/protocol'
import type { FastifyRequest } from 'fastify'

/** A certificate that somebody trusted has signed. */
export interface CertificateIdentity {
  readonly workerId: string
  readonly validUntil: number
}

/** A certificate is shown once per connection, and reading it costs more than most requests do. */
const known = new WeakMap<TLSSocket, CertificateIdentity>()

/**
 * `undefined` for a connection without TLS or without a client certificate.
 * @throws AuthError `CERTIFICATE_INVALID` for one that is not trusted, or whose CN is no worker id.
 */
export function certificateOf({ raw }: FastifyRequest): CertificateIdentity | undefined {
  const { socket } = raw
  if (!(socket instanceof TLSSocket)) return undefined
  const identity = known.get(socket) ?? identityOf(socket)
  if (identity !== undefined) known.set(socket, identity)
  return identity
}

function identityOf(socket: TLSSocket): CertificateIdentity | undefined {
  const certificate = socket.getPeerCertificate()
  // A session that is resumed counts as trusted even when it shows no certificate.
  if (Object.keys(certificate).length === 0) return undefined
  if (!socket.authorized) {
    const reason = String(socket.authorizationError)
    throw invalid(`The client certificate is not trusted (${reason}).`)
  }
  const workerId: unknown = certificate.subject.CN
  if (typeof workerId !== 'string' || !isIdentifier(workerId)) {
    throw invalid('The client certificate names no worker: its CN must be the id of one.')
  }
  return { workerId, validUntil: Date.parse(certificate.valid_to) }
}

function invalid(message: string): AuthError {
  return new AuthError('CERTIFICATE_INVALID', { message })
}
