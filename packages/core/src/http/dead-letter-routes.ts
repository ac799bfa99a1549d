/** Webhook calls that were given up: look at them, send them again. */
import {
  NotFoundError,
  parseDeadLetterQuery,
  type DeadLetterResent,
  type DeadLettersView,
  type DeadLetterView,
} from '@avtomatika/protocol'
import type { FastifyInstance } from 'fastify'
import type { DeadLetter } from '../ports/notifier.ts'
import { scopeOf } from './client-auth.ts'
import type { ClientRoutesOptions } from './client-routes-options.ts'

interface LetterParams {
  readonly Params: { readonly id: string }
}

export function deadLetterRoutes(
  app: FastifyInstance,
  { engine, auth }: ClientRoutesOptions,
): void {
  app.get('/webhooks/dead-letters', async (request): Promise<DeadLettersView> => {
    const ownerId = scopeOf(auth.callerOf(request))
    const { limit } = parseDeadLetterQuery(request.query)
    const letters = await engine.courier.listDeadLetters({ ownerId, limit })
    return { dead_letters: letters.map(letterView) }
  })
  app.post<LetterParams>('/webhooks/dead-letters/:id/resend', async (request, reply) => {
    const { id } = request.params
    if (!(await engine.courier.resend(id, scopeOf(auth.callerOf(request))))) {
      throw new NotFoundError('NOT_FOUND', { message: 'Dead letter not found' })
    }
    const body: DeadLetterResent = { status: 'resent', id }
    return reply.code(202).send(body)
  })
}

function letterView(letter: DeadLetter): DeadLetterView {
  const { id, jobId, event, host, attempts, reason, failedAt } = letter
  const at = new Date(failedAt).toISOString()
  return { id, job_id: jobId, event, host, attempts, reason, failed_at: at }
}
