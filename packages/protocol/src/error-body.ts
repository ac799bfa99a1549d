import { z } from 'zod'

import { errorCodeInfo, isErrorCode } from './error-codes.ts'
import type { ErrorCode, ErrorFamily } from './error-codes.ts'
import {
  AuthError,
  AvtomatikaError,
  BlueprintError,
  ConfigError,
  ConflictError,
  ConnectionError,
  InputError,
  InternalError,
  LimitError,
  NotFoundError,
  TimeoutError,
  UnavailableError,
} from './error.ts'
import type { RetryableErrorOptions } from './error.ts'
import { isJsonObject } from './json.ts'

/** How an error looks in JSON. `error` is the text older clients read; `code` is for programs. */
export const errorBodySchema = z.looseObject({
  error: z.string(),
  code: z.string(),
  details: z.unknown().optional(),
})

/** How an error looks in JSON. */
export type ErrorBody = z.infer<typeof errorBodySchema>

/**
 * The JSON for an error. Of errors that are not ours nothing is told but that something broke:
 * their texts may hold addresses or secrets.
 */
export function toErrorBody(error: unknown): ErrorBody {
  if (!AvtomatikaError.is(error)) return { error: 'Internal server error.', code: 'INTERNAL' }
  const body: ErrorBody = { error: error.message, code: error.code }
  return error.details === undefined ? body : { ...body, details: error.details }
}

/** The HTTP status to answer an error with; 500 for errors that are not ours or have none. */
export function errorStatus(error: unknown): number {
  return (AvtomatikaError.is(error) ? error.status : null) ?? 500
}

const FAMILIES: Readonly<Record<ErrorFamily, typeof AvtomatikaError | typeof LimitError>> = {
  config: ConfigError,
  blueprint: BlueprintError,
  input: InputError,
  auth: AuthError,
  not_found: NotFoundError,
  conflict: ConflictError,
  limit: LimitError,
  unavailable: UnavailableError,
  internal: InternalError,
  timeout: TimeoutError,
  connection: ConnectionError,
}

/** An error of the class that the code's family asks for. */
export function createError(code: ErrorCode, options: RetryableErrorOptions): AvtomatikaError {
  return new FAMILIES[errorCodeInfo(code).family](code, options)
}

/**
 * Turns an HTTP answer >= 400 back into an error: by its code when we know it, else by the status.
 * Older servers answer with plain text or without a code; codes we do not know are kept in
 * `details.peerCode`.
 *
 * @param body - the parsed JSON, or the text when it was not JSON.
 * @param options.retryAfterMs - what the `Retry-After` header said, in ms.
 */
export function errorFromBody(
  status: number,
  body: unknown,
  options: { readonly retryAfterMs?: number | undefined } = {},
): AvtomatikaError {
  const { message, code: peerCode, details } = readErrorBody(status, body)
  const known = isErrorCode(peerCode) ? peerCode : undefined
  return createError(known ?? codeForStatus(status), {
    message,
    details: known !== undefined || peerCode === undefined ? details : { peerCode, details },
    retryAfterMs: options.retryAfterMs,
  })
}

interface ReadErrorBody {
  readonly message: string
  readonly code?: string | undefined
  readonly details?: unknown
}

// A proxy's error page must not become a message of many pages.
const MAX_MESSAGE_LENGTH = 500

function readErrorBody(status: number, body: unknown): ReadErrorBody {
  if (typeof body === 'string' && body.trim() !== '') {
    return (
      readWrapped(body) ?? {
        message: `HTTP ${status}: ${body.trim().slice(0, MAX_MESSAGE_LENGTH)}`,
      }
    )
  }
  if (!isJsonObject(body) || typeof body['error'] !== 'string') return { message: `HTTP ${status}` }
  const wrapped = readWrapped(body['error'])
  if (wrapped !== undefined) return wrapped
  const code = typeof body['code'] === 'string' ? body['code'] : undefined
  return { message: body['error'].slice(0, MAX_MESSAGE_LENGTH), code, details: body['details'] }
}

/** One older listener puts the whole JSON of an error, as text, into the `error` of another. */
function readWrapped(text: string): ReadErrorBody | undefined {
  if (!text.startsWith('{')) return undefined
  let inner: unknown
  try {
    inner = JSON.parse(text)
  } catch {
    // Not JSON after all: then it is a message that starts with a brace, and is used as it is.
    return undefined
  }
  if (!isJsonObject(inner) || typeof inner['error'] !== 'string') return undefined
  const code = typeof inner['code'] === 'string' ? inner['code'] : undefined
  return { message: inner['error'].slice(0, MAX_MESSAGE_LENGTH), code, details: inner['details'] }
}

const STATUS_CODES: ReadonlyMap<number, ErrorCode> = new Map([
  [401, 'INVALID_TOKEN'],
  [403, 'FORBIDDEN'],
  [404, 'NOT_FOUND'],
  [405, 'METHOD_NOT_ALLOWED'],
  [409, 'CONFLICT'],
  [413, 'BODY_TOO_LARGE'],
  [415, 'UNSUPPORTED_MEDIA_TYPE'],
  [429, 'RATE_LIMITED'],
  [500, 'INTERNAL'],
  [502, 'UNAVAILABLE'],
  [503, 'UNAVAILABLE'],
  [504, 'UNAVAILABLE'],
])

/** The code that says most about an HTTP status for which nothing better is known. */
export function codeForStatus(status: number): ErrorCode {
  const code = STATUS_CODES.get(status)
  if (code !== undefined) return code
  if (status >= 400 && status < 500) return 'INVALID_REQUEST'
  return status >= 500 ? 'INTERNAL' : 'UNEXPECTED_RESPONSE'
}
