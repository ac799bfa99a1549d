/** The registry of workers: S8. */
import assert from 'node:assert/strict'
import type { Storage } from '../../ports/storage.ts'
import { aWorker, T0 } from '../builders.ts'
import type { ContractCase } from '../contract-case.ts'
import { storageCase } from './acts.ts'

const END = aWorker().expiresAt

async function liveIds(storage: Storage, now: number): Promise<readonly string[]> {
  return (await storage.listWorkers({ now })).map(({ workerId }) => workerId).toSorted()
}

export const workerCases: readonly ContractCase<Storage>[] = [
  storageCase('S8 a registered worker is found as it was handed in', async (storage) => {
    const worker = aWorker({ registration: { list: [], object: {}, none: null, text: 'é' } })
    await storage.putWorker(worker)
    assert.deepEqual(await storage.findWorker({ workerId: 'worker-1', now: T0 }), worker)
    assert.equal(await storage.findWorker({ workerId: 'worker-2', now: T0 }), undefined)
  }),
  storageCase('S8 a new registration replaces all that was said before (D-42)', async (storage) => {
    await storage.putWorker(
      aWorker({ skills: [{ name: 'crop', version: '1', type: null }], load: 3 }),
    )
    const again = aWorker({ skills: [], status: 'busy' })
    await storage.putWorker(again)
    assert.deepEqual(await storage.findWorker({ workerId: 'worker-1', now: T0 }), again)
    assert.deepEqual(await storage.listWorkers({ now: T0 }), [again])
  }),
  storageCase(
    'S8 an update changes what it names and moves the end of the worker',
    async (storage) => {
      await storage.putWorker(aWorker({ load: 1, status: 'idle' }))
      const update = {
        workerId: 'worker-1',
        now: T0 + 9,
        expiresAt: END + 9,
        changes: { load: 0.5 },
      }
      const updated = await storage.updateWorker(update)
      const expected = aWorker({ load: 0.5, lastSeenAt: T0 + 9, expiresAt: END + 9 })
      assert.deepEqual(updated, expected)
      assert.deepEqual(await storage.findWorker({ workerId: 'worker-1', now: END }), expected)
    },
  ),
  storageCase(
    'S8 an update that names nothing still keeps its worker alive (D-42)',
    async (storage) => {
      await storage.putWorker(aWorker())
      const update = { workerId: 'worker-1', now: T0 + 9, expiresAt: END + 9, changes: {} }
      await storage.updateWorker(update)
      assert.deepEqual(await liveIds(storage, END + 8), ['worker-1'])
    },
  ),
  storageCase('S8 an unknown worker cannot be updated into being (D-35)', async (storage) => {
    const update = { workerId: 'worker-1', now: T0, expiresAt: END, changes: { load: 1 } }
    assert.equal(await storage.updateWorker(update), undefined)
    assert.deepEqual(await liveIds(storage, T0), [])
  }),
  storageCase('S8 an expired worker is not revived by an update (D-41)', async (storage) => {
    await storage.putWorker(aWorker())
    const update = { workerId: 'worker-1', now: END, expiresAt: END + 9, changes: { load: 1 } }
    assert.equal(await storage.updateWorker(update), undefined)
    assert.deepEqual(await liveIds(storage, END), [])
  }),
  storageCase('S8 a worker is gone at its end by the time given, not before', async (storage) => {
    await storage.putWorker(aWorker())
    const query = { workerId: 'worker-1' }
    assert.equal((await storage.findWorker({ ...query, now: END - 1 }))?.workerId, 'worker-1')
    assert.equal(await storage.findWorker({ ...query, now: END }), undefined)
  }),
  storageCase('S8 live workers are listed, gone ones are not', async (storage) => {
    await storage.putWorker(aWorker({ workerId: 'a', expiresAt: T0 + 10 }))
    await storage.putWorker(aWorker({ workerId: 'b', expiresAt: T0 + 20 }))
    await storage.putWorker(aWorker({ workerId: 'c', expiresAt: T0 + 30 }))
    assert.deepEqual(await liveIds(storage, T0 + 10), ['b', 'c'])
    assert.deepEqual(await liveIds(storage, T0 + 30), [])
  }),
  storageCase('S8 a removed worker is gone at once and may register again', async (storage) => {
    await storage.putWorker(aWorker())
    await storage.removeWorker('worker-1')
    await storage.removeWorker('unknown')
    assert.deepEqual(await liveIds(storage, T0), [])
    await storage.putWorker(aWorker())
    assert.deepEqual(await liveIds(storage, T0), ['worker-1'])
  }),
]
