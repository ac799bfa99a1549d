/** Quarantine is a place to work in: look, let go on, give up; one by one or many at once. */
import {
  errorStatus,
  parseDiscardJobsBody,
  parseQuarantineQuery,
  parseRetryJobBody,
  parseRetryJobsBody,
  toErrorBody,
  type JobDiscarded,
  type JobRetried,
  type JsonObject,
  type QuarantineResult,
  type QuarantineResults,
  type QuarantineView,
} from '@avtomatika/protocol'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { toJsonObject } from '../json/to-json.ts'
import { scopeOf } from './client-auth.ts'
import type { ClientRoutesOptions, JobParams } from './client-routes-options.ts'
import { jobView } from './job-view.ts'
import { mapBounded } from './map-bounded.ts'

/** How many jobs of one request are worked on at a time. */
const AT_A_TIME = 16

export function quarantineRoutes(app: FastifyInstance, options: ClientRoutesOptions): void {
  const { engine, auth } = options
  app.get('/quarantine', async (request): Promise<QuarantineView> => {
    const scope = scopeOf(auth.callerOf(request))
    const { limit } = parseQuarantineQuery(request.query)
    const jobs = await engine.listQuarantined(limit, scope)
    return { jobs: jobs.map((job) => jobView(job)) }
  })
  app.post<JobParams>('/jobs/:jobId/retry', async (request): Promise<JobRetried> => {
    const { jobId } = request.params
    const scope = scopeOf(auth.callerOf(request))
    const { data } = parseRetryJobBody(request.body)
    await engine.desk.retry(jobId, patchOf(data), scope)
    return { status: 'retried', job_id: jobId }
  })
  app.post<JobParams>('/jobs/:jobId/discard', async (request): Promise<JobDiscarded> => {
    const { jobId } = request.params
    await engine.desk.discard(jobId, scopeOf(auth.callerOf(request)))
    return { status: 'discarded', job_id: jobId }
  })
  bulkRoutes(app, options)
}

function bulkRoutes(app: FastifyInstance, { engine, auth }: ClientRoutesOptions): void {
  app.post('/quarantine/retry', (request) => {
    const scope = scopeOf(auth.callerOf(request))
    const { ids, data } = parseRetryJobsBody(request.body)
    const patch = patchOf(data)
    const retry = (jobId: string): Promise<void> => engine.desk.retry(jobId, patch, scope)
    return forEach(request, ids, { status: 'retried', act: retry })
  })
  app.post('/quarantine/discard', (request) => {
    const scope = scopeOf(auth.callerOf(request))
    const { ids } = parseDiscardJobsBody(request.body)
    const discard = (jobId: string): Promise<void> => engine.desk.discard(jobId, scope)
    return forEach(request, ids, { status: 'discarded', act: discard })
  })
}

interface Deed {
  readonly status: Exclude<QuarantineResult['status'], 'error'>
  readonly act: (jobId: string) => Promise<void>
}

/** What one job refuses, or fails at, is no reason to leave the others. */
async function forEach(
  request: FastifyRequest,
  ids: readonly string[],
  { status, act }: Deed,
): Promise<QuarantineResults> {
  const results = await mapBounded(ids, AT_A_TIME, async (id): Promise<QuarantineResult> => {
    try {
      await act(id)
      return { job_id: id, status, error: null }
    } catch (error) {
      if (errorStatus(error) >= 500) request.log.error({ err: error, jobId: id }, 'request failed')
      const { code, error: message } = toErrorBody(error)
      return { job_id: id, status: 'error', error: { code, message } }
    }
  })
  return { results: [...results] }
}

function patchOf(data: Record<string, unknown> | undefined): JsonObject | null {
  return data === undefined ? null : toJsonObject(data, 'data')
}
