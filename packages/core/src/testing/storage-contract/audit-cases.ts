/** What makes sure that no job is forgotten, and that ended ones are. */
import assert from 'node:assert/strict'
import type { Storage } from '../../ports/storage.ts'
import { aJob, aTask, T0 } from '../builders.ts'
import type { ContractCase } from '../contract-case.ts'
import { committed, creation, lostTasks, LEASE_MS, storageCase, tasksFor } from './acts.ts'

const QUIET_MS = 60_000
const AGAIN_MS = 600_000

async function quiet(storage: Storage, now: number, limit = 100): Promise<readonly string[]> {
  const claim = { now, quietMs: QUIET_MS, leaseMs: AGAIN_MS, limit }
  return (await storage.claimQuietJobs(claim)).map(({ id }) => id)
}

type Status = 'finished' | 'failed' | 'cancelled' | 'quarantined'

/** Creates a job that ended at once. */
async function ended(storage: Storage, id: string, at: number, status: Status): Promise<void> {
  const job = aJob({ id, status, wait: null, updatedAt: at, finishedAt: at })
  await committed(storage, { job, expectedVersion: 0, effects: [] })
}

async function kept(storage: Storage, ...ids: readonly string[]): Promise<readonly string[]> {
  const jobs = await Promise.all(ids.map((id) => storage.findJob(id)))
  return jobs.flatMap((job) => (job === undefined ? [] : [job.id]))
}

