/** For how long a worker has a task that is on its way to it. */
import type { TaskClaim } from '../../ports/task-store.ts'
import type { WorkerRecord } from '../../ports/worker-record.ts'
import { hasFeature } from '../workers/has-feature.ts'

/**
 * A worker that acknowledges does so within 5 s of the answer to its poll, for which the orchestrator that
 * gives the answer waits. This is for when that one is no more (W8): twice as long, since it begins with
 * the claim, and what is written before the answer may take its time.
 */
const UNACKNOWLEDGED_LEASE_MS = 10_000

/** @param leaseMs - how long a worker may be silent that has received its task. */
export function handOverLease(
  worker: WorkerRecord,
  leaseMs: number,
): Pick<TaskClaim, 'leaseMs' | 'isToAcknowledge'> {
  if (!hasFeature(worker, 'acks')) return { leaseMs }
  return { leaseMs: Math.min(leaseMs, UNACKNOWLEDGED_LEASE_MS), isToAcknowledge: true }
}
