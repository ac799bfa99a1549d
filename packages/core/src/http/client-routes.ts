/** What clients ask for: create, read, cancel, and look around. */
import {
  HEADERS,
  InputError,
  isJsonObject,
  NotFoundError,
  parseCreateJobBody,
} from '@avtomatika/protocol'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { BlueprintDefinition } from '../blueprint/definition.ts'
import type { BlueprintRegistry } from '../blueprint/registry.ts'
import type { Engine } from '../engine/engine.ts'
import { toJsonObject } from '../json/to-json.ts'
import type { ClientAuth } from './client-auth.ts'
import { disconnectSignal } from './disconnect-signal.ts'
import { historyRow, jobView } from './job-view.ts'
import { tracingOf } from './tracing.ts'
import { workerView } from './worker-view.ts'

export interface ClientRoutesOptions {
  readonly engine: Engine
  readonly blueprints: BlueprintRegistry
  readonly auth: ClientAuth
}

/** Longest time that a read of a job may wait for a change, in seconds. */
const MAX_WAIT_SECONDS = 60
const MAX_KEY_LENGTH = 255
const QUARANTINE_LIMIT = 1000

interface JobParams {
  readonly Params: { readonly jobId: string }
}

interface ReadJob extends JobParams {
  readonly Querystring: { readonly wait?: string; readonly since?: string }
}

/** Routes that exist under every version of the API. */
export function commonClientRoutes(app: FastifyInstance, options: ClientRoutesOptions): void {
  const { engine, auth } = options
  app.get<ReadJob>('/jobs/:jobId', async (request, reply) => {
    const job = await engine.readJob(request.params.jobId, auth(request).clientId)
    const waitMs = waitOf(request.query.wait)
    if (waitMs === 0 || job.wait === null) return jobView(job)
    const changedAfter = momentOf(request.query.since)
    const signal = disconnectSignal(reply)
    return jobView(await engine.readChangedJob(job, { waitMs, changedAfter, signal }))
  })
  app.post<JobParams>('/jobs/:jobId/cancel', async (request) => {
    await engine.cancelJob(request.params.jobId, auth(request).clientId)
    return { status: 'cancellation_request_accepted' }
  })
  app.get<JobParams>('/jobs/:jobId/history', async (request) => {
    const rows = await engine.historyOf(request.params.jobId, auth(request).clientId)
    return rows.map(historyRow)
  })
  app.get('/workers', async (request) => {
    auth(request)
    const workers = await engine.fleet.list()
    return workers.map(workerView)
  })
  app.post('/jobs', (request, reply) => createByName(request, reply, options))
}

/** The route that creates jobs of one blueprint. */
export function createRoute(
  app: FastifyInstance,
  blueprint: BlueprintDefinition,
  options: ClientRoutesOptions,
): void {
  if (blueprint.endpoint === null) return
  app.post(blueprint.endpoint, (request, reply) =>
    create({ request, reply, body: request.body, blueprint }, options),
  )
}

/** Quarantined jobs of the caller; ids, as older clients expect. */
export function quarantineRoute(app: FastifyInstance, { engine, auth }: ClientRoutesOptions): void {
  app.get('/_public/jobs/quarantined', async (request) => {
    const jobs = await engine.listQuarantined(auth(request).clientId, QUARANTINE_LIMIT)
    return jobs.map(({ id }) => id)
  })
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
  const owner = auth(request)
  const { initialData, metadata, webhookUrl, dispatchTimeoutMs, resultTimeoutMs } =
    parseCreateJobBody(body)
  const { jobId } = await engine.createJob({
    blueprint,
    initialData,
    owner,
    tracing: tracingOf(request.headers),
    metadata: toJsonObject(metadata ?? {}, 'metadata'),
    webhookUrl,
    dispatchTimeoutMs,
    resultTimeoutMs,
    idempotencyKey: idempotencyKeyOf(request),
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

function idempotencyKeyOf({ headers }: FastifyRequest): string | undefined {
  const key = headers[HEADERS.idempotencyKey]
  if (key === undefined) return undefined
  if (typeof key === 'string' && key !== '' && key.length <= MAX_KEY_LENGTH) return key
  const message = `Idempotency-Key must have 1 to ${String(MAX_KEY_LENGTH)} characters.`
  throw new InputError('INVALID_REQUEST', { message })
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
