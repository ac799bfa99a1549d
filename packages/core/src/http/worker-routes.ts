/** What workers say: here I am, what is there to do, this is what came of it. */
import {
  isJsonObject,
  normaliseHeartbeat,
  normaliseRegistration,
  normaliseResult,
  parseEventBatch,
  parsePollQuery,
  parseTaskAck,
  PROTOCOL_VERSION,
  protocolWarning,
  HEADERS,
  STREAM_EVENT,
  type EventBatchReply,
  type EventReply,
  type HeartbeatReply,
  type PollQuery,
  type Result,
  type ResultAck,
  type TaskAckReply,
  type TaskBatch,
  type TaskPayload,
} from '@avtomatika/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { HandedTask } from '../engine/dispatch/handed-task.ts'
import { accepted } from '../engine/jobs/refusal.ts'
import type { Metrics, WorkerMessage } from '../engine/metrics.ts'
import type { Decision } from '../job/decision.ts'
import { actingWorker } from './acting-worker.ts'
import { disconnectSignal } from './disconnect-signal.ts'
import { takeEventBatch } from './event-batch.ts'
import { takeResultBatch } from './result-batch.ts'
import type { WorkerAuth } from './worker-auth.ts'
import { takeWorkerEvent, type WorkerEventOptions } from './worker-events.ts'
import { countRefusedItems } from './worker-refusals.ts'
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
  const takeResult = async (workerId: string, result: Result): Promise<ResultAck> =>
    acknowledgement(await engine.reportResult(workerId, result), engine.metrics)
  app.post('/_worker/workers/register', said('register'), async (request) => {
    actingWorker(request, auth)
    const registration = normaliseRegistration(request.body)
    const { features } = registration
    const worker = await engine.fleet.register(registration)
    request.log.info({ workerId: worker.workerId, skills: worker.skills }, 'worker registered')
    const spoken = request.headers[HEADERS.protocolVersion]
    const warning = protocolWarning(typeof spoken === 'string' ? spoken : undefined)
    return {
      status: 'registered',
      version: PROTOCOL_VERSION,
      warning,
      ...(features.length > 0 && { features }),
    }
  })
  app.get<WorkerParams>(
    '/_worker/workers/:workerId/tasks/next',
    // A HEAD request would take a task and throw it away with the body.
    { exposeHeadRoute: false, ...said('poll') },
    (request, reply) => poll(request, reply, options),
  )
  app.patch<WorkerParams>(
    '/_worker/workers/:workerId',
    { config: { lenientBody: true, workerMessage: 'heartbeat' } },
    (request) => heartbeat(request, options),
  )
  app.post('/_worker/tasks/result', said('result'), async (request) => {
    const workerId = actingWorker(request, auth)
    const answer = await takeResult(workerId, normaliseResult(request.body))
    if (answer.status === 'accepted') useful.add(request)
    return answer
  })
  app.post('/_worker/tasks/results', said('result'), async (request) => {
    const reply = await takeResultBatch(request, { auth, useful, takeResult })
    countRefusedItems(reply.results, 'result', engine.metrics)
    return reply
  })
  app.post('/_worker/tasks/ack', said('ack'), async (request): Promise<TaskAckReply> => {
    const workerId = actingWorker(request, auth)
    const taskIds = parseTaskAck(request.body)
    const gone = await engine.lines.acknowledge(workerId, taskIds)
    if (gone.length < taskIds.length) useful.add(request)
    return { status: 'ok', ...(gone.length > 0 && { cancel_task_ids: [...gone] }) }
  })
  app.post('/_worker/events', said('event'), (request) => takeEvents(request, options))
}

function said(workerMessage: WorkerMessage): RouteShorthandOptions {
  return { config: { workerMessage } }
}

async function heartbeat(
  request: FastifyRequest,
  { engine, auth }: WorkerRoutesOptions,
): Promise<HeartbeatReply> {
  const workerId = actingWorker(request, auth)
  const beat = normaliseHeartbeat(request.body)
  const { cancelTaskIds, lacksSkills } = await engine.fleet.heartbeat(workerId, beat)
  const notHeld = new Set(cancelTaskIds)
  engine.lines.noteListed((beat.currentTasks ?? []).filter((taskId) => !notHeld.has(taskId)))
  if (beat.empty) return { status: 'ttl_refreshed' }
  return {
    status: 'ok',
    ...(cancelTaskIds.length > 0 && { cancel_task_ids: [...cancelTaskIds] }),
    ...(lacksSkills && { require_full_sync: true }),
  }
}

