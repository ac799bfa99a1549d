/** What most cases do first: put one thing into a store, or take it out again. */
import assert from 'node:assert/strict'
import type { Effect, OfferedTask } from '../../job/effect.ts'
import type { CommitEntry, Storage } from '../../ports/storage.ts'
import type { TaskClaim } from '../../ports/task-store.ts'
import { aJob, T0 } from '../builders.ts'
import { contractCase, type ContractCase } from '../contract-case.ts'

/** Length of the leases in these cases, in ms. */
export const LEASE_MS = 10_000

/** A case on one open store. */
export function storageCase(
  name: string,
  check: (storage: Storage) => Promise<void>,
): ContractCase<Storage> {
  return contractCase(name, check)
}

/** The entry that creates a job with these effects. */
export function creation(jobId: string, effects: readonly Effect[] = []): CommitEntry {
  return { job: aJob({ id: jobId }), expectedVersion: 0, effects }
}

/** The entry that changes a job which is at `expectedVersion`. */
export function change(
  jobId: string,
  expectedVersion: number,
  effects: readonly Effect[] = [],
): CommitEntry {
  const job = aJob({ id: jobId, version: expectedVersion + 1, state: 'changed' })
  return { job, expectedVersion, effects }
}

/** Commits one entry, which must be accepted. */
export async function committed(storage: Storage, entry: CommitEntry): Promise<void> {
  assert.deepEqual(await storage.commit([entry]), [{ kind: 'committed' }])
}

/** Creates a job per task, in order, each with its task on offer. */
export async function offered(storage: Storage, ...tasks: readonly OfferedTask[]): Promise<void> {
  for (const task of tasks) {
    await committed(storage, creation(task.jobId, [{ kind: 'offer_task', task }]))
  }
}

/** Creates a job per step, in order; job and step share a number. */
export async function readied(storage: Storage, ...numbers: readonly number[]): Promise<void> {
  for (const n of numbers) {
    const stepId = `step-${String(n)}`
    await committed(storage, creation(`job-${String(n)}`, [{ kind: 'run_step', stepId }]))
  }
}

/** Ids of the steps that a holder is given. */
export async function stepsFor(
  storage: Storage,
  claim: { readonly holder: string; readonly now?: number; readonly limit?: number },
): Promise<readonly string[]> {
  const steps = await storage.claimSteps({ now: T0, limit: 100, leaseMs: LEASE_MS, ...claim })
  return steps.map(({ stepId }) => stepId)
}

/** Ids of the tasks that a worker is given; it asks for `resize` with room for many. */
export async function tasksFor(
  storage: Storage,
  workerId: string,
  claim: Partial<TaskClaim> = {},
): Promise<readonly string[]> {
  const defaults = { classIds: ['resize'], limit: 100, capacity: 100, now: T0, leaseMs: LEASE_MS }
  const claimed = await storage.claimTasks({ workerId, ...defaults, ...claim })
  return claimed.map(({ task }) => task.taskId)
}

/** Ids of the tasks whose lease has run out by `now`. */
export async function lostTasks(storage: Storage, now: number): Promise<readonly string[]> {
  const lost = await storage.claimLostTasks({ now, leaseMs: LEASE_MS, limit: 100 })
  return lost.map(({ taskId }) => taskId)
}
