/** What workers say: here I am, what is there to do, this is what came of it. */
import {
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
import type { HandedTask } from '../engine/handed-task.ts'
import { accepted } from '../engine/refusal.ts'
import type { Decision } from '../job/decision.ts'
import { actingWorker } from './acting-worker.ts'
import { disconnectSignal } from './disconnect-signal.ts'
import type { WorkerAuth } from './worker-auth.ts'
import { takeWorkerEvent, type WorkerEventOptions } from './worker-events.ts'
import type { UsefulRequests } from './worker-rate-limit.ts'

export interface WorkerRoutesOptions extends WorkerEventOptions {
  readonly auth: WorkerAuth
  /** The longest that a poll waits, in ms. */
  readonly pollTimeoutMs: number
  readonly now: () => number
  /** Told of requests that got something done. */
  readonly useful: UsefulRequests
}

interface WorkerParams {
  readonly Params: { readonly workerId: string }
}

export function workerRoutes(app: FastifyInstance, options: WorkerRoutesOptions): void {
  const { engine, auth, useful } = options
  app.post('/_worker/workers/register', async (request) => {
    actingWorker(request, auth)
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
      const workerId = actingWorker(request, auth)
      const beat = normaliseHeartbeat(request.body)
      const { cancelTaskIds } = await engine.fleet.heartbeat(workerId, beat)
      if (beat.empty) return { status: 'ttl_refreshed' }
      return { status: 'ok', ...(cancelTaskIds.length > 0 && { cancel_task_ids: cancelTaskIds }) }
    },
  )
  app.post('/_worker/tasks/result', async (request) => {
    const workerId = actingWorker(request, auth)
    const result = normaliseResult(request.body)
    const answer = acknowledgement(await engine.reportResult(workerId, result))
    if (answer.status === 'accepted') useful.add(request)
    return answer
  })
  app.post('/_worker/events', async (request) => {
    const workerId = actingWorker(request, auth)
    return takeWorkerEvent(request.body, workerId, options)
  })
}

async function poll(
  request: FastifyRequest<WorkerParams>,
  reply: FastifyReply,
  { engine, auth, pollTimeoutMs, now, useful }: WorkerRoutesOptions,
): Promise<FastifyReply> {
  const workerId = actingWorker(request, auth)
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
  useful.add(request)
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
