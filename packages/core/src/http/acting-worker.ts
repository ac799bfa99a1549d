/** Which worker a request speaks for. */
import { InputError, isIdentifier } from '@avtomatika/protocol'
import type { FastifyRequest } from 'fastify'
import type { WorkerAuth } from './worker-auth.ts'

/**
 * The worker that the path, the body and the header name; all that do must name the same one.
 * @throws InputError `INVALID_REQUEST` for a path with an id that none can have.
 * @throws AuthError for a sender that may not speak for it.
 */
export function actingWorker(request: FastifyRequest, auth: WorkerAuth): string {
  return auth.actAs(request, pathId(request), idIn(request.body))
}

function pathId({ params }: FastifyRequest): string | undefined {
  const workerId = textIn(params, 'workerId')
  if (workerId === undefined || isIdentifier(workerId)) return workerId
  const message = 'A worker id has 1 to 128 letters, digits, _ and -.'
  throw new InputError('INVALID_REQUEST', { message })
}

function idIn(body: unknown): string | undefined {
  return textIn(body, 'worker_id')
}

function textIn(value: unknown, name: string): string | undefined {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
  const text: unknown = Reflect.get(value, name)
  return typeof text === 'string' ? text : undefined
}
