/**
 * Who a worker is, and for whom it may speak.
 *
 * I1 Where client certificates count, a certificate decides; a token that comes with it is not looked at.
 * I2 Else a token decides: one that the worker was given, or one that was issued to stand in for it.
 * I3 A token or certificate of one worker speaks for that worker, whatever else the request says. A token of
 *    several speaks for whom the request names, unless that worker has a token of its own.
 * I4 What was issued is good as long as what it was issued for: without that token, it is nothing (D-59).
 */
import { AuthError, HEADERS } from '@avtomatika/protocol'
import type { FastifyRequest } from 'fastify'
import type { AccessTokens, TokenGrant } from './access-tokens.ts'
import { certificateOf } from './client-certificate.ts'
import { assertSigned, type SentMessage, type SignatureRule } from './message-signature.ts'
import type { WorkerKey, WorkerKeys } from './worker-keys.ts'

/**
 * What proves who a worker is. `mixed`: a client certificate, else a token. `mtls-only`: a certificate, or a
 * token that was issued for one. `token-only`: tokens; certificates are not looked at.
 */
export type WorkerAuthMode = 'mixed' | 'mtls-only' | 'token-only'

export interface WorkerAuthOptions {
  readonly keys: WorkerKeys
  readonly accessTokens: AccessTokens
  readonly mode: WorkerAuthMode
  readonly signatures: SignatureRule
  readonly now: () => number
}

export interface WorkerAuth {
  /** Checks the credentials alone: before a body is read, it is not known who the sender says it is. */
  readonly checkCredentials: (request: FastifyRequest) => Promise<void> | undefined
  /**
   * Checks that the sender may act as a worker; returns the worker's id. All places that name it
   * (path, body, header) must name the same one. Credentials come first.
   */
  readonly actAs: (request: FastifyRequest, ...claimed: readonly (string | undefined)[]) => string
  /** Checks the signature of what a worker says. */
  readonly checkSignature: (request: FastifyRequest, message: SentMessage, workerId: string) => void
  /** Whether the credentials that were checked are still good for a worker. */
  readonly stands: (request: FastifyRequest, workerId: string) => boolean
  /** Calls back when credentials may have ended. Returns the way to stop. */
  readonly onChange: (listener: () => void) => () => void
  /**
   * What a worker has proved itself with, by a name that tells nothing of it.
   * @throws AuthError `FORBIDDEN` for a token that was issued: it leads to no other family.
   */
  readonly credentialOf: (request: FastifyRequest) => string
  /** Whether what a token was issued for is still good. */
  readonly grantStands: (grant: TokenGrant) => boolean
}

/** Whom a request comes from, before it says for whom it speaks. */
interface Identity {
  /** `null`: one of several. */
  readonly workerId: string | null
  readonly credential: string
  readonly accessToken?: string
}

const CERTIFICATE = 'certificate:'

export function workerAuth(options: WorkerAuthOptions): WorkerAuth {
  const { keys, accessTokens, signatures, now } = options
  const identities = new WeakMap<FastifyRequest, Identity>()
  const identityOf = (request: FastifyRequest): Identity => {
    const identity = identities.get(request)
    if (identity === undefined) throw missingCredentials(options)
    return identity
  }
  const stands = (credential: string, workerId: string): boolean =>
    credentialStands({ credential, workerId }, options)
  const grantStands = ({ workerId, family }: TokenGrant): boolean =>
    stands(family.credential, workerId)
  const byIssuedToken = async (request: FastifyRequest, token: string): Promise<void> => {
    const grant = await accessTokens.find(token)
    if (grant === undefined || !grantStands(grant)) throw invalidToken()
    const { workerId, family } = grant
    identities.set(request, { workerId, credential: family.credential, accessToken: token })
  }
  return {
    checkCredentials: (request) => {
      const known = certificateIdentity(request, options) ?? keyIdentity(request, options)
      if (known !== undefined) {
        identities.set(request, known)
        return undefined
      }
      const token = tokenOf(request)
      if (token === undefined) throw missingCredentials(options)
      return byIssuedToken(request, token)
    },
    actAs: (request, ...claimed) => {
      const { workerId, credential } = identityOf(request)
      const claims = [...claimed, headerId(request)].filter((id) => id !== undefined)
      const id = actingId(workerId, claims)
      if (stands(credential, id)) return id
      const key = keys.byCredential(credential)
      throw key === undefined ? invalidToken() : otherToken(key, id)
    },
    checkSignature: (request, message, workerId) => {
      const secrets = secretsOf(identityOf(request), workerId, options)
      assertSigned(message, { rule: signatures, workerId, secrets, now: now() })
    },
    stands: (request, workerId) => stands(identityOf(request).credential, workerId),
    onChange: (listener) => keys.onReplaced(listener),
    credentialOf: (request) => {
      const { credential, accessToken } = identityOf(request)
      if (accessToken === undefined) return credential
      const message =
        'A token that was issued leads to no other: send the refresh token to /_worker/auth/token/refresh, or use the token or certificate that the worker was given.'
      throw new AuthError('FORBIDDEN', { message })
    },
    grantStands,
  }
}

