import type { FastifyReply } from 'fastify'

/** Aborted when the other side goes away before it was answered. */
export function disconnectSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  // It is told once, perhaps before we listen.
  if (reply.raw.closed) controller.abort()
  // The response closes with its connection; the connection itself outlives many requests, and
  // would gather a listener from each.
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort()
  })
  return controller.signal
}
