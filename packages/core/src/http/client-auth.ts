import { AuthError, ConfigError, HEADERS, type JsonObject } from '@avtomatika/protocol'
import type { FastifyRequest } from 'fastify'
import type { JobOwner } from '../job/job.ts'
import { hashToken, TokenMap } from './tokens.ts'

/** A program or person that may create jobs. */
export interface ClientConfig {
  /** The secret sent as `X-Client-Token`. */
  readonly token: string
  /** Stable name of the client; jobs belong to it. Default: derived from the token. */
  readonly id?: string
  readonly plan?: string
  /** Handed to handlers as `client.params`. */
  readonly params?: JsonObject
}

export type ClientAuth = (request: FastifyRequest) => JobOwner

/** @throws ConfigError `CONFIG_INVALID` for an empty or repeated token. */
export function clientAuth(clients: readonly ClientConfig[]): ClientAuth {
  const tokens = new TokenMap<JobOwner>()
  for (const { token, id, plan, params } of clients) {
    const clientId = id ?? `client-${hashToken(token).slice(0, 12)}`
    const added =
      token !== '' && tokens.add(token, { clientId, plan: plan ?? null, params: params ?? {} })
    if (!added) {
      const message = `Client '${clientId}' has an empty token, or one that another client has too.`
      throw new ConfigError('CONFIG_INVALID', { message })
    }
  }
  return (request) => {
    const token = tokenOf(request)
    const owner = token === undefined ? undefined : tokens.find(token)
    if (owner !== undefined) return owner
    throw token === undefined
      ? new AuthError('MISSING_TOKEN', { message: 'Missing X-Client-Token header' })
      : new AuthError('INVALID_TOKEN', { message: 'Unauthorized: Invalid token' })
  }
}

function tokenOf({ headers }: FastifyRequest): string | undefined {
  const named = headers[HEADERS.clientToken] ?? headers[HEADERS.legacyClientToken]
  if (typeof named === 'string') return named
  return /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1]
}
