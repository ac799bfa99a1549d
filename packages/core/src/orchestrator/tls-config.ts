/** TLS of the server that the engine starts itself. */
import { createSecureContext } from 'node:tls'

/** Certificates as PEM, in text. */
export interface TlsConfig {
  /** The server's own, with what is between it and its root. */
  readonly cert: string
  readonly key: string
  /** Who signs the certificates of clients. */
  readonly ca?: string
  /**
   * Whether clients are asked for a certificate; its CN is the id of a worker. Needs `ca`. Default: whether
   * there is a `ca`.
   */
  readonly requestCert?: boolean
  /** Whether nobody without a trusted certificate may connect, clients of the API included. Default false. */
  readonly requireCert?: boolean
}

export interface ResolvedTls {
  readonly cert: string
  readonly key: string
  readonly ca?: string
  readonly requestCert: boolean
  readonly requireCert: boolean
}

export function resolveTls(tls: TlsConfig): ResolvedTls {
  const { cert, key, ca, requireCert = false } = tls
  const requestCert = tls.requestCert ?? (ca !== undefined || requireCert)
  return { cert, key, ...(ca !== undefined && { ca }), requestCert, requireCert }
}

/** What is wrong with the settings; never repeats a key. */
export function tlsProblems(tls: TlsConfig | undefined): readonly string[] {
  if (tls === undefined) return []
  const { cert, key, ca, requestCert, requireCert } = tls
  if (ca === undefined && (requestCert === true || requireCert === true)) {
    // Else every certificate of a public authority would be one of a worker.
    return [
      'tls.requestCert and tls.requireCert need tls.ca, which signs the certificates of clients',
    ]
  }
  try {
    createSecureContext({ cert, key, ca })
    return []
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return [`tls cannot be used: ${reason}`]
  }
}
