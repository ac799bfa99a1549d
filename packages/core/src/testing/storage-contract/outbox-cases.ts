/** Records on their way to the history: S3. */
import assert from 'node:assert/strict'
import type { Storage } from '../../ports/storage.ts'
import { aRecord, T0 } from '../builders.ts'
import type { ContractCase } from '../contract-case.ts'
import { committed, creation, LEASE_MS, storageCase } from './acts.ts'

async function recorded(storage: Storage, ...jobIds: readonly string[]): Promise<void> {
  for (const jobId of jobIds) {
    const record = aRecord({ jobId, eventId: `${jobId}:1` })
    await committed(storage, creation(jobId, [{ kind: 'record', record }]))
  }
}

async function claimed(storage: Storage, now: number, limit = 100): Promise<readonly string[]> {
  const records = await storage.claimRecords({ now, limit, leaseMs: LEASE_MS })
  return records.map(({ eventId }) => eventId)
}

export const outboxCases: readonly ContractCase<Storage>[] = [
  storageCase('S3 a record is handed out as it was handed in', async (storage) => {
    const error = { code: 'X', message: 'ö', details: { list: [], none: null } }
    const record = aRecord({ error, durationMs: 0, attempt: 1, previousState: 'a' })
    await committed(storage, creation('job-1', [{ kind: 'record', record }]))
    const claim = { now: T0, limit: 9, leaseMs: LEASE_MS }
    assert.deepEqual(await storage.claimRecords(claim), [record])
  }),
  storageCase('S3 records are handed out oldest first, no more than asked for', async (storage) => {
    await recorded(storage, 'c', 'a', 'b')
    assert.deepEqual(await claimed(storage, T0, 2), ['c:1', 'a:1'])
    assert.deepEqual(await claimed(storage, T0), ['b:1'])
    assert.deepEqual(await claimed(storage, T0), [])
  }),
  storageCase('S3 records of one change keep their order', async (storage) => {
    const records = ['z', 'y', 'x'].map((eventId) => aRecord({ eventId }))
    const effects = records.map((record) => ({ kind: 'record', record }) as const)
    await committed(storage, creation('job-1', effects))
    assert.deepEqual(await claimed(storage, T0), ['z', 'y', 'x'])
  }),
  storageCase(
    'S3 records that are not acknowledged are handed out again (D-69)',
    async (storage) => {
      await recorded(storage, 'a', 'b')
      await claimed(storage, T0)
      await recorded(storage, 'c')
      assert.deepEqual(await claimed(storage, T0 + LEASE_MS - 1), ['c:1'])
      assert.deepEqual(await claimed(storage, T0 + LEASE_MS), ['a:1', 'b:1'])
    },
  ),
  storageCase('S3 acknowledged records are forgotten, the others are not', async (storage) => {
    await recorded(storage, 'a', 'b', 'c')
    await claimed(storage, T0)
    await storage.ackRecords(['a:1', 'c:1', 'unknown'])
    await storage.ackRecords([])
    assert.deepEqual(await claimed(storage, T0 + LEASE_MS), ['b:1'])
  }),
  storageCase('S3 records are counted until they are acknowledged', async (storage) => {
    assert.equal(await storage.countRecords(), 0)
    await recorded(storage, 'a', 'b', 'c')
    await claimed(storage, T0, 2)
    assert.equal(await storage.countRecords(), 3)
    await storage.ackRecords(['a:1'])
    assert.equal(await storage.countRecords(), 2)
  }),
  storageCase('S3 the oldest record is known by its time, claimed or not', async (storage) => {
    assert.equal(await storage.oldestRecordAt(), undefined)
    for (const [n, at] of [T0 + 1, T0 + 2].entries()) {
      const record = aRecord({ jobId: `job-${String(n)}`, eventId: String(n), at })
      await committed(storage, creation(record.jobId, [{ kind: 'record', record }]))
    }
    assert.equal(await storage.oldestRecordAt(), T0 + 1)
    await claimed(storage, T0, 1)
    assert.equal(await storage.oldestRecordAt(), T0 + 1)
    await storage.ackRecords(['0'])
    assert.equal(await storage.oldestRecordAt(), T0 + 2)
  }),
  storageCase(
    'S3 the oldest records can be dropped, also those that somebody carries',
    async (storage) => {
      await recorded(storage, 'a', 'b', 'c', 'd')
      await claimed(storage, T0, 1)
      assert.equal(await storage.dropOldestRecords(2), 2)
      assert.equal(await storage.countRecords(), 2)
      assert.deepEqual(await claimed(storage, T0 + LEASE_MS), ['c:1', 'd:1'])
      assert.equal(await storage.dropOldestRecords(9), 2)
      assert.equal(await storage.dropOldestRecords(9), 0)
    },
  ),
]
