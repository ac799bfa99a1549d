/** Looks at the signatures of what workers send by HTTP. */
import { PATHS } from '@avtomatika/protocol'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { actingWorker } from './acting-worker.ts'
import { sentText } from './body-parser.ts'
import type { WorkerAuth } from './worker-auth.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Messages to this route are not signed, whatever the rule. */
    readonly neverSigned?: boolean
  }
}

/**
 * Checks what comes to the routes that are added from now on. Added to each route and not to the scope: so
 * whoever asks too often is refused first, which costs less than a signature.
 */
export function checkSignatures(scope: FastifyInstance, auth: WorkerAuth): void {
  scope.addHook('onRoute', (route) => {
    if (route.config?.neverSigned === true) return
    const before = route.preHandler ?? []
    const hooks = Array.isArray(before) ? before : [before]
    route.preHandler = [
      ...hooks,
      (request, _reply, done) => {
        checkSignature(request, auth)
        done()
      },
    ]
  })
}

function checkSignature(request: FastifyRequest, auth: WorkerAuth): void {
  const { body } = request
  if (body === undefined || body === null) return
  const isEvent = request.routeOptions.url?.endsWith(PATHS.workerEvents) === true
  const message = { body, text: sentText(request), kind: isEvent ? 'event' : 'message' } as const
  auth.checkSignature(request, message, actingWorker(request, auth))
}
