/** Workers that take only so many tasks of one type. */
import assert from 'node:assert/strict'
import type { Storage } from '../../ports/storage.ts'
import { aTask, T0 } from '../builders.ts'
import type { ContractCase } from '../contract-case.ts'
import { committed, creation, LEASE_MS, offered, storageCase, tasksFor } from './acts.ts'

const RESIZE = { type: 'resize', most: 2, classIds: ['resize'] }
const BOTH = { classIds: ['resize', 'crop'], limits: [RESIZE] }

function tasks(type: string, count: number): ReturnType<typeof aTask>[] {
  return Array.from({ length: count }, (_, n) => {
    const id = `${type}-${String(n + 1)}`
    return aTask({ jobId: `job-${id}`, taskId: id, demand: { type } })
  })
}

export const typeLimitCases: readonly ContractCase<Storage>[] = [
  storageCase(
    'of a limited type no more are claimed than the limit, of others more',
    async (storage) => {
      await offered(storage, ...tasks('resize', 4), ...tasks('crop', 3))
      const given = await tasksFor(storage, 'w-1', BOTH)
      assert.deepEqual(given, ['resize-1', 'resize-2', 'crop-1', 'crop-2', 'crop-3'])
      assert.deepEqual(await tasksFor(storage, 'w-1', BOTH), [])
      assert.deepEqual(await tasksFor(storage, 'w-2', BOTH), ['resize-3', 'resize-4'])
    },
  ),
  storageCase('what a worker holds of a limited type counts until it is done', async (storage) => {
    await offered(storage, ...tasks('resize', 4))
    assert.equal((await tasksFor(storage, 'w-1', { ...BOTH, limit: 1 })).length, 1)
    assert.deepEqual(await tasksFor(storage, 'w-1', BOTH), ['resize-2'])
    await storage.dropTask('resize-1')
    assert.deepEqual(await tasksFor(storage, 'w-1', BOTH), ['resize-3'])
    const later = T0 + LEASE_MS
    assert.deepEqual(await tasksFor(storage, 'w-1', { ...BOTH, now: later }), ['resize-4'])
  }),
  storageCase(
    'what is reserved beyond a limit stays for others when its time is up',
    async (storage) => {
      const [one, two] = tasks('resize', 2)
      assert.ok(one && two)
      const candidates = [{ workerId: 'w-1', capacity: 9 }]
      for (const task of [one, two]) {
        const wish = {
          taskId: task.taskId,
          choose: 'best',
          candidates,
          now: T0,
          until: T0 + 250,
        } as const
        const entry = creation(task.jobId, [{ kind: 'offer_task', task }])
        await committed(storage, { ...entry, reservations: [wish] })
      }
      const one1 = { ...BOTH, limits: [{ ...RESIZE, most: 1 }] }
      assert.deepEqual(await tasksFor(storage, 'w-1', one1), ['resize-1'])
      await storage.endReservations({ now: T0 + 250, limit: 10 })
      assert.deepEqual(await tasksFor(storage, 'w-2', { now: T0 + 250 }), ['resize-2'])
    },
  ),
]
