/** An admin has the tokens of workers read again. */
import { AuthError } from '@avtomatika/protocol'
import type { FastifyInstance } from 'fastify'
import type { ClientRoutesOptions } from './client-routes-options.ts'

/** Reads the tokens of workers again. @throws InputError `WORKERS_CONFIG_MISSING`, `WORKERS_CONFIG_INVALID`. */
export type ReloadWorkers = () => Promise<void>

export function reloadWorkersRoute(
  app: FastifyInstance,
  { auth, reloadWorkers }: ClientRoutesOptions,
): void {
  app.post('/admin/reload-workers', async (request) => {
    if (!auth.callerOf(request).isAdmin) {
      const message = 'Only clients with admin rights may have the tokens of workers read again.'
      throw new AuthError('FORBIDDEN', { message })
    }
    await reloadWorkers()
    request.log.info('the tokens of workers were read again')
    return { status: 'worker_configs_reloaded' }
  })
}
