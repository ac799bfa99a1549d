/** Every error leaves as JSON with `error` (for people) and `code` (for programs). */
import {
  AvtomatikaError,
  createError,
  errorStatus,
  LimitError,
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
  const known = toKnownError(error, request)
  const status = errorStatus(known)
  if (status >= 500) request.log.error({ err: error }, 'request failed')
  if (LimitError.is(known) || UnavailableError.is(known)) {
    const seconds = Math.ceil((known.retryAfterMs ?? 1000) / 1000)
    reply.header('retry-after', String(seconds))
  }
  reply.status(status).send(toErrorBody(known))
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
  const status = error.statusCode
  if (status === undefined || status < 400 || status >= 500) return error
  return createError(codeFor(status), { message: error.message })
}

function codeFor(status: number): ErrorCode {
  if (status === 413) return 'BODY_TOO_LARGE'
  if (status === 415) return 'UNSUPPORTED_MEDIA_TYPE'
  return status === 400 ? 'INVALID_JSON' : 'INVALID_REQUEST'
}
