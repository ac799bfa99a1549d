/** The list of quarantined jobs: always up to date with the documents (S1). */
import assert from 'node:assert/strict'
import type { Storage } from '../../ports/storage.ts'
import { aJob, T0 } from '../builders.ts'
import type { ContractCase } from '../contract-case.ts'
import { committed, creation, storageCase } from './acts.ts'

async function quarantined(
  storage: Storage,
  job: { readonly id: string; readonly finishedAt: number; readonly clientId?: string },
): Promise<void> {
  const { id, finishedAt, clientId = 'client-1' } = job
  await committed(storage, creation(id))
  const ended = aJob({
    id,
    version: 2,
    status: 'quarantined',
    wait: null,
    finishedAt,
    owner: { clientId, plan: null, params: {} },
  })
  await committed(storage, { job: ended, expectedVersion: 1, effects: [] })
}

async function listed(
  storage: Storage,
  query: { ownerId?: string; limit: number },
): Promise<string[]> {
  return (await storage.listQuarantined(query)).map(({ id }) => id)
}

export const quarantineCases: readonly ContractCase<Storage>[] = [
  storageCase('S1 quarantined jobs are listed, the one that ended last first', async (storage) => {
    await quarantined(storage, { id: 'job-1', finishedAt: T0 + 1 })
    await quarantined(storage, { id: 'job-2', finishedAt: T0 + 3 })
    await quarantined(storage, { id: 'job-3', finishedAt: T0 + 2 })
    assert.deepEqual(await listed(storage, { limit: 10 }), ['job-2', 'job-3', 'job-1'])
    assert.deepEqual(await listed(storage, { limit: 2 }), ['job-2', 'job-3'])
  }),
  storageCase(
    'S1 quarantined jobs of one owner are listed without the others (D-55)',
    async (storage) => {
      await quarantined(storage, { id: 'job-1', finishedAt: T0 + 1, clientId: 'client-1' })
      await quarantined(storage, { id: 'job-2', finishedAt: T0 + 2, clientId: 'client-2' })
      await quarantined(storage, { id: 'job-3', finishedAt: T0 + 3, clientId: 'client-1' })
      assert.deepEqual(await listed(storage, { ownerId: 'client-1', limit: 10 }), [
        'job-3',
        'job-1',
      ])
      assert.deepEqual(await listed(storage, { ownerId: 'client-3', limit: 10 }), [])
    },
  ),
  storageCase('S1 only quarantined jobs are listed, as whole documents', async (storage) => {
    await committed(storage, creation('job-1'))
    const failed = aJob({ id: 'job-2', status: 'failed', wait: null, finishedAt: T0 })
    await committed(storage, { job: failed, expectedVersion: 0, effects: [] })
    await quarantined(storage, { id: 'job-3', finishedAt: T0 })
    const jobs = await storage.listQuarantined({ limit: 10 })
    assert.deepEqual(jobs, [await storage.findJob('job-3')])
  }),
  storageCase('S1 a job that goes on, or is given up, leaves the list', async (storage) => {
    await quarantined(storage, { id: 'job-1', finishedAt: T0 })
    await quarantined(storage, { id: 'job-2', finishedAt: T0 + 1 })
    await quarantined(storage, { id: 'job-3', finishedAt: T0 + 2 })
    const goesOn = aJob({ id: 'job-1', version: 3, status: 'running' })
    const givenUp = aJob({ id: 'job-2', version: 3, status: 'failed', wait: null, finishedAt: T0 })
    await committed(storage, { job: goesOn, expectedVersion: 2, effects: [] })
    await committed(storage, { job: givenUp, expectedVersion: 2, effects: [] })
    assert.deepEqual(await listed(storage, { limit: 10 }), ['job-3'])
    assert.deepEqual(await listed(storage, { ownerId: 'client-1', limit: 10 }), ['job-3'])
    assert.deepEqual(await storage.findJob('job-1'), goesOn)
  }),
  storageCase(
    'S1 a job that left the list, and ended, does not come back to it',
    async (storage) => {
      await quarantined(storage, { id: 'job-1', finishedAt: T0 })
      const goesOn = aJob({ id: 'job-1', version: 3, status: 'running' })
      await committed(storage, { job: goesOn, expectedVersion: 2, effects: [] })
      const fields = { status: 'finished', wait: null, finishedAt: T0 + 9 } as const
      const finished = aJob({ id: 'job-1', version: 4, ...fields })
      await committed(storage, { job: finished, expectedVersion: 3, effects: [] })
      assert.deepEqual(await listed(storage, { limit: 10 }), [])
      assert.deepEqual(await storage.findJob('job-1'), finished)
    },
  ),
  storageCase('S2 a stale change takes no job from the list (D-15)', async (storage) => {
    await quarantined(storage, { id: 'job-1', finishedAt: T0 })
    const stale = { job: aJob({ version: 2, status: 'running' }), expectedVersion: 1, effects: [] }
    assert.deepEqual(await storage.commit([stale]), [{ kind: 'conflict' }])
    assert.deepEqual(await listed(storage, { limit: 10 }), ['job-1'])
  }),
  storageCase(
    'S1 a job changed while it is on the list is there once, as changed',
    async (storage) => {
      await quarantined(storage, { id: 'job-1', finishedAt: T0 })
      const fields = { status: 'quarantined', wait: null, finishedAt: T0 } as const
      const noted = aJob({ version: 3, ...fields, metadata: { note: 'seen' } })
      await committed(storage, { job: noted, expectedVersion: 2, effects: [] })
      assert.deepEqual(await storage.listQuarantined({ limit: 10 }), [noted])
    },
  ),
  storageCase('S1 a job that comes back is listed by its latest end', async (storage) => {
    await quarantined(storage, { id: 'job-1', finishedAt: T0 })
    await quarantined(storage, { id: 'job-2', finishedAt: T0 + 1 })
    const goesOn = aJob({ id: 'job-1', version: 3, status: 'running' })
    await committed(storage, { job: goesOn, expectedVersion: 2, effects: [] })
    const fields = { status: 'quarantined', wait: null, finishedAt: T0 + 2 } as const
    const again = aJob({ id: 'job-1', version: 4, ...fields })
    await committed(storage, { job: again, expectedVersion: 3, effects: [] })
    assert.deepEqual(await listed(storage, { limit: 10 }), ['job-1', 'job-2'])
  }),
]
