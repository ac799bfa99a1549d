/** Which jobs have tasks on offer. */
import assert from 'node:assert/strict'
import type { Storage } from '../../ports/storage.ts'
import { aJob, aTask, T0 } from '../builders.ts'
import type { ContractCase } from '../contract-case.ts'
import { committed, offered, storageCase, tasksFor } from './acts.ts'

async function idsOnOffer(storage: Storage, limit = 10, ownerId?: string): Promise<string[]> {
  const jobs = await storage.listJobsOnOffer({ limit, ...(ownerId !== undefined && { ownerId }) })
  return jobs.map(({ id }) => id).sort()
}

export const onOfferCases: readonly ContractCase<Storage>[] = [
  storageCase('jobs are on offer until their task is claimed', async (storage) => {
    assert.deepEqual(await idsOnOffer(storage), [])
    const [one, two] = [1, 2].map((n) =>
      aTask({ jobId: `job-${String(n)}`, taskId: `t-${String(n)}` }),
    )
    assert.ok(one && two)
    await offered(storage, one, two)
    assert.deepEqual(await idsOnOffer(storage), ['job-1', 'job-2'])
    await tasksFor(storage, 'w-1', { limit: 1 })
    assert.deepEqual(await idsOnOffer(storage), ['job-2'])
  }),
  storageCase('a job with several tasks on offer is told once', async (storage) => {
    const effects = [1, 2, 3].map((n) => {
      const task = aTask({ jobId: 'job-1', taskId: `t-${String(n)}` })
      return { kind: 'offer_task', task } as const
    })
    await committed(storage, { job: aJob({ id: 'job-1' }), expectedVersion: 0, effects })
    assert.deepEqual(await idsOnOffer(storage), ['job-1'])
  }),
  storageCase('a task that is reserved is on offer, too', async (storage) => {
    const task = aTask({ jobId: 'job-1', taskId: 't-1' })
    const candidates = [{ workerId: 'w-1', capacity: 1 }]
    const wish = { taskId: 't-1', choose: 'best', candidates, now: T0, until: T0 + 250 } as const
    const effects = [{ kind: 'offer_task', task } as const]
    const job = aJob({ id: 'job-1' })
    await committed(storage, { job, expectedVersion: 0, effects, reservations: [wish] })
    assert.deepEqual(await idsOnOffer(storage), ['job-1'])
  }),
  storageCase('each owner is told of his own, up to the limit', async (storage) => {
    for (const [n, clientId] of ['a', 'b', 'a', 'a'].entries()) {
      const id = `job-${String(n)}`
      const job = aJob({ id, owner: { clientId, plan: null, params: {} } })
      const task = aTask({ jobId: id, taskId: `t-${String(n)}` })
      await committed(storage, { job, expectedVersion: 0, effects: [{ kind: 'offer_task', task }] })
    }
    assert.deepEqual(await idsOnOffer(storage, 10, 'a'), ['job-0', 'job-2', 'job-3'])
    assert.deepEqual(await idsOnOffer(storage, 10, 'b'), ['job-1'])
    assert.equal((await idsOnOffer(storage, 2, 'a')).length, 2)
    assert.equal((await idsOnOffer(storage, 3)).length, 3)
  }),
]
