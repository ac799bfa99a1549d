/** What workers say: here I am, what is there to do, this is what came of it. */
import {
  InputError,
  isIdentifier,
  normaliseHeartbeat,
  normaliseRegistration,
  normaliseResult,
  parsePollQuery,
  PROTOCOL_VERSION,
  protocolWarning,
  HEADERS,
  type PollQuery,
  type ResultAck,
  type TaskPayload,
} from '@avtomatika/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { HandedTask } from '../engine/dispatcher.ts'
import { accepted } from '../engine/refusal.ts'
import type { Decision } from '../job/decision.ts'
import { disconnectSignal } from './disconnect-signal.ts'
import type { WorkerAuth } from './worker-auth.ts'
import { takeWorkerEvent, type WorkerEventOptions } from './worker-events.ts'

export interface WorkerRoutesOptions extends WorkerEventOptions {
  readonly auth: WorkerAuth
  /** The longest that a poll waits, in ms. */
  readonly pollTimeoutMs: number
  readonly now: () => number
}

interface WorkerParams {
  readonly Params: { readonly workerId: string }
}

export function workerRoutes(app: FastifyInstance, options: WorkerRoutesOptions): void {
  const { engine, auth } = options
  app.post('/_worker/workers/register', async (request) => {
    auth.actAs(request, idIn(request.body))
    const worker = await engine.fleet.register(normaliseRegistration(request.body))
    request.log.info({ workerId: worker.workerId, skills: worker.skills }, 'worker registered')
    const spoken = request.headers[HEADERS.protocolVersion]
    const warning = protocolWarning(typeof spoken === 'string' ? spoken : undefined)
    return { status: 'registered', version: PROTOCOL_VERSION, warning }
  })
  app.get<WorkerParams>(
    '/_worker/workers/:workerId/tasks/next',
    // A HEAD request would take a task and throw it away with the body.
    { exposeHeadRoute: false },
    (request, reply) => poll(request, reply, options),
  )
  app.patch<WorkerParams>(
    '/_worker/workers/:workerId',
    { config: { lenientBody: true } },
    async (request) => {
      const workerId = auth.actAs(request, pathId(request), idIn(request.body))
      const beat = normaliseHeartbeat(request.body)
      const { cancelTaskIds } = await engine.fleet.heartbeat(workerId, beat)
      if (beat.empty) return { status: 'ttl_refreshed' }
      return { status: 'ok', ...(cancelTaskIds.length > 0 && { cancel_task_ids: cancelTaskIds }) }
    },
  )
  app.post('/_worker/tasks/result', async (request) => {
    const workerId = auth.actAs(request, idIn(request.body))
    const result = normaliseResult(request.body)
    return acknowledgement(await engine.reportResult(workerId, result))
  })
  app.post('/_worker/events', async (request) => {
    const workerId = auth.actAs(request, idIn(request.body))
    return takeWorkerEvent(request.body, workerId, options)
  })
}

async function poll(
  request: FastifyRequest<WorkerParams>,
  reply: FastifyReply,
  { engine, auth, pollTimeoutMs, now }: WorkerRoutesOptions,
): Promise<FastifyReply> {
  const workerId = auth.actAs(request, pathId(request))
  const query = parsePollQuery(request.query)
  const signal = disconnectSignal(reply)
  const waitMs = Math.min(query.timeoutMs ?? pollTimeoutMs, pollTimeoutMs)
  const { max, availableSkills } = query
  const tasks = await engine.dispatcher.poll({ workerId, waitMs, max, availableSkills, signal })
  const [first] = tasks
  if (first === undefined) return reply.status(204).send()
  if (signal.aborted) {
    await Promise.all(tasks.map(({ task }) => engine.dispatcher.takeBack(task, workerId)))
    return reply.status(204).send()
  }
  return reply.send(pollAnswer(query, first, tasks, now()))
}

function pollAnswer(
  { batch }: PollQuery,
  first: HandedTask,
  tasks: readonly HandedTask[],
  now: number,
): TaskPayload | { readonly tasks: readonly TaskPayload[] } {
  return batch ? { tasks: tasks.map((task) => payload(task, now)) } : payload(first, now)
}

function payload({ task, leaseExpiresAt, deadlineAt }: HandedTask, now: number): TaskPayload {
  const { skillVersion } = task.demand
  return {
    job_id: task.jobId,
    task_id: task.taskId,
    type: task.demand.type,
    params: { ...task.params },
    tracing_context: { ...task.tracing },
    priority: task.priority,
    deadline: Math.floor(deadlineAt / 1000),
    attempt: task.attempt,
    lease_expires_in: Math.max(0, leaseExpiresAt - now) / 1000,
    ...(skillVersion !== undefined && { skill_version: skillVersion }),
  }
}

function acknowledgement(decision: Decision): ResultAck {
  const taken = accepted(decision)
  if (taken.kind === 'ignored') {
    const message = `The result was not applied: ${taken.reason}.`
    return { status: 'ignored', reason: taken.reason, message }
  }
  return { status: 'accepted', transition: taken.answer?.transition ?? 'accepted' }
}

function pathId(request: FastifyRequest<WorkerParams>): string {
  const { workerId } = request.params
  if (isIdentifier(workerId)) return workerId
  const message = 'A worker id has 1 to 128 letters, digits, _ and -.'
  throw new InputError('INVALID_REQUEST', { message })
}

function idIn(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null || !('worker_id' in body)) return undefined
  return typeof body.worker_id === 'string' ? body.worker_id : undefined
}
