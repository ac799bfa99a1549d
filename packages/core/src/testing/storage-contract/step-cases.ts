/** Steps: S3 to S6. */
import assert from 'node:assert/strict'
import type { Storage } from '../../ports/storage.ts'
import { T0 } from '../builders.ts'
import type { ContractCase } from '../contract-case.ts'
import { change, committed, LEASE_MS, readied, stepsFor, storageCase } from './acts.ts'

const lease = { now: T0, leaseMs: LEASE_MS, stepId: 'step-1' }

export const stepCases: readonly ContractCase<Storage>[] = [
  storageCase(
    'S3 a committed step is handed out with its job and the end of its lease',
    async (storage) => {
      await readied(storage, 1)
      const claim = { holder: 'executor-1', now: T0, leaseMs: LEASE_MS, limit: 5 }
      assert.deepEqual(await storage.claimSteps(claim), [
        { stepId: 'step-1', jobId: 'job-1', leaseExpiresAt: T0 + LEASE_MS },
      ])
    },
  ),
  storageCase(
    'S3 steps are handed out oldest first and no more than asked for',
    async (storage) => {
      await readied(storage, 1, 2, 3)
      assert.deepEqual(await stepsFor(storage, { holder: 'a', limit: 2 }), ['step-1', 'step-2'])
      assert.deepEqual(await stepsFor(storage, { holder: 'a', limit: 0 }), [])
      assert.deepEqual(await stepsFor(storage, { holder: 'a', limit: 2 }), ['step-3'])
    },
  ),
  storageCase('S3 the steps of two jobs are both handed out (D-8)', async (storage) => {
    await readied(storage, 1, 2)
    assert.deepEqual(await stepsFor(storage, { holder: 'a', limit: 1 }), ['step-1'])
    assert.deepEqual(await stepsFor(storage, { holder: 'b', limit: 1 }), ['step-2'])
  }),
  storageCase(
    'S4 a leased step is handed to nobody else, nor again to its holder',
    async (storage) => {
      await readied(storage, 1)
      await stepsFor(storage, { holder: 'a' })
      assert.deepEqual(await stepsFor(storage, { holder: 'b', now: T0 + LEASE_MS - 1 }), [])
      assert.deepEqual(await stepsFor(storage, { holder: 'a', now: T0 + LEASE_MS - 1 }), [])
    },
  ),
  storageCase('S4 claims made at the same time share no step', async (storage) => {
    await readied(storage, 1, 2, 3, 4, 5, 6)
    const holders = ['a', 'b', 'c', 'd']
    const claims = await Promise.all(
      holders.map((holder) => stepsFor(storage, { holder, limit: 2 })),
    )
    const taken = claims.flat().toSorted()
    assert.deepEqual(taken, ['step-1', 'step-2', 'step-3', 'step-4', 'step-5', 'step-6'])
  }),
  storageCase(
    'S5 a step whose lease has run out is handed out by the next claim (D-23)',
    async (storage) => {
      await readied(storage, 1)
      await stepsFor(storage, { holder: 'dead' })
      assert.deepEqual(await stepsFor(storage, { holder: 'b', now: T0 + LEASE_MS }), ['step-1'])
    },
  ),
  storageCase(
    'S5 a step that comes back stands before those that were committed later',
    async (storage) => {
      await readied(storage, 1)
      await stepsFor(storage, { holder: 'dead' })
      await readied(storage, 2)
      const now = T0 + LEASE_MS
      assert.deepEqual(await stepsFor(storage, { holder: 'b', now }), ['step-1', 'step-2'])
    },
  ),
  storageCase('S6 its holder extends a lease', async (storage) => {
    await readied(storage, 1)
    await stepsFor(storage, { holder: 'a' })
    const now = T0 + LEASE_MS - 1
    assert.equal(await storage.renewStep({ ...lease, now, holder: 'a' }), true)
    assert.deepEqual(await stepsFor(storage, { holder: 'b', now: now + LEASE_MS - 1 }), [])
    assert.deepEqual(await stepsFor(storage, { holder: 'b', now: now + LEASE_MS }), ['step-1'])
  }),
  storageCase('S6 nobody else extends a lease', async (storage) => {
    await readied(storage, 1)
    await stepsFor(storage, { holder: 'a' })
    assert.equal(await storage.renewStep({ ...lease, now: T0 + 5, holder: 'b' }), false)
    assert.deepEqual(await stepsFor(storage, { holder: 'b', now: T0 + LEASE_MS }), ['step-1'])
  }),
  storageCase('S6 a step that nobody holds is neither renewed nor released', async (storage) => {
    await readied(storage, 1)
    assert.equal(await storage.renewStep({ ...lease, holder: 'a' }), false)
    assert.equal(await storage.releaseStep({ stepId: 'step-1', holder: 'a' }), false)
    assert.equal(await storage.renewStep({ ...lease, stepId: 'unknown', holder: 'a' }), false)
    assert.equal(await storage.releaseStep({ stepId: 'unknown', holder: 'a' }), false)
  }),
  storageCase(
    'S6 a former holder neither renews nor releases what another has now (D-22)',
    async (storage) => {
      await readied(storage, 1)
      await stepsFor(storage, { holder: 'slow' })
      const now = T0 + LEASE_MS
      await stepsFor(storage, { holder: 'b', now })
      assert.equal(await storage.renewStep({ ...lease, now, holder: 'slow' }), false)
      assert.equal(await storage.releaseStep({ stepId: 'step-1', holder: 'slow' }), false)
      assert.deepEqual(await stepsFor(storage, { holder: 'c', now }), [])
    },
  ),
  storageCase('S5 a lease that has run out cannot be renewed', async (storage) => {
    await readied(storage, 1)
    await stepsFor(storage, { holder: 'a' })
    const now = T0 + LEASE_MS
    assert.equal(await storage.renewStep({ ...lease, now, holder: 'a' }), false)
    assert.deepEqual(await stepsFor(storage, { holder: 'b', now }), ['step-1'])
  }),
  storageCase('S6 a released step is handed out at once and at its old place', async (storage) => {
    await readied(storage, 1, 2)
    await stepsFor(storage, { holder: 'a', limit: 1 })
    assert.equal(await storage.releaseStep({ stepId: 'step-1', holder: 'a' }), true)
    assert.deepEqual(await stepsFor(storage, { holder: 'b' }), ['step-1', 'step-2'])
  }),
  storageCase('S3 a withdrawn step is handed to nobody (D-16, D-21)', async (storage) => {
    await readied(storage, 1)
    await committed(storage, change('job-1', 1, [{ kind: 'withdraw_step', stepId: 'step-1' }]))
    assert.deepEqual(await stepsFor(storage, { holder: 'a' }), [])
  }),
  storageCase('S6 withdrawing a step ends its lease for good (D-16, D-22)', async (storage) => {
    await readied(storage, 1)
    await stepsFor(storage, { holder: 'a' })
    await committed(storage, change('job-1', 1, [{ kind: 'withdraw_step', stepId: 'step-1' }]))
    assert.equal(await storage.renewStep({ ...lease, holder: 'a' }), false)
    assert.equal(await storage.releaseStep({ stepId: 'step-1', holder: 'a' }), false)
    assert.deepEqual(await stepsFor(storage, { holder: 'b', now: T0 + LEASE_MS }), [])
  }),
  storageCase(
    'S3 a dropped step is handed out no more, and its job is left alone',
    async (storage) => {
      await readied(storage, 1)
      await stepsFor(storage, { holder: 'a' })
      await storage.dropStep('step-1')
      await storage.dropStep('unknown')
      assert.deepEqual(await stepsFor(storage, { holder: 'b', now: T0 + LEASE_MS }), [])
      assert.equal((await storage.findJob('job-1'))?.version, 1)
    },
  ),
  storageCase('S3 steps are counted until they are withdrawn or dropped', async (storage) => {
    assert.deepEqual(await storage.countSteps(), { ready: 0, leased: 0 })
    await readied(storage, 1, 2, 3)
    await stepsFor(storage, { holder: 'h', limit: 2 })
    assert.deepEqual(await storage.countSteps(), { ready: 1, leased: 2 })
    await storage.releaseStep({ stepId: 'step-1', holder: 'h' })
    await storage.dropStep('step-2')
    assert.deepEqual(await storage.countSteps(), { ready: 2, leased: 0 })
  }),
]
