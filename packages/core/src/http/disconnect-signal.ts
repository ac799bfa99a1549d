import type { FastifyReply, FastifyRequest } from 'fastify'

/** Aborted when the other side goes away before it was answered. */
export function disconnectSignal(request: FastifyRequest, reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  request.raw.socket.once('close', () => {
    controller.abort()
  })
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort()
  })
  return controller.signal
}
