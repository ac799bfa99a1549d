/** What clients ask for: create, read, cancel, and look around. */
import {
  InputError,
  isJsonObject,
  MAX_QUARANTINE_JOBS,
  NotFoundError,
  parseCreateJobBody,
  type JobView,
} from '@avtomatika/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { BlueprintDefinition } from '../blueprint/definition.ts'
import type { Engine } from '../engine/engine.ts'
import type { ChangeWait } from '../engine/jobs/job-reads.ts'
import type { Job } from '../job/job.ts'
import { toJsonObject } from '../json/to-json.ts'
import { approvalPaths } from './approval-paths.ts'
import { scopeOf } from './client-auth.ts'
import { CREATES_JOBS } from './client-rate-limit.ts'
import type { ClientRoutesOptions, JobParams } from './client-routes-options.ts'
import { disconnectSignal } from './disconnect-signal.ts'
import { historyRow } from './history-view.ts'
import { idempotencyKeyOf } from './idempotency-key.ts'
import { jobView } from './job-view.ts'
import { pendingTaskView } from './pending-routes.ts'
import { tracingOf } from './tracing.ts'
import { workerView } from './worker-view.ts'

/** Longest time that a read of a job may wait for a change, in seconds. */
const MAX_WAIT_SECONDS = 60
/** Most tasks that a job's view tells of. */
const MAX_PENDING = 20
/** A task that is taken sooner needs no explanation. */
const WORTH_TELLING_MS = 1_000

interface ReadJob extends JobParams {
  readonly Querystring: { readonly wait?: string; readonly since?: string }
}

/** Routes that exist under every version of the API. */
export function commonClientRoutes(app: FastifyInstance, options: ClientRoutesOptions): void {
  const { engine, auth } = options
  app.get<ReadJob>('/jobs/:jobId', (request, reply) => read(request, reply, options))
  app.post<JobParams>('/jobs/:jobId/cancel', async (request) => {
    await engine.cancelJob(request.params.jobId, scopeOf(auth.callerOf(request)))
    return { status: 'cancellation_request_accepted' }
  })
  app.get<JobParams>('/jobs/:jobId/history', async (request) => {
    const rows = await engine.historyOf(request.params.jobId, scopeOf(auth.callerOf(request)))
    return rows.map(historyRow)
  })
  app.get('/workers', async (request) => {
    auth.callerOf(request)
    const workers = await engine.fleet.list()
    return workers.map(workerView)
  })
  app.post('/jobs', CREATES_JOBS, (request, reply) => createByName(request, reply, options))
}

/** The route that creates jobs of one blueprint. */
export function createRoute(
  app: FastifyInstance,
  blueprint: BlueprintDefinition,
  options: ClientRoutesOptions,
): void {
  if (blueprint.endpoint === null) return
  app.post(blueprint.endpoint, CREATES_JOBS, (request, reply) =>
    create({ request, reply, body: request.body, blueprint }, options),
  )
}

/** Quarantined jobs that the caller may see; ids, as older clients expect. */
export function quarantineRoute(app: FastifyInstance, { engine, auth }: ClientRoutesOptions): void {
  app.get('/_public/jobs/quarantined', async (request) => {
    const scope = scopeOf(auth.callerOf(request))
    const jobs = await engine.listQuarantined(MAX_QUARANTINE_JOBS, scope)
    return jobs.map(({ id }) => id)
  })
}

async function read(
  request: FastifyRequest<ReadJob>,
  reply: FastifyReply,
  options: ClientRoutesOptions,
): Promise<JobView> {
  const { engine, auth } = options
  const caller = auth.callerOf(request)
  const latest = await readOrAwait(request, reply, { engine, scope: scopeOf(caller) })
  const pending = engine.shortages.inJob(latest, { limit: MAX_PENDING, waitedMs: WORTH_TELLING_MS })
  return {
    ...jobView(latest, approvalPaths(latest, caller, options)),
    pending_tasks: pending.map(pendingTaskView),
  }
}

interface Creation {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly body: unknown
  readonly blueprint: BlueprintDefinition
}

async function create(
  { request, reply, body, blueprint }: Creation,
  { engine, auth }: ClientRoutesOptions,
): Promise<FastifyReply> {
  const { owner, monthlyAttempts } = auth.callerOf(request)
  const { initialData, metadata, webhookUrl, ...timeouts } = parseCreateJobBody(body)
  const { dispatchTimeoutMs, resultTimeoutMs, jobTimeoutMs } = timeouts
  const { jobId } = await engine.createJob({
    blueprint,
    initialData,
    owner,
    tracing: tracingOf(request.headers),
    metadata: toJsonObject(metadata ?? {}, 'metadata'),
    webhookUrl,
    dispatchTimeoutMs,
    resultTimeoutMs,
    jobTimeoutMs,
    idempotencyKey: idempotencyKeyOf(request),
    monthlyAttempts,
  })
  return reply.status(202).send({ status: 'accepted', job_id: jobId })
}

/** `{ "blueprint": "…", "initial_data": {…} }`: also for blueprints without an endpoint. */
async function createByName(
  request: FastifyRequest,
  reply: FastifyReply,
  options: ClientRoutesOptions,
): Promise<FastifyReply> {
  const body = request.body
  if (!isJsonObject(body)) throw new InputError('INVALID_JSON', { message: 'Invalid JSON body' })
  const { blueprint: name, ...rest } = body
  if (typeof name !== 'string') {
    const message = 'blueprint: expected the name of a blueprint'
    throw new InputError('INVALID_REQUEST', { message, details: { path: 'blueprint' } })
  }
  const blueprint = options.blueprints.findByName(name)
  if (blueprint === undefined) {
    const message = `There is no blueprint '${name}'.`
    throw new NotFoundError('BLUEPRINT_NOT_FOUND', { message })
  }
  return create({ request, reply, body: rest, blueprint }, options)
}

async function readOrAwait(
  { params: { jobId }, query }: FastifyRequest<ReadJob>,
  reply: FastifyReply,
  { engine, scope }: { readonly engine: Engine; readonly scope: string | undefined },
): Promise<Job> {
  let wait: ChangeWait
  try {
    const changedAfter = momentOf(query.since)
    wait = { waitMs: waitOf(query.wait), changedAfter, signal: disconnectSignal(reply) }
  } catch (error) {
    // That there is no such job says more than what else is wrong.
    await engine.reads.read(jobId, scope)
    throw error
  }
  return wait.waitMs > 0 ? engine.reads.await(jobId, scope, wait) : engine.reads.read(jobId, scope)
}

function waitOf(wait: string | undefined): number {
  if (wait === undefined) return 0
  const seconds = Number(wait)
  if (wait !== '' && Number.isFinite(seconds) && seconds >= 0) {
    return Math.min(seconds, MAX_WAIT_SECONDS) * 1000
  }
  const message = `wait must be a number of seconds, got '${wait}'.`
  throw new InputError('INVALID_REQUEST', { message })
}

function momentOf(since: string | undefined): number | undefined {
  if (since === undefined) return undefined
  const at = Date.parse(since)
  if (Number.isFinite(at)) return at
  const message = `since must be a time such as the job's updated_at, got '${since}'.`
  throw new InputError('INVALID_REQUEST', { message })
}
