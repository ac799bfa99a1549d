/** Leases of tasks, and what becomes of a task whose worker is gone: S5, S6, S10, W7. */
import assert from 'node:assert/strict'
import type { Storage } from '../../ports/storage.ts'
import type { TaskRenewal } from '../../ports/task-store.ts'
import { aTask, aWorker, T0 } from '../builders.ts'
import type { ContractCase } from '../contract-case.ts'
import { change, committed, LEASE_MS, lostTasks, offered, storageCase, tasksFor } from './acts.ts'

const END = T0 + LEASE_MS

function task(n: number): ReturnType<typeof aTask> {
  return aTask({ taskId: `task-${String(n)}`, jobId: `job-${String(n)}` })
}

/** Offers tasks 1 to `count` and lets worker `w` have them all. */
async function held(storage: Storage, count: number): Promise<void> {
  await offered(storage, ...Array.from({ length: count }, (_, index) => task(index + 1)))
  assert.equal((await tasksFor(storage, 'w')).length, count)
}

function renewal(fields: Partial<TaskRenewal>): TaskRenewal {
  const now = T0 + 1_000
  return { workerId: 'w', taskIds: [], missingSince: null, now, leaseMs: LEASE_MS, ...fields }
}

const withdrawal = [{ kind: 'withdraw_task', taskId: 'task-1' }] as const

