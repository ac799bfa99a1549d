/** Tasks that one worker may have first: S12, W5 to W7. */
import assert from 'node:assert/strict'
import type { OfferedTask } from '../../job/effect.ts'
import type { Reservation } from '../../ports/task-store.ts'
import type { Storage } from '../../ports/storage.ts'
import { aTask, T0 } from '../builders.ts'
import type { ContractCase } from '../contract-case.ts'
import { change, committed, creation, lostTasks, LEASE_MS, storageCase, tasksFor } from './acts.ts'

const UNTIL = T0 + 250

/** Task and job share a number. */
function task(n: number, fields: Partial<OfferedTask> = {}): OfferedTask {
  return aTask({ taskId: `task-${String(n)}`, jobId: `job-${String(n)}`, ...fields })
}

type Wish = Partial<Omit<Reservation, 'candidates'>> & {
  /** Workers, best first, with their capacities. */
  readonly among: Readonly<Record<string, number>>
}

function entry(offer: OfferedTask, { among, ...wish }: Wish): Parameters<Storage['commit']>[0][0] {
  const candidates = Object.entries(among).map(([workerId, capacity]) => ({ workerId, capacity }))
  const { taskId, jobId } = offer
  const defaults = { choose: 'best', now: T0, until: UNTIL } as const
  const effects = [{ kind: 'offer_task', task: offer }] as const
  return {
    ...creation(jobId, effects),
    reservations: [{ taskId, candidates, ...defaults, ...wish }],
  }
}

async function reserved(storage: Storage, offer: OfferedTask, wish: Wish): Promise<void> {
  await committed(storage, entry(offer, wish))
}

/** Who is given each of these tasks while it is reserved. */
async function takers(
  storage: Storage,
  workers: readonly string[],
): Promise<Readonly<Record<string, string>>> {
  const taken: Record<string, string> = {}
  for (const workerId of workers) {
    for (const taskId of await tasksFor(storage, workerId)) taken[taskId] = workerId
  }
  return taken
}

async function ended(storage: Storage, now: number, limit = 100): Promise<readonly string[]> {
  const all = await storage.endReservations({ now, limit })
  for (const { classId } of all) assert.equal(classId, 'resize')
  return all.map(({ taskId, workerId }) => `${taskId} ${workerId}`)
}

