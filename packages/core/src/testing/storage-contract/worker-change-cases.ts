/** What has changed in the registry of workers: so that nobody reads all of it each time. */
import assert from 'node:assert/strict'
import type { Storage } from '../../ports/storage.ts'
import { aWorker, T0 } from '../builders.ts'
import type { ContractCase } from '../contract-case.ts'
import { storageCase } from './acts.ts'

const END = aWorker().expiresAt

interface Seen {
  readonly workers: readonly string[]
  readonly removed: readonly string[]
  readonly cursor: string
}

async function changes(storage: Storage, since?: string, now = T0): Promise<Seen> {
  const { workers, removed, cursor } = await storage.changedWorkers({
    ...(since !== undefined && { since }),
    now,
  })
  return {
    workers: workers.map(({ workerId }) => workerId).toSorted(),
    removed: [...removed],
    cursor,
  }
}

async function hired(storage: Storage, ...ids: readonly string[]): Promise<void> {
  for (const workerId of ids) await storage.putWorker(aWorker({ workerId }))
}

export const workerChangeCases: readonly ContractCase<Storage>[] = [
  storageCase('W5 the first look tells all live workers', async (storage) => {
    await hired(storage, 'a', 'b', 'gone')
    await storage.removeWorker('gone')
    const { workers, removed } = await changes(storage)
    assert.deepEqual({ workers, removed }, { workers: ['a', 'b'], removed: [] })
    assert.deepEqual((await changes(storage, undefined, END)).workers, [])
  }),
  storageCase('W5 later looks tell what has changed since, as it is now', async (storage) => {
    await hired(storage, 'a', 'b', 'c')
    const { cursor } = await changes(storage)
    assert.deepEqual(await changes(storage, cursor), { workers: [], removed: [], cursor })
    const update = { workerId: 'b', now: T0 + 1, expiresAt: END + 1, changes: { load: 2 } }
    await storage.updateWorker(update)
    await storage.updateWorker({ ...update, changes: { load: 3 } })
    const { workers } = await storage.changedWorkers({ since: cursor, now: T0 })
    assert.deepEqual(workers, [
      aWorker({ workerId: 'b', load: 3, lastSeenAt: T0 + 1, expiresAt: END + 1 }),
    ])
  }),
  storageCase('W7 a worker that was removed is told as such, once per cursor', async (storage) => {
    await hired(storage, 'a', 'b')
    const first = await changes(storage)
    await storage.removeWorker('a')
    const second = await changes(storage, first.cursor)
    assert.deepEqual([second.workers, second.removed], [[], ['a']])
    const third = await changes(storage, second.cursor)
    assert.deepEqual([third.workers, third.removed], [[], []])
    assert.deepEqual((await changes(storage, first.cursor)).removed, ['a'])
  }),
  storageCase('W7 a worker that came back is told as one that is there', async (storage) => {
    await hired(storage, 'a')
    const { cursor } = await changes(storage)
    await storage.removeWorker('a')
    await hired(storage, 'a')
    const seen = await changes(storage, cursor)
    assert.deepEqual([seen.workers, seen.removed], [['a'], []])
  }),
]
