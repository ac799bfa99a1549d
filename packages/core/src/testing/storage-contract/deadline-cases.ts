/** Deadlines: S8, S10. */
import assert from 'node:assert/strict'
import type { Effect } from '../../job/effect.ts'
import type { DueDeadline, Storage } from '../../ports/storage.ts'
import { aTask, T0 } from '../builders.ts'
import type { ContractCase } from '../contract-case.ts'
import {
  change,
  committed,
  creation,
  LEASE_MS,
  lostTasks,
  offered,
  storageCase,
  tasksFor,
} from './acts.ts'

function setTo(at: number): readonly Effect[] {
  return [{ kind: 'set_deadline', key: 'wait', at }]
}

function jobTo(at: number): readonly Effect[] {
  return [{ kind: 'set_deadline', key: 'job', at }]
}

function due(storage: Storage, now: number, limit = 100): Promise<readonly DueDeadline[]> {
  return storage.claimDueDeadlines({ now, leaseMs: LEASE_MS, limit })
}

function deadline(jobId: string, at: number): DueDeadline {
  return { jobId, key: 'wait', at }
}

function ofJob(jobId: string, at: number): DueDeadline {
  return { jobId, key: 'job', at }
}

export const deadlineCases: readonly ContractCase<Storage>[] = [
  storageCase(
    'S8 a deadline is due at its moment by the time given, not before',
    async (storage) => {
      await committed(storage, creation('job-1', setTo(T0 + 100)))
      assert.deepEqual(await due(storage, T0 + 99), [])
      assert.deepEqual(await due(storage, T0 + 100), [deadline('job-1', T0 + 100)])
    },
  ),
  storageCase(
    'S10 due deadlines are handed out earliest first, no more than asked for',
    async (storage) => {
      await committed(storage, creation('job-1', setTo(T0 + 3)))
      await committed(storage, creation('job-2', setTo(T0 + 1)))
      await committed(storage, creation('job-3', setTo(T0 + 2)))
      const first = await due(storage, T0 + 9, 2)
      assert.deepEqual(first, [deadline('job-2', T0 + 1), deadline('job-3', T0 + 2)])
      assert.deepEqual(await due(storage, T0 + 9), [deadline('job-1', T0 + 3)])
    },
  ),
  storageCase(
    'S10 a claimed deadline is handed out again when its lease has run out (D-25)',
    async (storage) => {
      await committed(storage, creation('job-1', setTo(T0)))
      assert.equal((await due(storage, T0)).length, 1)
      assert.deepEqual(await due(storage, T0 + LEASE_MS - 1), [])
      assert.deepEqual(await due(storage, T0 + LEASE_MS), [deadline('job-1', T0)])
    },
  ),
  storageCase('S10 deadlines claimed at the same time are claimed once', async (storage) => {
    for (const id of ['job-1', 'job-2', 'job-3']) await committed(storage, creation(id, setTo(T0)))
    const claims = await Promise.all([
      due(storage, T0, 2),
      due(storage, T0, 2),
      due(storage, T0, 2),
    ])
    const ids = claims.flat().map(({ jobId }) => jobId)
    assert.deepEqual(ids.toSorted(), ['job-1', 'job-2', 'job-3'])
  }),
  storageCase('S10 a deadline set anew replaces the one before (D-7)', async (storage) => {
    await committed(storage, creation('job-1', setTo(T0 + 1)))
    await committed(storage, change('job-1', 1, setTo(T0 + 50)))
    assert.deepEqual(await due(storage, T0 + 49), [])
    assert.deepEqual(await due(storage, T0 + 50), [deadline('job-1', T0 + 50)])
  }),
  storageCase('S10 a deadline may be moved forward', async (storage) => {
    await committed(storage, creation('job-1', setTo(T0 + 50)))
    await committed(storage, change('job-1', 1, setTo(T0 + 1)))
    assert.deepEqual(await due(storage, T0 + 1), [deadline('job-1', T0 + 1)])
  }),
  storageCase('S10 a cleared deadline is never due', async (storage) => {
    await committed(storage, creation('job-1', setTo(T0)))
    await committed(storage, creation('job-2', setTo(T0)))
    await committed(storage, change('job-1', 1, [{ kind: 'clear_deadline', key: 'wait' }]))
    assert.deepEqual(await due(storage, T0), [deadline('job-2', T0)])
  }),
  storageCase('S10 clearing a claimed deadline ends it', async (storage) => {
    await committed(storage, creation('job-1', setTo(T0)))
    await due(storage, T0)
    await committed(storage, change('job-1', 1, [{ kind: 'clear_deadline', key: 'wait' }]))
    assert.deepEqual(await due(storage, T0 + LEASE_MS), [])
  }),
  storageCase(
    'S10 a deadline moved while it was claimed is due at its new moment',
    async (storage) => {
      await committed(storage, creation('job-1', setTo(T0)))
      await due(storage, T0)
      await committed(storage, change('job-1', 1, setTo(T0 + 5)))
      assert.deepEqual(await due(storage, T0 + 5), [deadline('job-1', T0 + 5)])
    },
  ),
  storageCase('S10 a claimed deadline without use is dropped', async (storage) => {
    await committed(storage, creation('job-1', setTo(T0)))
    await due(storage, T0)
    await storage.dropDeadline(deadline('job-1', T0))
    assert.deepEqual(await due(storage, T0 + LEASE_MS), [])
    assert.equal(await storage.nextDueAt(), undefined)
  }),
  storageCase('S10 dropping spares a deadline that was moved meanwhile', async (storage) => {
    await committed(storage, creation('job-1', setTo(T0)))
    await due(storage, T0)
    await committed(storage, change('job-1', 1, setTo(T0 + 5)))
    await storage.dropDeadline(deadline('job-1', T0))
    assert.deepEqual(await due(storage, T0 + 5), [deadline('job-1', T0 + 5)])
  }),
  storageCase(
    'S10 dropping spares a deadline set anew to the very same moment',
    async (storage) => {
      await committed(storage, creation('job-1', setTo(T0)))
      await due(storage, T0)
      await committed(storage, change('job-1', 1, setTo(T0)))
      await storage.dropDeadline(deadline('job-1', T0))
      assert.deepEqual(await due(storage, T0), [deadline('job-1', T0)])
    },
  ),
  storageCase('S10 with nothing to wait for there is no next moment', async (storage) => {
    assert.equal(await storage.nextDueAt(), undefined)
    await offered(storage, aTask())
    assert.equal(await storage.nextDueAt(), undefined)
  }),
  storageCase('S10 the next moment is that of the earliest deadline', async (storage) => {
    await committed(storage, creation('job-1', setTo(T0 + 8)))
    await committed(storage, creation('job-2', setTo(T0 + 4)))
    assert.equal(await storage.nextDueAt(), T0 + 4)
    await committed(storage, change('job-2', 1, [{ kind: 'clear_deadline', key: 'wait' }]))
    assert.equal(await storage.nextDueAt(), T0 + 8)
  }),
  storageCase(
    'S10 the next moment counts the leases of deadlines, tasks and lost tasks',
    async (storage) => {
      await committed(storage, creation('job-0', setTo(T0)))
      await due(storage, T0 + 7)
      assert.equal(await storage.nextDueAt(), T0 + 7 + LEASE_MS)
      await offered(storage, aTask())
      await tasksFor(storage, 'w', { now: T0 + 1 })
      assert.equal(await storage.nextDueAt(), T0 + 1 + LEASE_MS)
      await lostTasks(storage, T0 + 1 + LEASE_MS)
      await storage.dropDeadline(deadline('job-0', T0))
      assert.equal(await storage.nextDueAt(), T0 + 1 + 2 * LEASE_MS)
    },
  ),
  storageCase('S10 both deadlines of a job are handed out, each by its key', async (storage) => {
    await committed(storage, creation('job-1', [...setTo(T0 + 2), ...jobTo(T0 + 1)]))
    assert.deepEqual(await due(storage, T0 + 2), [
      ofJob('job-1', T0 + 1),
      deadline('job-1', T0 + 2),
    ])
  }),
  storageCase('S10 setting one deadline of a job leaves the other as it is', async (storage) => {
    await committed(storage, creation('job-1', [...setTo(T0 + 5), ...jobTo(T0 + 5)]))
    await committed(storage, change('job-1', 1, setTo(T0 + 50)))
    assert.deepEqual(await due(storage, T0 + 5), [ofJob('job-1', T0 + 5)])
    await committed(storage, change('job-1', 2, jobTo(T0 + 90)))
    assert.deepEqual(await due(storage, T0 + 50), [deadline('job-1', T0 + 50)])
    assert.equal(await storage.nextDueAt(), T0 + 90)
  }),
  storageCase('S10 clearing one deadline of a job leaves the other as it is', async (storage) => {
    const both = [...setTo(T0), ...jobTo(T0)]
    await committed(storage, creation('job-1', both))
    await committed(storage, creation('job-2', both))
    await committed(storage, change('job-1', 1, [{ kind: 'clear_deadline', key: 'job' }]))
    await committed(storage, change('job-2', 1, [{ kind: 'clear_deadline', key: 'wait' }]))
    const left = (await due(storage, T0)).map(({ jobId, key }) => `${jobId} ${key}`)
    assert.deepEqual(left.toSorted(), ['job-1 wait', 'job-2 job'])
  }),
  storageCase('S10 the two deadlines of a job are leased apart (D-25)', async (storage) => {
    await committed(storage, creation('job-1', [...setTo(T0), ...jobTo(T0 + 5)]))
    assert.deepEqual(await due(storage, T0), [deadline('job-1', T0)])
    assert.deepEqual(await due(storage, T0 + 5), [ofJob('job-1', T0 + 5)])
    assert.deepEqual(await due(storage, T0 + LEASE_MS), [deadline('job-1', T0)])
    assert.deepEqual(await due(storage, T0 + 5 + LEASE_MS), [ofJob('job-1', T0 + 5)])
  }),
  storageCase('S10 dropping one deadline of a job leaves the other as it is', async (storage) => {
    await committed(storage, creation('job-1', [...setTo(T0), ...jobTo(T0)]))
    assert.equal((await due(storage, T0)).length, 2)
    await storage.dropDeadline(deadline('job-1', T0))
    assert.deepEqual(await due(storage, T0 + LEASE_MS), [ofJob('job-1', T0)])
  }),
  storageCase('S10 the two deadlines of a job do not touch each other', async (storage) => {
    await committed(storage, creation('job-1', [...setTo(T0 + 100), ...jobTo(T0 + 200)]))
    await committed(storage, change('job-1', 1, [{ kind: 'clear_deadline', key: 'wait' }]))
    assert.deepEqual(await due(storage, T0 + 100), [])
    const claimed = ofJob('job-1', T0 + 200)
    assert.deepEqual(await due(storage, T0 + 200), [claimed])
    await committed(storage, change('job-1', 2, setTo(T0 + 200)))
    await storage.dropDeadline(claimed)
    assert.deepEqual(await due(storage, T0 + 200), [deadline('job-1', T0 + 200)])
  }),
]
