/** For whoever decides where requests go: a load balancer, a container host. */
import type { FastifyInstance } from 'fastify'
import type { Engine } from '../engine/engine.ts'

const ASK_AGAIN_SECONDS = 1

/** `/_public/status` says that the process lives; this says that it can work. */
export function readyRoute(app: FastifyInstance, engine: Engine): void {
  app.get('/_public/ready', async (_request, reply) => {
    const readiness = await engine.readiness.run()
    if (readiness.isReady) return { status: 'ready' }
    reply.status(503).header('retry-after', String(ASK_AGAIN_SECONDS))
    return { status: 'unavailable', reason: readiness.reason }
  })
}
