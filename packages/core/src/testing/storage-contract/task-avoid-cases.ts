/** Tasks that avoid a worker for a while: S7, S8. */
import assert from 'node:assert/strict'
import type { OfferedTask } from '../../job/effect.ts'
import type { Storage } from '../../ports/storage.ts'
import { aTask, T0 } from '../builders.ts'
import type { ContractCase } from '../contract-case.ts'
import { change, committed, LEASE_MS, offered, storageCase, tasksFor } from './acts.ts'

const UNTIL = T0 + 1_000

/** Task and job share a number. */
function task(n: number, fields: Partial<OfferedTask> = {}): OfferedTask {
  return aTask({ taskId: `task-${String(n)}`, jobId: `job-${String(n)}`, ...fields })
}

/** A task that `w`, if nobody else is named, has just failed. */
function avoiding(n: number, fields: Partial<OfferedTask> = {}, workerId = 'w'): OfferedTask {
  return task(n, { ...fields, avoid: { workerId, until: UNTIL } })
}

const crop = { demand: { type: 'crop' } }
const both = { classIds: ['resize', 'crop'] }

export const taskAvoidCases: readonly ContractCase<Storage>[] = [
  storageCase('S7 a task that avoids a worker goes to another at once (D-28)', async (storage) => {
    await offered(storage, avoiding(1))
    assert.deepEqual(await tasksFor(storage, 'w'), [])
    assert.deepEqual(await tasksFor(storage, 'other'), ['task-1'])
  }),
  storageCase('S7 a task avoids a worker until its moment, not longer', async (storage) => {
    await offered(storage, avoiding(1))
    assert.deepEqual(await tasksFor(storage, 'w', { now: UNTIL - 1 }), [])
    assert.deepEqual(await tasksFor(storage, 'w', { now: UNTIL }), ['task-1'])
  }),
  storageCase('S8 the moment is looked at by the time given with each claim', async (storage) => {
    await offered(storage, avoiding(1), avoiding(2))
    assert.deepEqual(await tasksFor(storage, 'w', { now: UNTIL + 5, limit: 1 }), ['task-1'])
    assert.deepEqual(await tasksFor(storage, 'w', { now: UNTIL - 1 }), [])
    assert.deepEqual(await tasksFor(storage, 'w', { now: UNTIL }), ['task-2'])
  }),
  storageCase('S3 a task says whom it avoids when it is handed out', async (storage) => {
    await offered(storage, avoiding(1))
    const claim = { workerId: 'other', classIds: ['resize'], limit: 1, capacity: 1 }
    const claimed = await storage.claimTasks({ ...claim, now: T0, leaseMs: LEASE_MS })
    assert.deepEqual(claimed, [{ task: avoiding(1), leaseExpiresAt: T0 + LEASE_MS }])
  }),
  storageCase(
    'S7 what stands behind a task that avoids it is not kept from it',
    async (storage) => {
      await offered(storage, avoiding(1, { priority: 5 }), avoiding(2), task(3), task(4, crop))
      assert.deepEqual(await tasksFor(storage, 'w', both), ['task-3', 'task-4'])
      assert.equal(await storage.countOfferedTasks(), 2)
    },
  ),
  storageCase('S7 a task that was passed over keeps its place', async (storage) => {
    await offered(storage, task(1), avoiding(2), task(3), task(4))
    assert.deepEqual(await tasksFor(storage, 'w', { limit: 2 }), ['task-1', 'task-3'])
    await offered(storage, task(5))
    assert.deepEqual(await tasksFor(storage, 'other'), ['task-2', 'task-4', 'task-5'])
  }),
  storageCase(
    'S7 tasks passed over together keep their order among themselves',
    async (storage) => {
      await offered(storage, avoiding(3), avoiding(1), avoiding(2, { priority: 1 }), avoiding(4))
      assert.deepEqual(await tasksFor(storage, 'w'), [])
      assert.deepEqual(await tasksFor(storage, 'w'), [])
      const expected = ['task-2', 'task-3', 'task-1', 'task-4']
      assert.deepEqual(await tasksFor(storage, 'other'), expected)
    },
  ),
  storageCase('S7 the worker itself finds it at its old place afterwards', async (storage) => {
    await offered(storage, avoiding(1))
    assert.deepEqual(await tasksFor(storage, 'w'), [])
    await offered(storage, task(2), task(3, { priority: 1 }))
    assert.deepEqual(await tasksFor(storage, 'w', { now: UNTIL }), ['task-3', 'task-1', 'task-2'])
  }),
  storageCase('S7 a task passed over takes nothing of limit and capacity', async (storage) => {
    await offered(storage, avoiding(1), avoiding(2), task(3), avoiding(4), task(5), task(6))
    assert.deepEqual(await tasksFor(storage, 'w', { limit: 2 }), ['task-3', 'task-5'])
    assert.deepEqual(await tasksFor(storage, 'w', { capacity: 2 }), [])
    assert.deepEqual(await tasksFor(storage, 'w', { capacity: 3 }), ['task-6'])
  }),
  storageCase('S7 each task avoids its own worker only', async (storage) => {
    await offered(storage, avoiding(1, {}, 'a'), avoiding(2, {}, 'b'), avoiding(3, {}, 'a'))
    assert.deepEqual(await tasksFor(storage, 'b'), ['task-1', 'task-3'])
    assert.deepEqual(await tasksFor(storage, 'a'), ['task-2'])
  }),
  storageCase(
    'S7 priority and order hold across classes around what is passed over',
    async (storage) => {
      const tasks = [
        task(1),
        avoiding(2, { ...crop, priority: 9 }),
        task(3, { ...crop, priority: 5 }),
        avoiding(4, { priority: 7 }),
        task(5, crop),
      ]
      await offered(storage, ...tasks)
      assert.deepEqual(await tasksFor(storage, 'w', both), ['task-3', 'task-1', 'task-5'])
      assert.deepEqual(await tasksFor(storage, 'other', both), ['task-2', 'task-4'])
    },
  ),
  storageCase('S3 a task passed over is counted, and can be taken back (D-16)', async (storage) => {
    await offered(storage, avoiding(1), avoiding(2), avoiding(3))
    await tasksFor(storage, 'w')
    assert.equal(await storage.countOfferedTasks(), 3)
    await committed(storage, change('job-1', 1, [{ kind: 'withdraw_task', taskId: 'task-1' }]))
    await storage.dropTask('task-2')
    assert.equal(await storage.countOfferedTasks(), 1)
    assert.deepEqual(await tasksFor(storage, 'other'), ['task-3'])
  }),
  storageCase('S4 claims made at the same time share no task that avoids one', async (storage) => {
    await offered(storage, avoiding(1), task(2), avoiding(3), task(4))
    const workers = ['w', 'a', 'w', 'b']
    const claims = await Promise.all(workers.map((id) => tasksFor(storage, id, { limit: 2 })))
    const ofW = [...(claims[0] ?? []), ...(claims[2] ?? [])]
    assert.equal(ofW.includes('task-1') || ofW.includes('task-3'), false)
    assert.deepEqual(claims.flat().toSorted(), ['task-1', 'task-2', 'task-3', 'task-4'])
  }),
]