function certificateIdentity(
  request: FastifyRequest,
  { mode }: WorkerAuthOptions,
): Identity | undefined {
  const certificate = mode === 'token-only' ? undefined : certificateOf(request)
  if (certificate === undefined) return undefined
  const { workerId, validUntil } = certificate
  return { workerId, credential: `${CERTIFICATE}${String(validUntil)}` }
}

/**
 * `undefined` for a token that must be looked up.
 * @throws AuthError `MISSING_TOKEN`, or `INVALID_TOKEN` for one that is neither of ours.
 */
function keyIdentity(request: FastifyRequest, options: WorkerAuthOptions): Identity | undefined {
  const token = tokenOf(request)
  if (token === undefined) throw missingCredentials(options)
  const { keys, mode, accessTokens } = options
  const key = mode === 'mtls-only' ? undefined : keys.find(token)
  if (key !== undefined) return { workerId: key.workerId, credential: key.credential }
  if (accessTokens.isOne(token)) return undefined
  throw invalidToken()
}

function tokenOf(request: FastifyRequest): string | undefined {
  const token = request.headers[HEADERS.workerToken]
  return typeof token === 'string' ? token : undefined
}

function credentialStands(
  { credential, workerId }: { readonly credential: string; readonly workerId: string },
  { keys, mode, now }: WorkerAuthOptions,
): boolean {
  if (credential.startsWith(CERTIFICATE)) {
    return mode !== 'token-only' && now() < Number(credential.slice(CERTIFICATE.length))
  }
  const key = keys.byCredential(credential)
  return mode !== 'mtls-only' && key !== undefined && keys.of(workerId).includes(key)
}

/**
 * The token that the worker was given, whatever it came with (C28). Workers of one older generation sign with
 * the token that was issued to them; where nothing need be signed, that is right, too.
 */
function secretsOf(
  { credential, accessToken }: Identity,
  workerId: string,
  { keys, signatures }: WorkerAuthOptions,
): readonly string[] {
  const key = keys.byCredential(credential)
  const given = (key === undefined ? keys.of(workerId) : [key]).map(({ secret }) => secret)
  return accessToken === undefined || signatures === 'require' ? given : [...given, accessToken]
}

/** The worker that `X-Worker-ID` names. */
export function headerId(request: FastifyRequest): string | undefined {
  const id = request.headers[HEADERS.workerId]
  return typeof id === 'string' ? id : undefined
}

function actingId(owner: string | null, claims: readonly string[]): string {
  const [id = owner] = claims
  if (id === null) {
    const message = 'The worker does not say who it is: send worker_id, or the X-Worker-ID header.'
    throw new AuthError('WORKER_MISMATCH', { message })
  }
  const other = owner !== null && owner !== id ? owner : claims.find((claim) => claim !== id)
  if (other !== undefined) throw mismatch(other, id)
  return id
}

function otherToken({ name }: WorkerKey, workerId: string): AuthError {
  const message = `${name} is not valid for worker '${workerId}', which has a token of its own or another pattern.`
  return new AuthError('WORKER_MISMATCH', { message })
}

function missingCredentials({ mode }: WorkerAuthOptions): AuthError {
  const message =
    mode === 'mtls-only'
      ? 'Missing client certificate: workers prove who they are by one, or by a token that was issued for it.'
      : 'Missing X-Worker-Token header'
  return new AuthError('MISSING_TOKEN', { message })
}

function invalidToken(): AuthError {
  return new AuthError('INVALID_TOKEN', { message: 'Unauthorized: No valid token found' })
}

/** The error for a message that names another worker than the one who sent it. */
export function mismatch(authenticated: string, claimed: string): AuthError {
  const message = `Forbidden: Authenticated worker '${authenticated}' cannot act for another worker '${claimed}'.`
  return new AuthError('WORKER_MISMATCH', { message })
}
