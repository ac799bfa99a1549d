/** Tasks that their workers are to acknowledge, and do not: W8. */
import assert from 'node:assert/strict'
import type { Storage } from '../../ports/storage.ts'
import type { LostTask, TaskRenewal } from '../../ports/task-store.ts'
import { aTask, T0 } from '../builders.ts'
import type { ContractCase } from '../contract-case.ts'
import { committed, creation, LEASE_MS, offered, storageCase, tasksFor } from './acts.ts'

const END = T0 + LEASE_MS

/** Gives worker `w` a task in each of the two ways. */
async function given(storage: Storage, isToAcknowledge = true): Promise<void> {
  const [a, b] = [task('a'), task('b')]
  const lease = { workerId: 'w', now: T0, leaseMs: LEASE_MS, capacity: 9, isToAcknowledge }
  const handOvers = [{ taskId: 'a', ...lease }]
  const entry = creation(a.jobId, [{ kind: 'offer_task', task: a }])
  await committed(storage, { ...entry, handOvers })
  await offered(storage, b)
  assert.deepEqual(await tasksFor(storage, 'w', { isToAcknowledge }), ['b'])
}

function task(taskId: string): ReturnType<typeof aTask> {
  return aTask({ taskId, jobId: `job-${taskId}` })
}

async function lost(storage: Storage, now: number): Promise<readonly LostTask[]> {
  const claimed = await storage.claimLostTasks({ now, leaseMs: LEASE_MS, limit: 9 })
  return claimed.toSorted((x, y) => (x.taskId < y.taskId ? -1 : 1))
}

function renewal(fields: Partial<TaskRenewal>): TaskRenewal {
  return {
    workerId: 'w',
    taskIds: [],
    missingSince: null,
    now: T0 + 1,
    leaseMs: LEASE_MS,
    ...fields,
  }
}

const LOST = [
  { taskId: 'a', jobId: 'job-a' },
  { taskId: 'b', jobId: 'job-b' },
]
const UNRECEIVED = LOST.map((each) => ({ ...each, unreceivedBy: 'w' }))

export const unreceivedCases: readonly ContractCase<Storage>[] = [
  storageCase(
    'W8 a task that is not acknowledged is told of with its worker, each time it is',
    async (storage) => {
      await given(storage)
      assert.deepEqual(await lost(storage, END - 1), [])
      assert.deepEqual(await lost(storage, END), UNRECEIVED)
      assert.deepEqual(await lost(storage, END + LEASE_MS), UNRECEIVED)
    },
  ),
  storageCase('W8 one that need not be acknowledged is lost like any other', async (storage) => {
    await given(storage, false)
    assert.deepEqual(await lost(storage, END), LOST)
  }),
  storageCase('W8 a task that its worker lists has arrived', async (storage) => {
    await given(storage)
    assert.deepEqual(await storage.renewTasks(renewal({ taskIds: ['a', 'b'] })), [])
    assert.deepEqual(await lost(storage, END), [])
    assert.deepEqual(await lost(storage, END + 1), LOST)
  }),
  storageCase('W8 nobody else can acknowledge it', async (storage) => {
    await given(storage)
    const taskIds = ['a', 'b']
    assert.deepEqual(await storage.renewTasks(renewal({ workerId: 'v', taskIds })), taskIds)
    assert.deepEqual(await lost(storage, END), UNRECEIVED)
  }),
  storageCase('W8 a sign of life without a list acknowledges nothing', async (storage) => {
    await given(storage)
    assert.deepEqual(await storage.renewTasks(renewal({ taskIds: ['a'] })), [])
    assert.deepEqual(await storage.renewTasks(renewal({ taskIds: 'all', now: T0 + 2 })), [])
    assert.deepEqual(await lost(storage, END), UNRECEIVED.slice(1))
    assert.deepEqual(await lost(storage, END + 2), LOST.slice(0, 1))
  }),
  storageCase(
    'W8 a task that is missing in the list of its worker has not arrived',
    async (storage) => {
      await given(storage)
      const now = T0 + 6_000
      await storage.renewTasks(renewal({ taskIds: ['a'], missingSince: now - 5_000, now }))
      assert.deepEqual(await lost(storage, now), UNRECEIVED.slice(1))
    },
  ),
  storageCase(
    'W8 a worker that leaves has not received what it did not acknowledge',
    async (storage) => {
      await given(storage)
      await storage.renewTasks(renewal({ taskIds: ['a'] }))
      await storage.loseTasksOf({ workerId: 'w', now: T0 + 2 })
      assert.deepEqual(await lost(storage, T0 + 2), [...LOST.slice(0, 1), ...UNRECEIVED.slice(1)])
    },
  ),
  storageCase(
    'W8 a task that is offered anew knows nothing of its first worker',
    async (storage) => {
      await given(storage)
      await lost(storage, END)
      const effects = [{ kind: 'offer_task', task: task('a') }] as const
      const entry = creation('job-a', effects)
      await committed(storage, { ...entry, job: { ...entry.job, version: 2 }, expectedVersion: 1 })
      const classIds = ['resize']
      const claim = { workerId: 'v', classIds, limit: 9, capacity: 9, now: END, leaseMs: LEASE_MS }
      assert.equal((await storage.claimTasks(claim)).length, 1)
      assert.deepEqual(
        (await lost(storage, END + LEASE_MS)).filter(({ taskId }) => taskId === 'a'),
        LOST.slice(0, 1),
      )
    },
  ),
]
