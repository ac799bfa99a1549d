/** The fleet as clients see it, and what admins do with workers. */
import {
  AuthError,
  parseDrainBody,
  type SkillCatalog,
  type WorkerDrained,
  type WorkerEvicted,
} from '@avtomatika/protocol'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ClientRoutesOptions } from './client-routes-options.ts'

interface WorkerParams {
  readonly Params: { readonly workerId: string }
}

export function fleetRoutes(app: FastifyInstance, { engine, auth }: ClientRoutesOptions): void {
  const assertAdmin = (request: FastifyRequest): void => {
    if (auth.callerOf(request).isAdmin) return
    const message = 'Only clients with admin rights may act on workers.'
    throw new AuthError('FORBIDDEN', { message })
  }
  app.get('/workers/catalog', async (request): Promise<SkillCatalog> => {
    auth.callerOf(request)
    return engine.fleet.catalog()
  })
  app.post<WorkerParams>('/workers/:workerId/drain', async (request): Promise<WorkerDrained> => {
    assertAdmin(request)
    const { workerId } = request.params
    const { drain } = parseDrainBody(request.body)
    await engine.fleet.drain(workerId, drain)
    request.log.info({ workerId, drain }, 'an admin drains a worker, or does so no more')
    return { status: drain ? 'draining' : 'active', worker_id: workerId }
  })
  app.post<WorkerParams>('/workers/:workerId/evict', async (request): Promise<WorkerEvicted> => {
    assertAdmin(request)
    const { workerId } = request.params
    await engine.fleet.evict(workerId)
    request.log.warn({ workerId }, 'an admin evicted a worker')
    return { status: 'evicted', worker_id: workerId }
  })
}
