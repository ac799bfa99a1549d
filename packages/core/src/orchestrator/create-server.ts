/** The server of an orchestrator that is no guest of another. */
import { MAX_IDENTIFIER_LENGTH } from '@avtomatika/protocol'
import { fastify, LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import { answerUnroutable } from '../http/error-handler.ts'
import { BODY_LIMIT } from '../http/plugin.ts'
import type { ResolvedTls } from './tls-config.ts'

/** Fastify's default, 100, is less than an id may have; what is longer than any is told so by us. */
const MAX_PARAM_LENGTH = 4 * MAX_IDENTIFIER_LENGTH

export interface ServerOptions {
  readonly log: FastifyBaseLogger
  readonly tls: ResolvedTls | undefined
}

/** Does not listen yet. */
export function createServer({ log, tls }: ServerOptions): FastifyInstance {
  const options = {
    loggerInstance: log,
    bodyLimit: BODY_LIMIT,
    // A line per request would cost more than many requests do.
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: 'idle',
    frameworkErrors: answerUnroutable,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: MAX_PARAM_LENGTH },
  } as const
  if (tls === undefined) return fastify(options)
  const { cert, key, ca, requestCert, requireCert } = tls
  const https = {
    cert,
    key,
    ...(ca !== undefined && { ca }),
    requestCert,
    // Whoever shows a certificate that is not trusted is told so as a worker, and may be a client.
    rejectUnauthorized: requireCert,
  }
  return fastify({ ...options, https })
}
