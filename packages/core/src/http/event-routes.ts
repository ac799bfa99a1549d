/** Where events reach jobs from outside. */
import { parseJobEventBody, type JobEventAccepted } from '@avtomatika/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { toJsonObject } from '../json/to-json.ts'
import { scopeOf } from './client-auth.ts'
import type { ClientRoutesOptions, JobParams } from './client-routes-options.ts'
import { idempotencyKeyOf } from './idempotency-key.ts'

export function eventRoutes(app: FastifyInstance, options: ClientRoutesOptions): void {
  app.post<JobParams>('/jobs/:jobId/events', (request, reply) => receive(request, reply, options))
}

/** An event that is sent twice under one id, by the body or by the header, counts once. */
async function receive(
  request: FastifyRequest<JobParams>,
  reply: FastifyReply,
  { engine, auth, ids }: ClientRoutesOptions,
): Promise<FastifyReply> {
  const { jobId } = request.params
  const ownerId = scopeOf(auth.callerOf(request))
  const { name, data, eventId } = parseJobEventBody(request.body)
  const outcome = await engine.events.receive({
    jobId,
    ownerId,
    eventId: eventId ?? idempotencyKeyOf(request) ?? ids.jobId(),
    name,
    data: toJsonObject(data, 'data'),
  })
  const accepted: JobEventAccepted = { status: 'accepted', job_id: jobId, outcome }
  return reply.status(202).send(accepted)
}