async function takeEvents(
  request: FastifyRequest,
  options: WorkerRoutesOptions,
): Promise<EventReply | EventBatchReply> {
  const { auth, useful } = options
  const { log, body } = request
  const workerId = actingWorker(request, auth)
  const batch = parseEventBatch(body)
  if (batch === undefined) {
    const reply = await takeWorkerEvent(body, workerId, options)
    if (broughtOutput([body], [reply])) useful.add(request)
    return reply
  }
  const reply = await takeEventBatch(batch, workerId, { ...options, log })
  countRefusedItems(reply.results, 'event', options.engine.metrics)
  if (broughtOutput(batch, reply.results)) useful.add(request)
  return reply
}

/** Whether readers were shown something: output may come as fast as its worker makes it. */
function broughtOutput(bodies: readonly unknown[], replies: readonly EventReply[]): boolean {
  return bodies.some((body, i) => {
    const reply = replies[i]
    const isOutput = isJsonObject(body) && body['event_type'] === STREAM_EVENT
    return isOutput && reply?.status === 'event_accepted' && reply['ignored'] === undefined
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
  const { max, availableSkills, hotSkills } = query
  const { lines } = engine
  if (hotSkills !== undefined) await engine.fleet.noteHot(workerId, hotSkills)
  const isToldHere = query.batch && (await lines.understands(workerId, 'cancel_in_poll'))
  const news = isToldHere ? lines.withdrawals.expect(workerId) : undefined
  // What a worker should stop is worth an answer without tasks.
  const until = news === undefined ? signal : AbortSignal.any([signal, news.signal])
  const tasks = await engine.dispatcher
    .poll({ workerId, waitMs, max, availableSkills, signal: until })
    .catch((error: unknown) => {
      news?.leave()
      throw error
    })
  if (signal.aborted || !auth.stands(request, workerId)) {
    news?.leave()
    await Promise.all(tasks.map(({ task }) => engine.takeBacks.take(task, workerId)))
    // Its credentials may have ended while it waited: it is refused as it will be from now on.
    actingWorker(request, auth)
    return reply.status(204).send()
  }
  const answer = pollAnswer(query, { tasks, cancelTaskIds: news?.take() ?? [], now: now() })
  if (answer === undefined) return reply.status(204).send()
  useful.add(request)
  await lines.handed(tasks, workerId)
  return reply.send(answer)
}

interface PollOutcome {
  readonly tasks: readonly HandedTask[]
  readonly cancelTaskIds: readonly string[]
  readonly now: number
}

/** `undefined`: there is nothing to say. */
function pollAnswer(
  { batch }: PollQuery,
  { tasks, cancelTaskIds, now }: PollOutcome,
): TaskPayload | TaskBatch | undefined {
  const [first] = tasks
  if (first === undefined && cancelTaskIds.length === 0) return undefined
  if (first !== undefined && !batch) return payload(first, now)
  return {
    tasks: tasks.map((task) => payload(task, now)),
    ...(cancelTaskIds.length > 0 && { cancel_task_ids: [...cancelTaskIds] }),
  }
}

function payload({ task, leaseExpiresAt, deadlineAt }: HandedTask, now: number): TaskPayload {
  const { skillVersion, skillType } = task.demand
  return {
    job_id: task.jobId,
    task_id: task.taskId,
    type: task.demand.type,
    params: { ...task.params },
    tracing_context: { ...task.tracing },
    priority: task.priority,
    deadline: Math.floor(deadlineAt / 1000),
    deadline_in: Math.max(0, deadlineAt - now) / 1000,
    attempt: task.attempt,
    lease_expires_in: Math.max(0, leaseExpiresAt - now) / 1000,
    ...(skillVersion !== undefined && { skill_version: skillVersion }),
    ...(skillType !== undefined && { skill_type: skillType }),
  }
}

function acknowledgement(decision: Decision, metrics: Metrics): ResultAck {
  const taken = accepted(decision)
  if (taken.kind === 'ignored') {
    metrics.countIgnored(taken.reason)
    const message = `The result was not applied: ${taken.reason}.`
    return { status: 'ignored', reason: taken.reason, message }
  }
  return { status: 'accepted', transition: taken.answer?.transition ?? 'accepted' }
}
