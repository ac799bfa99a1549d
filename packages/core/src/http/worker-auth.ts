import { AuthError, ConfigError, HEADERS } from '@avtomatika/protocol'
import type { FastifyRequest } from 'fastify'
import { TokenMap } from './tokens.ts'

export interface WorkerTokens {
  /** Shared by all workers that have no token of their own. */
  readonly shared?: string
  /** By worker id; such a worker cannot use the shared token. */
  readonly individual?: Readonly<Record<string, string>>
}

export interface WorkerAuth {
  /** Checks the token alone: before a body is read, it is not known who the sender says it is. */
  readonly checkToken: (request: FastifyRequest) => void
  /**
   * Checks that the sender may act as a worker; returns the worker's id. All places that name it
   * (path, body, header) must name the same one.
   */
  readonly actAs: (request: FastifyRequest, ...claimed: readonly (string | undefined)[]) => string
}

interface TokenOwner {
  /** `null` for the shared token. */
  readonly workerId: string | null
}

/** @throws ConfigError `CONFIG_INVALID` for empty or repeated tokens. */
export function workerAuth({ shared, individual = {} }: WorkerTokens): WorkerAuth {
  const owners = new TokenMap<TokenOwner>()
  const known: [string, string | null][] = Object.entries(individual).map(([id, t]) => [t, id])
  if (shared !== undefined) known.push([shared, null])
  for (const [token, workerId] of known) {
    if (token !== '' && owners.add(token, { workerId })) continue
    const who = workerId === null ? 'The shared worker token' : `The token of worker '${workerId}'`
    throw new ConfigError('CONFIG_INVALID', { message: `${who} is empty or used twice.` })
  }
  return {
    checkToken: (request) => void ownerOf(request, owners),
    actAs: (request, ...claimed) => {
      const { workerId } = ownerOf(request, owners)
      const claims = [...claimed, headerId(request)].filter((id) => id !== undefined)
      return actingId(workerId, claims, individual)
    },
  }
}

function ownerOf(request: FastifyRequest, owners: TokenMap<TokenOwner>): TokenOwner {
  const token = request.headers[HEADERS.workerToken]
  if (typeof token !== 'string') {
    throw new AuthError('MISSING_TOKEN', { message: 'Missing X-Worker-Token header' })
  }
  const owner = owners.find(token)
  if (owner !== undefined) return owner
  throw new AuthError('INVALID_TOKEN', { message: 'Unauthorized: No valid token found' })
}

function headerId(request: FastifyRequest): string | undefined {
  const id = request.headers[HEADERS.workerId]
  return typeof id === 'string' ? id : undefined
}

function actingId(
  owner: string | null,
  claims: readonly string[],
  individual: Readonly<Record<string, string>>,
): string {
  const [id = owner] = claims
  if (id === null) {
    const message = 'The worker does not say who it is: send worker_id, or the X-Worker-ID header.'
    throw new AuthError('WORKER_MISMATCH', { message })
  }
  const other = owner !== null && owner !== id ? owner : claims.find((claim) => claim !== id)
  if (other !== undefined) throw mismatch(other, id)
  if (owner === null && Object.hasOwn(individual, id)) {
    const message = `Worker '${id}' has a token of its own; the shared one is not valid for it.`
    throw new AuthError('WORKER_MISMATCH', { message })
  }
  return id
}

/** The error for a message that names another worker than the one who sent it. */
export function mismatch(authenticated: string, claimed: string): AuthError {
  const message = `Forbidden: Authenticated worker '${authenticated}' cannot act for another worker '${claimed}'.`
  return new AuthError('WORKER_MISMATCH', { message })
}
