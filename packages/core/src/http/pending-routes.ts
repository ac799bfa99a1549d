/** Tasks that no worker has taken yet, and why. */
import {
  parsePendingTasksQuery,
  type PendingTask as PendingTaskView,
  type PendingTasksView,
} from '@avtomatika/protocol'
import type { FastifyInstance } from 'fastify'
import type { PendingTask } from '../engine/matching/shortages.ts'
import { scopeOf } from './client-auth.ts'
import type { ClientRoutesOptions } from './client-routes-options.ts'
import { iso } from './job-view.ts'

export function pendingRoutes(app: FastifyInstance, { engine, auth }: ClientRoutesOptions): void {
  app.get('/tasks/pending', async (request): Promise<PendingTasksView> => {
    const ownerId = scopeOf(auth.callerOf(request))
    const { limit } = parsePendingTasksQuery(request.query)
    const tasks = await engine.shortages.list({ ownerId, limit })
    return { tasks: tasks.map(pendingTaskView) }
  })
}

export function pendingTaskView(task: PendingTask): PendingTaskView {
  const { job, run, branch, waitedMs, expiresAt, shortage } = task
  return {
    task_id: run.taskId,
    job_id: job.id,
    blueprint_name: job.blueprint.name,
    type: run.spec.demand.type,
    branch,
    priority: run.spec.priority,
    attempt: run.attempt,
    dispatched_at: iso(run.dispatchedAt),
    waiting_seconds: waitedMs / 1000,
    expires_at: expiresAt === null ? null : iso(expiresAt),
    why: shortage.text,
    workers: shortage.workers,
    reasons: shortage.reasons.map(({ kind, count, text }) => ({ reason: kind, count, text })),
  }
}
