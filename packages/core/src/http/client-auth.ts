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
  /** Whether it sees the jobs of all clients and may act on them. Default false. */
  readonly admin?: boolean
  /** Jobs that it may create in a calendar month (UTC). Default: as many as it likes. */
  readonly monthlyAttempts?: number
}

/** Who sent a request. */
export interface Caller {
  /** Jobs that the caller creates belong to it. */
  readonly owner: JobOwner
  readonly isAdmin: boolean
  /** `undefined`: as many as it likes. */
  readonly monthlyAttempts: number | undefined
}

export interface ClientAuth {
  /** @throws AuthError `MISSING_TOKEN` or `INVALID_TOKEN`. */
  readonly callerOf: (request: FastifyRequest) => Caller
  /** `undefined` for a request without a token, or with one that nobody has. */
  readonly findCaller: (request: FastifyRequest) => Caller | undefined
}

/** @throws ConfigError `CONFIG_INVALID` for an empty or repeated token, or an impossible quota. */
export function clientAuth(clients: readonly ClientConfig[]): ClientAuth {
  const tokens = new TokenMap<Caller>()
  for (const { token, id, plan, params, admin, monthlyAttempts } of clients) {
    const clientId = id ?? `client-${hashToken(token).slice(0, 12)}`
    const owner = { clientId, plan: plan ?? null, params: params ?? {} }
    assertCount(monthlyAttempts, clientId)
    const caller = { owner, isAdmin: admin ?? false, monthlyAttempts }
    if (token !== '' && tokens.add(token, caller)) continue
    const message = `Client '${clientId}' has an empty token, or one that another client has too.`
    throw new ConfigError('CONFIG_INVALID', { message })
  }
  const findCaller: ClientAuth['findCaller'] = (request) => {
    const token = tokenOf(request)
    return token === undefined ? undefined : tokens.find(token)
  }
  return {
    findCaller,
    callerOf: (request) => {
      const caller = findCaller(request)
      if (caller !== undefined) return caller
      throw tokenOf(request) === undefined
        ? new AuthError('MISSING_TOKEN', { message: 'Missing X-Client-Token header' })
        : new AuthError('INVALID_TOKEN', { message: 'Unauthorized: Invalid token' })
    },
  }
}

function assertCount(monthlyAttempts: number | undefined, clientId: string): void {
  if (
    monthlyAttempts === undefined ||
    (Number.isSafeInteger(monthlyAttempts) && monthlyAttempts >= 0)
  )
    return
  const got = String(monthlyAttempts)
  const message = `monthlyAttempts of client '${clientId}' must be a whole number from 0, got ${got}. Leave it out for no limit.`
  throw new ConfigError('CONFIG_INVALID', { message })
}

/** Whose jobs a caller may see and act on; `undefined`: everybody's. */
export function scopeOf({ owner, isAdmin }: Caller): string | undefined {
  return isAdmin ? undefined : owner.clientId
}

function tokenOf({ headers }: FastifyRequest): string | undefined {
  const named = headers[HEADERS.clientToken] ?? headers[HEADERS.legacyClientToken]
  if (typeof named === 'string') return named
  return /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1]
}