export const taskLeaseCases: readonly ContractCase<Storage>[] = [
  storageCase(
    'S5 a task whose lease has run out turns up among the lost, with its job (D-26)',
    async (storage) => {
      await held(storage, 1)
      assert.deepEqual(await lostTasks(storage, END - 1), [])
      const claim = { now: END, leaseMs: LEASE_MS, limit: 9 }
      assert.deepEqual(await storage.claimLostTasks(claim), [{ taskId: 'task-1', jobId: 'job-1' }])
    },
  ),
  storageCase(
    'S5 a lost task is not on offer: its job decides what follows (W1)',
    async (storage) => {
      await held(storage, 1)
      assert.deepEqual(await tasksFor(storage, 'other', { now: END }), [])
      await lostTasks(storage, END)
      assert.deepEqual(await tasksFor(storage, 'other', { now: END }), [])
      assert.equal(await storage.countOfferedTasks(), 0)
    },
  ),
  storageCase(
    'S10 a lost task is claimed once, and again when that lease has run out (D-25)',
    async (storage) => {
      await held(storage, 1)
      assert.deepEqual(await lostTasks(storage, END), ['task-1'])
      assert.deepEqual(await lostTasks(storage, END + LEASE_MS - 1), [])
      assert.deepEqual(await lostTasks(storage, END + LEASE_MS), ['task-1'])
    },
  ),
  storageCase('S10 a lost task that is withdrawn turns up no more', async (storage) => {
    await held(storage, 1)
    await lostTasks(storage, END)
    await committed(storage, change('job-1', 1, withdrawal))
    assert.deepEqual(await lostTasks(storage, END + LEASE_MS), [])
  }),
  storageCase('S10 no more lost tasks are claimed than asked for', async (storage) => {
    await held(storage, 3)
    const claim = { now: END, leaseMs: LEASE_MS, limit: 2 }
    assert.equal((await storage.claimLostTasks(claim)).length, 2)
    assert.equal((await storage.claimLostTasks(claim)).length, 1)
  }),
  storageCase('S6 a worker extends the leases that it lists', async (storage) => {
    await held(storage, 2)
    assert.deepEqual(await storage.renewTasks(renewal({ taskIds: ['task-1'] })), [])
    assert.deepEqual(await lostTasks(storage, END), ['task-2'])
    assert.deepEqual(await lostTasks(storage, T0 + 1_000 + LEASE_MS - 1), [])
    assert.deepEqual(await lostTasks(storage, T0 + 1_000 + LEASE_MS), ['task-1'])
  }),
  storageCase(
    'S6 a worker learns which of the tasks it lists it does not hold (D-45)',
    async (storage) => {
      await held(storage, 2)
      await committed(storage, change('job-1', 1, withdrawal))
      const taskIds = ['unknown', 'task-2', 'task-1']
      const dropped = await storage.renewTasks(renewal({ taskIds }))
      assert.deepEqual(dropped.toSorted(), ['task-1', 'unknown'])
    },
  ),
  storageCase('S6 a worker extends no lease of another', async (storage) => {
    await held(storage, 1)
    const stranger = renewal({ workerId: 'other', taskIds: ['task-1'], missingSince: T0 + 1_000 })
    assert.deepEqual(await storage.renewTasks(stranger), ['task-1'])
    assert.deepEqual(await storage.renewTasks({ ...stranger, taskIds: 'all' }), [])
    assert.deepEqual(await lostTasks(storage, END - 1), [])
    assert.deepEqual(await lostTasks(storage, END), ['task-1'])
  }),
  storageCase('S6 a task on offer is held by nobody and not renewed', async (storage) => {
    await offered(storage, task(1))
    assert.deepEqual(await storage.renewTasks(renewal({ taskIds: ['task-1'] })), ['task-1'])
    assert.deepEqual(await tasksFor(storage, 'other'), ['task-1'])
  }),
  storageCase('S6 a worker that lists nothing extends all its leases', async (storage) => {
    await held(storage, 2)
    const all = renewal({ taskIds: 'all', missingSince: T0 + 1_000 })
    assert.deepEqual(await storage.renewTasks(all), [])
    assert.deepEqual(await lostTasks(storage, T0 + 1_000 + LEASE_MS - 1), [])
    const lost = await lostTasks(storage, T0 + 1_000 + LEASE_MS)
    assert.deepEqual(lost.toSorted(), ['task-1', 'task-2'])
  }),
  storageCase(
    'S6 a task given before `missingSince` and not listed is due at once (D-12)',
    async (storage) => {
      await held(storage, 2)
      const now = T0 + 1_000
      await storage.renewTasks(renewal({ taskIds: ['task-2'], missingSince: T0 + 1 }))
      assert.deepEqual(await lostTasks(storage, now), ['task-1'])
    },
  ),
  storageCase(
    'S6 a task given since `missingSince` may still be on its way and is kept',
    async (storage) => {
      await held(storage, 1)
      await storage.renewTasks(renewal({ taskIds: [], missingSince: T0 }))
      assert.deepEqual(await lostTasks(storage, END - 1), [])
    },
  ),
  storageCase(
    'S6 without `missingSince` what is not listed keeps its lease as it is',
    async (storage) => {
      await held(storage, 1)
      await storage.renewTasks(renewal({ taskIds: [], missingSince: null }))
      assert.deepEqual(await lostTasks(storage, END - 1), [])
      assert.deepEqual(await lostTasks(storage, END), ['task-1'])
    },
  ),
  storageCase(
    'S5 a lease that has run out cannot be renewed, by list or as a whole',
    async (storage) => {
      await held(storage, 1)
      assert.deepEqual(await storage.renewTasks(renewal({ taskIds: 'all', now: END })), [])
      const late = renewal({ taskIds: ['task-1'], now: END })
      assert.deepEqual(await storage.renewTasks(late), ['task-1'])
      assert.deepEqual(await lostTasks(storage, END), ['task-1'])
      assert.deepEqual(await storage.renewTasks({ ...late, now: END + 1 }), ['task-1'])
    },
  ),
  storageCase(
    'W7 what a gone worker held is lost at once, and nothing of the others (D-26)',
    async (storage) => {
      await held(storage, 2)
      await offered(storage, task(3))
      await tasksFor(storage, 'other')
      await storage.loseTasksOf({ workerId: 'w', now: T0 + 5 })
      assert.deepEqual((await lostTasks(storage, T0 + 5)).toSorted(), ['task-1', 'task-2'])
      assert.deepEqual(await lostTasks(storage, END), ['task-3'])
    },
  ),
  storageCase(
    'W7 a gone worker that comes back holds nothing and has all its room',
    async (storage) => {
      await held(storage, 2)
      await storage.loseTasksOf({ workerId: 'w', now: T0 + 5 })
      const dropped = await storage.renewTasks(renewal({ taskIds: ['task-1', 'task-2'] }))
      assert.deepEqual(dropped.toSorted(), ['task-1', 'task-2'])
      await offered(storage, task(3))
      assert.deepEqual(await tasksFor(storage, 'w', { now: T0 + 6, capacity: 1 }), ['task-3'])
    },
  ),
  storageCase('W7 losing the tasks of a worker that has none changes nothing', async (storage) => {
    await offered(storage, task(1))
    await storage.loseTasksOf({ workerId: 'w', now: T0 })
    assert.deepEqual(await lostTasks(storage, T0), [])
    assert.deepEqual(await tasksFor(storage, 'other'), ['task-1'])
  }),
  storageCase(
    'S4 leases that have run out take no room of their former holder',
    async (storage) => {
      await held(storage, 1)
      await offered(storage, task(2))
      assert.deepEqual(await tasksFor(storage, 'w', { now: END - 1, capacity: 1 }), [])
      assert.deepEqual(await tasksFor(storage, 'w', { now: END, capacity: 1 }), ['task-2'])
    },
  ),
  storageCase('S10 a dropped task is gone, whether on offer, held or lost', async (storage) => {
    await held(storage, 2)
    await storage.loseTasksOf({ workerId: 'w', now: T0 })
    await lostTasks(storage, T0)
    await storage.dropTask('task-1')
    await offered(storage, task(3), task(4))
    await tasksFor(storage, 'w', { limit: 1 })
    await storage.dropTask('task-3')
    await storage.dropTask('task-4')
    await storage.dropTask('unknown')
    assert.deepEqual(await tasksFor(storage, 'other'), [])
    assert.deepEqual(await lostTasks(storage, END), ['task-2'])
  }),
  storageCase('S6 leases outlive a new registration of their worker', async (storage) => {
    await storage.putWorker(aWorker({ workerId: 'w' }))
    await held(storage, 1)
    await storage.putWorker(aWorker({ workerId: 'w', status: 'busy' }))
    assert.deepEqual(await lostTasks(storage, END - 1), [])
    assert.deepEqual(await storage.renewTasks(renewal({ taskIds: ['task-1'] })), [])
  }),
]