export const auditCases: readonly ContractCase<Storage>[] = [
  storageCase('S3 a live job that nothing changes is found when it is quiet', async (storage) => {
    await committed(storage, creation('job-1'))
    assert.deepEqual(await quiet(storage, T0 + QUIET_MS - 1), [])
    assert.deepEqual(await quiet(storage, T0 + QUIET_MS), ['job-1'])
  }),
  storageCase('S3 a quiet job is found as it is now, and comes again later', async (storage) => {
    await committed(storage, creation('job-1'))
    const job = aJob({ id: 'job-1', version: 2, updatedAt: T0 + 5 })
    await committed(storage, { job, expectedVersion: 1, effects: [] })
    const now = T0 + 5 + QUIET_MS
    const claim = { now, quietMs: QUIET_MS, leaseMs: AGAIN_MS, limit: 9 }
    assert.deepEqual(await storage.claimQuietJobs(claim), [job])
    assert.deepEqual(await quiet(storage, now + AGAIN_MS - 1), [])
    assert.deepEqual(await quiet(storage, now + AGAIN_MS), ['job-1'])
  }),
  storageCase('S3 quiet jobs come longest first, no more than asked for', async (storage) => {
    for (const [id, updatedAt] of Object.entries({ c: T0 + 3, a: T0 + 1, b: T0 + 2 })) {
      const job = aJob({ id, updatedAt })
      await committed(storage, { job, expectedVersion: 0, effects: [] })
    }
    assert.deepEqual(await quiet(storage, T0 + 2 + QUIET_MS, 1), ['a'])
    assert.deepEqual(await quiet(storage, T0 + 2 + QUIET_MS), ['b'])
    assert.deepEqual(await quiet(storage, T0 + 3 + QUIET_MS), ['c'])
  }),
  storageCase('S3 a job that has changed or ended is not quiet', async (storage) => {
    for (const id of ['changed', 'ended', 'stuck']) await committed(storage, creation(id))
    const later = { version: 2, updatedAt: T0 + QUIET_MS }
    const end = { ...later, wait: null, finishedAt: T0 }
    for (const job of [
      aJob({ id: 'changed', ...later }),
      aJob({ id: 'ended', ...end, status: 'finished' }),
      aJob({ id: 'stuck', ...end, status: 'quarantined' }),
    ]) {
      await committed(storage, { job, expectedVersion: 1, effects: [] })
    }
    assert.deepEqual(await quiet(storage, T0 + QUIET_MS), [])
    assert.deepEqual(await quiet(storage, T0 + 9 * QUIET_MS), ['changed'])
  }),
  storageCase('S3 what a store holds is not missing, in whatever hands it is', async (storage) => {
    const tasks = ['offered', 'held', 'lost', 'reserved'].map((taskId) =>
      aTask({ taskId, demand: { type: taskId } }),
    )
    const effects = [
      ...tasks.map((task) => ({ kind: 'offer_task', task }) as const),
      { kind: 'run_step', stepId: 'ready' },
      { kind: 'run_step', stepId: 'leased' },
      { kind: 'set_deadline', key: 'wait', at: T0 + 1 },
      { kind: 'set_deadline', key: 'job', at: T0 + 9 * LEASE_MS },
    ] as const
    const reservation = { taskId: 'reserved', choose: 'best', now: T0, until: T0 + 1 } as const
    const reservations = [{ ...reservation, candidates: [{ workerId: 'w', capacity: 1 }] }]
    await committed(storage, { ...creation('job-1', effects), reservations })
    await tasksFor(storage, 'w', { classIds: ['lost'] })
    await lostTasks(storage, T0 + LEASE_MS)
    await tasksFor(storage, 'v', { classIds: ['held'], now: T0 + LEASE_MS })
    await storage.claimSteps({ holder: 'h', now: T0, leaseMs: LEASE_MS, limit: 1 })
    await storage.claimDueDeadlines({ now: T0 + 1, leaseMs: LEASE_MS, limit: 1 })
    const deadlines = (['wait', 'job'] as const).map((key) => ({ jobId: 'job-1', key }))
    const asked = {
      steps: ['ready', 'leased', 'gone'],
      tasks: ['offered', 'held', 'lost', 'reserved', 'gone'],
      offered: [],
      deadlines: [...deadlines, { jobId: 'job-2', key: 'wait' as const }],
    }
    assert.deepEqual(await storage.findMissing(asked, T0), {
      steps: ['gone'],
      tasks: ['gone'],
      offered: [],
      deadlines: [{ jobId: 'job-2', key: 'wait' }],
    })
    const nothing = { steps: [], tasks: [], offered: [], deadlines: [] }
    assert.deepEqual(await storage.findMissing(nothing, T0), nothing)
  }),
  storageCase('W8 a task that a worker has and should not have is missing', async (storage) => {
    const tasks = ['open', 'taken'].map((taskId) => aTask({ taskId, demand: { type: taskId } }))
    const effects = tasks.map((task) => ({ kind: 'offer_task', task }) as const)
    await committed(storage, creation('job-1', effects))
    await tasksFor(storage, 'w', { classIds: ['taken'] })
    const ids = ['open', 'taken']
    const asked = { steps: [], tasks: ids, offered: ids, deadlines: [] }
    assert.deepEqual((await storage.findMissing(asked, T0)).offered, [])
    const { tasks: gone, offered } = await storage.findMissing(asked, T0 + 1)
    assert.deepEqual([gone, offered], [[], ['taken']])
  }),
  storageCase('S3 jobs that ended before a moment can be forgotten', async (storage) => {
    await ended(storage, 'a', T0 + 1, 'finished')
    await ended(storage, 'b', T0 + 2, 'failed')
    await ended(storage, 'c', T0 + 3, 'cancelled')
    await committed(storage, creation('live'))
    const all = ['a', 'b', 'c', 'live']
    assert.equal(await storage.removeEndedJobs({ endedBefore: T0 + 1, limit: 9 }), 0)
    assert.deepEqual(await kept(storage, ...all), all)
    assert.equal(await storage.removeEndedJobs({ endedBefore: T0 + 3, limit: 1 }), 1)
    assert.deepEqual(await kept(storage, ...all), ['b', 'c', 'live'])
    assert.equal(await storage.removeEndedJobs({ endedBefore: T0 + 9, limit: 9 }), 2)
    assert.deepEqual(await kept(storage, ...all), ['live'])
  }),
  storageCase('S3 quarantined jobs stay until somebody has worked on them', async (storage) => {
    await ended(storage, 'stuck', T0, 'quarantined')
    assert.equal(await storage.removeEndedJobs({ endedBefore: T0 + 9, limit: 9 }), 0)
    assert.deepEqual(await kept(storage, 'stuck'), ['stuck'])
    const given = { id: 'stuck', version: 2, status: 'failed', wait: null } as const
    const job = aJob({ ...given, updatedAt: T0 + 1, finishedAt: T0 + 1 })
    await committed(storage, { job, expectedVersion: 1, effects: [] })
    assert.equal(await storage.removeEndedJobs({ endedBefore: T0 + 9, limit: 9 }), 1)
    assert.deepEqual(await kept(storage, 'stuck'), [])
  }),
  storageCase('S3 a job that goes on after quarantine is not forgotten', async (storage) => {
    await ended(storage, 'job-1', T0, 'quarantined')
    const job = aJob({ id: 'job-1', version: 2 })
    await committed(storage, { job, expectedVersion: 1, effects: [] })
    assert.equal(await storage.removeEndedJobs({ endedBefore: T0 + 9, limit: 9 }), 0)
    assert.deepEqual(await kept(storage, 'job-1'), ['job-1'])
    assert.deepEqual(await quiet(storage, T0 + QUIET_MS), ['job-1'])
  }),
]
