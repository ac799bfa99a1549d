/** Messages of workers that are answered with an error are counted: by whom, nobody can make figures of. */
import type { EventReply } from '@avtomatika/protocol'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Metrics, WorkerMessage } from '../engine/metrics.ts'
import { sendError } from './error-handler.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a worker says by this route. */
    readonly workerMessage?: WorkerMessage
  }
}

/** Counts what the routes of a scope refuse. */
export function countRefusals(
  scope: FastifyInstance,
  metrics: Pick<Metrics, 'countRefused'>,
): void {
  scope.setErrorHandler((error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
    const { workerMessage = 'other' } = request.routeOptions.config
    metrics.countRefused(workerMessage, sendError(error, request, reply))
  })
}

/** Counts those of a batch that were refused one by one. */
export function countRefusedItems(
  items: readonly (Pick<EventReply, 'status'> & { readonly code?: unknown })[],
  message: WorkerMessage,
  metrics: Pick<Metrics, 'countRefused'>,
): void {
  for (const { status, code } of items) {
    if (status === 'error') metrics.countRefused(message, String(code))
  }
}