export const taskReservationCases: readonly ContractCase<Storage>[] = [
  storageCase('S12 a reserved task is given to its worker and to no other', async (storage) => {
    await reserved(storage, task(1), { among: { a: 1, b: 1 } })
    assert.deepEqual(await tasksFor(storage, 'b'), [])
    assert.equal(await storage.countOfferedTasks(), 1)
    assert.deepEqual(await storage.listTaskClasses(), [])
    assert.deepEqual(await tasksFor(storage, 'a'), ['task-1'])
    assert.equal(await storage.countOfferedTasks(), 0)
    assert.deepEqual(await ended(storage, UNTIL), [])
  }),
  storageCase('W5 `best` takes the first who has room; leases count', async (storage) => {
    await reserved(storage, task(1), { among: { a: 1, b: 9 } })
    await tasksFor(storage, 'a')
    await reserved(storage, task(2), { among: { a: 1, b: 9 } })
    assert.deepEqual(await takers(storage, ['a', 'b']), { 'task-2': 'b' })
  }),
  storageCase('W5 reservations count like leases', async (storage) => {
    for (const n of [1, 2, 3]) await reserved(storage, task(n), { among: { a: 2, b: 2 } })
    const expected = { 'task-1': 'a', 'task-2': 'a', 'task-3': 'b' }
    assert.deepEqual(await takers(storage, ['a', 'b']), expected)
  }),
  storageCase('W5 a lease that has run out leaves room', async (storage) => {
    await reserved(storage, task(1), { among: { a: 1 } })
    await tasksFor(storage, 'a')
    const now = T0 + LEASE_MS
    await reserved(storage, task(2), { among: { a: 1, b: 1 }, now, until: now + 250 })
    assert.deepEqual(await tasksFor(storage, 'a', { now }), ['task-2'])
  }),
  storageCase('W5 `least_held` takes who has least', async (storage) => {
    const wish = { choose: 'least_held', among: { a: 9, b: 9, c: 9 } } as const
    for (const n of [1, 2, 3, 4]) await reserved(storage, task(n), wish)
    const given = await takers(storage, ['a', 'b', 'c'])
    assert.deepEqual(given, { 'task-1': 'a', 'task-2': 'b', 'task-3': 'c', 'task-4': 'a' })
    await reserved(storage, task(5), wish)
    assert.deepEqual(await takers(storage, ['a', 'b', 'c']), { 'task-5': 'b' })
  }),
  storageCase('W5 `turn` gives to one after the other, whoever is free', async (storage) => {
    const wish = { choose: 'turn', among: { a: 9, b: 9, c: 9 } } as const
    const order: string[] = []
    for (const n of [1, 2, 3, 4]) {
      await reserved(storage, task(n), wish)
      order.push(...Object.values(await takers(storage, ['a', 'b', 'c'])))
    }
    assert.deepEqual(order, ['a', 'b', 'c', 'a'])
  }),
  storageCase('W5 when nobody has room, all may have the task at once', async (storage) => {
    await reserved(storage, task(1), { among: { a: 1 } })
    await reserved(storage, task(2), { among: { a: 1 } })
    assert.deepEqual(await tasksFor(storage, 'other'), ['task-2'])
    await reserved(storage, task(3), { among: {} })
    assert.deepEqual(await tasksFor(storage, 'other'), ['task-3'])
  }),
  storageCase('W6 a reservation ends at its moment, not before', async (storage) => {
    await reserved(storage, task(1), { among: { a: 1 } })
    assert.equal(await storage.nextDueAt(), UNTIL)
    assert.deepEqual(await ended(storage, UNTIL - 1), [])
    assert.deepEqual(await tasksFor(storage, 'b'), [])
    assert.deepEqual(await ended(storage, UNTIL), ['task-1 a'])
    assert.equal(await storage.nextDueAt(), undefined)
    assert.deepEqual(await storage.listTaskClasses(), [
      { classId: 'resize', demand: { type: 'resize' } },
    ])
    assert.deepEqual(await tasksFor(storage, 'b'), ['task-1'])
  }),
  storageCase('W6 as many reservations end at a time as asked for', async (storage) => {
    for (const n of [1, 2, 3]) {
      await reserved(storage, task(n), { among: { a: 9 }, until: UNTIL + n })
    }
    assert.deepEqual(await ended(storage, UNTIL + 9, 2), ['task-1 a', 'task-2 a'])
    assert.deepEqual(await ended(storage, UNTIL + 9, 2), ['task-3 a'])
    assert.deepEqual(await ended(storage, UNTIL + 9, 2), [])
  }),
  storageCase('S12 a task that was reserved comes to its old place', async (storage) => {
    await reserved(storage, task(1), { among: { a: 1 } })
    for (const n of [2, 3]) {
      const offer = task(n, n === 3 ? { priority: 1 } : {})
      await committed(storage, creation(offer.jobId, [{ kind: 'offer_task', task: offer }]))
    }
    await ended(storage, UNTIL)
    assert.deepEqual(await tasksFor(storage, 'b'), ['task-3', 'task-1', 'task-2'])
  }),
  storageCase('S7 what is reserved and what is open stand in one order', async (storage) => {
    const urgent = task(2, { priority: 5 })
    await committed(storage, creation('job-1', [{ kind: 'offer_task', task: task(1) }]))
    await committed(storage, creation('job-2', [{ kind: 'offer_task', task: urgent }]))
    await reserved(storage, task(3), { among: { a: 9 } })
    await reserved(storage, task(4, { priority: 5 }), { among: { a: 9 } })
    assert.deepEqual(await tasksFor(storage, 'a'), ['task-2', 'task-4', 'task-1', 'task-3'])
  }),
  storageCase(
    'W2 a worker is not given what is reserved but cannot be started',
    async (storage) => {
      await reserved(storage, task(1), { among: { a: 9 } })
      await reserved(storage, task(2, { demand: { type: 'crop' } }), { among: { a: 9 } })
      assert.deepEqual(await tasksFor(storage, 'a', { classIds: ['crop'] }), ['task-2'])
      await ended(storage, UNTIL)
      assert.deepEqual(await tasksFor(storage, 'b'), ['task-1'])
    },
  ),
  storageCase(
    'S7 a task that avoids the worker it is reserved for holds up nobody',
    async (storage) => {
      const avoid = { workerId: 'a', until: T0 + 1_000 }
      await reserved(storage, task(1, { avoid }), { among: { a: 9 } })
      await reserved(storage, task(2), { among: { a: 9 } })
      assert.deepEqual(await tasksFor(storage, 'a'), ['task-2'])
      await ended(storage, UNTIL)
      assert.deepEqual(await tasksFor(storage, 'b'), ['task-1'])
    },
  ),
  storageCase('W7 what is reserved for a worker that leaves is open at once', async (storage) => {
    await reserved(storage, task(1), { among: { a: 2, b: 2 } })
    await reserved(storage, task(2), { among: { b: 2 } })
    await storage.loseTasksOf({ workerId: 'a', now: T0 })
    assert.deepEqual(await tasksFor(storage, 'c'), ['task-1'])
    assert.deepEqual(await lostTasks(storage, T0), [])
    assert.deepEqual(await ended(storage, UNTIL), ['task-2 b'])
  }),
  storageCase('S12 a reserved task that is withdrawn is gone', async (storage) => {
    await reserved(storage, task(1), { among: { a: 1 } })
    await committed(storage, change('job-1', 1, [{ kind: 'withdraw_task', taskId: 'task-1' }]))
    assert.deepEqual(await tasksFor(storage, 'a'), [])
    assert.deepEqual(await ended(storage, UNTIL), [])
    assert.equal(await storage.countOfferedTasks(), 0)
    await reserved(storage, task(2), { among: { a: 1 } })
    assert.deepEqual(await tasksFor(storage, 'a'), ['task-2'])
  }),
  storageCase('S2 an entry that is stale reserves nothing', async (storage) => {
    const stale = { ...entry(task(1), { among: { a: 1 } }), expectedVersion: 3 }
    assert.deepEqual(await storage.commit([stale]), [{ kind: 'conflict' }])
    assert.deepEqual(await tasksFor(storage, 'a'), [])
    await reserved(storage, task(2), { among: { a: 1 } })
    assert.deepEqual(await tasksFor(storage, 'a'), ['task-2'])
  }),
  storageCase('S4 a reserved task is leased like any other', async (storage) => {
    await reserved(storage, task(1), { among: { a: 1 } })
    await tasksFor(storage, 'a')
    assert.deepEqual(await tasksFor(storage, 'a'), [])
    assert.deepEqual(await lostTasks(storage, T0 + LEASE_MS), ['task-1'])
  }),
]
