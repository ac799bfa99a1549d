/** Tasks on offer and their way to workers: S3, S4, S7, W1, W3, W4. */
import assert from 'node:assert/strict'
import type { Storage } from '../../ports/storage.ts'
import { aTask, T0 } from '../builders.ts'
import type { ContractCase } from '../contract-case.ts'
import { change, committed, LEASE_MS, offered, storageCase, tasksFor } from './acts.ts'

/** Task and job share a number. */
function task(n: number, priority = 0, type = 'resize'): ReturnType<typeof aTask> {
  return aTask({
    taskId: `task-${String(n)}`,
    jobId: `job-${String(n)}`,
    priority,
    demand: { type },
  })
}

export const taskClaimCases: readonly ContractCase<Storage>[] = [
  storageCase(
    'S3 an offered task is handed out complete, with the end of its lease',
    async (storage) => {
      const whole = aTask({
        params: { list: [], object: {}, nothing: null, text: 'ü' },
        tracing: { traceparent: '00-aa-bb-01' },
        resultDeadlineAt: T0 + 5,
      })
      await offered(storage, whole)
      const claim = { workerId: 'w', classIds: ['resize'], limit: 1, capacity: 1 }
      assert.deepEqual(await storage.claimTasks({ ...claim, now: T0, leaseMs: LEASE_MS }), [
        { task: whole, leaseExpiresAt: T0 + LEASE_MS },
      ])
    },
  ),
  storageCase('S7 a task of higher priority is handed out first', async (storage) => {
    await offered(storage, task(1, 0), task(2, 10), task(3, -1), task(4, 2.5))
    assert.deepEqual(await tasksFor(storage, 'w'), ['task-2', 'task-4', 'task-1', 'task-3'])
  }),
  storageCase(
    'S7 tasks of equal priority are handed out in the order of their offers (D-50)',
    async (storage) => {
      await offered(storage, task(3), task(10), task(1), task(2))
      assert.deepEqual(await tasksFor(storage, 'w'), ['task-3', 'task-10', 'task-1', 'task-2'])
    },
  ),
  storageCase('S7 priority and order hold across the classes asked for (W4)', async (storage) => {
    await offered(
      storage,
      task(1, 0, 'crop'),
      task(2),
      task(3, 5, 'crop'),
      task(4, 5),
      task(5, 0, 'crop'),
    )
    const claim = { classIds: ['resize', 'crop'] }
    const expected = ['task-3', 'task-4', 'task-1', 'task-2', 'task-5']
    assert.deepEqual(await tasksFor(storage, 'w', claim), expected)
  }),
  storageCase('S7 order holds within one commit', async (storage) => {
    const tasks = [task(2), task(1)]
    const effects = tasks.map((t) => ({ kind: 'offer_task', task: t }) as const)
    await committed(storage, { ...change('job-1', 0, effects), expectedVersion: 0 })
    assert.deepEqual(await tasksFor(storage, 'w'), ['task-2', 'task-1'])
  }),
  storageCase('W4 only tasks of the classes asked for are handed out', async (storage) => {
    await offered(storage, task(1, 0, 'crop'), task(2))
    assert.deepEqual(await tasksFor(storage, 'w', { classIds: ['unknown'] }), [])
    assert.deepEqual(await tasksFor(storage, 'w', { classIds: [] }), [])
    assert.deepEqual(await tasksFor(storage, 'w', { classIds: ['resize', 'resize'] }), ['task-2'])
  }),
  storageCase('W4 the version of a skill is part of the class', async (storage) => {
    const versioned = aTask({ demand: { type: 'resize', skillVersion: '2' } })
    await offered(storage, versioned)
    assert.deepEqual(await tasksFor(storage, 'w', { classIds: ['resize'] }), [])
    assert.deepEqual(await tasksFor(storage, 'w', { classIds: ['resize@2'] }), ['task-1'])
  }),
  storageCase('S3 a claim takes no more than its limit', async (storage) => {
    await offered(storage, task(1), task(2), task(3))
    assert.deepEqual(await tasksFor(storage, 'w', { limit: 0 }), [])
    assert.deepEqual(await tasksFor(storage, 'w', { limit: 2 }), ['task-1', 'task-2'])
  }),
  storageCase('S4 a worker never holds more leases than its capacity', async (storage) => {
    await offered(storage, task(1), task(2), task(3))
    assert.deepEqual(await tasksFor(storage, 'w', { capacity: 2 }), ['task-1', 'task-2'])
    assert.deepEqual(await tasksFor(storage, 'w', { capacity: 2 }), [])
    assert.deepEqual(await tasksFor(storage, 'w', { capacity: 1 }), [])
    assert.deepEqual(await tasksFor(storage, 'other', { capacity: 2 }), ['task-3'])
  }),
  storageCase('S4 a task that is done with makes room for another (D-43)', async (storage) => {
    await offered(storage, task(1), task(2))
    await tasksFor(storage, 'w', { capacity: 1 })
    await committed(storage, change('job-1', 1, [{ kind: 'withdraw_task', taskId: 'task-1' }]))
    assert.deepEqual(await tasksFor(storage, 'w', { capacity: 1 }), ['task-2'])
  }),
  storageCase('S4 a leased task is handed to nobody else (W1)', async (storage) => {
    await offered(storage, task(1))
    await tasksFor(storage, 'w')
    assert.deepEqual(await tasksFor(storage, 'other'), [])
    assert.deepEqual(await tasksFor(storage, 'w'), [])
  }),
  storageCase('S4 claims made at the same time share no task (W1)', async (storage) => {
    await offered(storage, task(1), task(2), task(3), task(4), task(5))
    const workers = ['a', 'b', 'c', 'd']
    const claims = await Promise.all(workers.map((id) => tasksFor(storage, id, { limit: 2 })))
    const taken = claims.flat().toSorted()
    assert.deepEqual(taken, ['task-1', 'task-2', 'task-3', 'task-4', 'task-5'])
  }),
  storageCase(
    'W3 a task that nobody fits stays on offer for as long as it takes (D-10)',
    async (storage) => {
      await offered(storage, task(1))
      const aYear = 365 * 24 * 3_600_000
      assert.deepEqual(await tasksFor(storage, 'w', { classIds: ['crop'], now: T0 + aYear }), [])
      assert.deepEqual(await tasksFor(storage, 'w', { now: T0 + aYear }), ['task-1'])
    },
  ),
  storageCase(
    'S3 classes are listed once each, for as long as they have tasks to take',
    async (storage) => {
      const demand = { type: 'x', skillVersion: '1' }
      await offered(storage, task(1), task(2), aTask({ taskId: 'x', jobId: 'j', demand }))
      const classes = await storage.listTaskClasses()
      const byId = classes.toSorted((a, b) => a.classId.localeCompare(b.classId))
      assert.deepEqual(byId, [
        { classId: 'resize', demand: { type: 'resize' } },
        { classId: 'x@1', demand },
      ])
      await tasksFor(storage, 'w', { limit: 1 })
      assert.equal((await storage.listTaskClasses()).length, 2)
      await tasksFor(storage, 'w', { limit: 1 })
      assert.deepEqual(await storage.listTaskClasses(), [{ classId: 'x@1', demand }])
      await storage.dropTask('x')
      assert.deepEqual(await storage.listTaskClasses(), [])
    },
  ),
  storageCase(
    'S3 tasks on offer are counted until they are claimed or taken back',
    async (storage) => {
      assert.equal(await storage.countOfferedTasks(), 0)
      await offered(storage, task(1), task(2), task(3, 0, 'crop'))
      assert.equal(await storage.countOfferedTasks(), 3)
      await tasksFor(storage, 'w', { limit: 1 })
      assert.equal(await storage.countOfferedTasks(), 2)
      await committed(storage, change('job-3', 1, [{ kind: 'withdraw_task', taskId: 'task-3' }]))
      assert.equal(await storage.countOfferedTasks(), 1)
    },
  ),
  storageCase('S3 a withdrawn task is handed to nobody (D-16)', async (storage) => {
    await offered(storage, task(1))
    await committed(storage, change('job-1', 1, [{ kind: 'withdraw_task', taskId: 'task-1' }]))
    assert.deepEqual(await tasksFor(storage, 'w'), [])
  }),
  storageCase(
    'W1 a new attempt takes the place of the one withdrawn with it (D-14)',
    async (storage) => {
      await offered(storage, task(1))
      await tasksFor(storage, 'w')
      const next = aTask({ taskId: 'task-1-2', attempt: 2 })
      const effects = [
        { kind: 'withdraw_task', taskId: 'task-1' },
        { kind: 'offer_task', task: next },
      ] as const
      await committed(storage, change('job-1', 1, effects))
      assert.deepEqual(await tasksFor(storage, 'w', { capacity: 1 }), ['task-1-2'])
    },
  ),
]
