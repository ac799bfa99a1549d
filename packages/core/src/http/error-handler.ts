/** Every error leaves as JSON with `error` (for people) and `code` (for programs). */
import {
  AvtomatikaError,
  codeForStatus,
  createError,
  errorStatus,
  HEADERS,
  LimitError,
  PROTOCOL_VERSION,
  toErrorBody,
  UnavailableError,
  type ErrorCode,
} from '@avtomatika/protocol'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'

const MIB = 1024 * 1024

/** Answers an error that a route threw. */
export function answerError(
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  sendError(error, request, reply)
}

/** Answers an error, and tells with which code. */
export function sendError(
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): string {
  const known = toKnownError(error, request)
  // An error of a host's own hook (its rate limit, its login) keeps the status that it came with.
  const status = isCallers(error) ? error.statusCode : errorStatus(known)
  if (status >= 500) request.log.error({ err: error }, 'request failed')
  const seconds = retryAfterSeconds(known)
  if (seconds !== undefined && !reply.hasHeader('retry-after')) {
    reply.header('retry-after', String(seconds))
  }
  // Workers of older generations get themselves a new token by this status (C30).
  if (status === 401 && !reply.hasHeader('www-authenticate')) {
    reply.header('www-authenticate', 'Token realm="avtomatika"')
  }
  const body = toErrorBody(known)
  reply.status(status).send(body)
  return body.code
}

/** Also where trying again is not worth the wait for most, as with a quota of a month. */
function retryAfterSeconds(error: unknown): number | undefined {
  if (!LimitError.is(error) && !UnavailableError.is(error)) return undefined
  if (error.retryAfterMs === undefined && !error.retry) return undefined
  return Math.max(1, Math.ceil((error.retryAfterMs ?? 1000) / 1000))
}

/** Answers a request that is refused before any route, and so any hook, sees it: a malformed URL. */
export function answerUnroutable(
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  reply.header(HEADERS.protocolVersion, PROTOCOL_VERSION)
  answerError(error, request, reply)
}

/** Answers a request that no route takes. */
export function answerNotFound(request: FastifyRequest, reply: FastifyReply): void {
  const path = request.url.split('?', 1)[0] ?? ''
  const message = `There is no ${request.method} ${path} here.`
  const error = createError('ROUTE_NOT_FOUND', { message })
  reply.status(404).send(toErrorBody(error))
}

function toKnownError(error: FastifyError, request: FastifyRequest): unknown {
  if (AvtomatikaError.is(error)) return error
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    const limit = `${String(request.routeOptions.bodyLimit / MIB)} MiB`
    const message = `The body is larger than ${limit}. Hand over a reference instead of the data.`
    return createError('BODY_TOO_LARGE', { message })
  }
  return isCallers(error) ? createError(codeFor(error), { message: error.message }) : error
}

/** Whether an error that is not ours says that the caller made a mistake. */
function isCallers(error: FastifyError): error is FastifyError & { readonly statusCode: number } {
  const status = error.statusCode
  return !AvtomatikaError.is(error) && status !== undefined && status >= 400 && status < 500
}

function codeFor({ statusCode, code }: FastifyError & { readonly statusCode: number }): ErrorCode {
  // What the framework finds wrong with a body is not all that can be wrong with a request.
  if (statusCode === 400 && code.startsWith('FST_ERR_CTP')) return 'INVALID_JSON'
  return codeForStatus(statusCode)
}
