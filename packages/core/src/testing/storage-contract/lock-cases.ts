/** Locks: L1 to L3, L7, L8. */
import assert from 'node:assert/strict'
import type { LockGrant } from '../../ports/limit-store.ts'
import type { Storage } from '../../ports/storage.ts'
import { T0 } from '../builders.ts'
import type { ContractCase } from '../contract-case.ts'
import { LEASE_MS, storageCase } from './acts.ts'

const END = T0 + LEASE_MS

interface Claim {
  readonly name?: string
  readonly now?: number
}

/** The grant of a lock that nobody has. */
async function granted(storage: Storage, holder: string, claim: Claim = {}): Promise<LockGrant> {
  const { name = 'lock', now = T0 } = claim
  const grant = await storage.acquireLock({ name, holder, now, leaseMs: LEASE_MS })
  assert.notEqual(grant, undefined, `${name} was not given to ${holder}`)
  return { name, holder, token: grant?.token ?? 0 }
}

async function isRefused(storage: Storage, holder: string, now: number): Promise<boolean> {
  const claim = { name: 'lock', holder, now, leaseMs: LEASE_MS }
  return (await storage.acquireLock(claim)) === undefined
}

export const lockCases: readonly ContractCase<Storage>[] = [
  storageCase('L1 a lock has one holder until its lease runs out', async (storage) => {
    await granted(storage, 'a')
    assert.equal(await isRefused(storage, 'b', END - 1), true)
    await granted(storage, 'b', { now: END })
  }),
  storageCase('L1 of many who ask at once, one is given the lock', async (storage) => {
    const claims = ['a', 'b', 'c', 'd', 'e'].map((holder) => ({
      name: 'lock',
      holder,
      now: T0,
      leaseMs: LEASE_MS,
    }))
    const grants = await Promise.all(claims.map((claim) => storage.acquireLock(claim)))
    assert.equal(grants.filter((grant) => grant !== undefined).length, 1)
  }),
  storageCase('L1 two processes of one name do not share a lock', async (storage) => {
    await granted(storage, 'a')
    assert.equal(await isRefused(storage, 'a', T0), true)
  }),
  storageCase('L2 tokens grow over release and expiry', async (storage) => {
    const first = await granted(storage, 'a')
    await storage.releaseLock(first)
    const second = await granted(storage, 'a')
    const third = await granted(storage, 'b', { now: END })
    const fourth = await granted(storage, 'b', { now: END + LEASE_MS })
    const tokens = [first, second, third, fourth].map(({ token }) => token)
    assert.deepEqual(
      tokens,
      tokens.toSorted((a, b) => a - b),
    )
    assert.equal(new Set(tokens).size, 4)
  }),
  storageCase('L2 tokens outlive the data of the store: they follow the time', async (storage) => {
    const { token } = await granted(storage, 'a')
    assert.equal(token >= T0, true)
    assert.equal((await granted(storage, 'a', { now: END + 5 })).token >= END + 5, true)
  }),
  storageCase('L2 a clock that is behind makes no token smaller', async (storage) => {
    const first = await granted(storage, 'a', { now: END })
    await storage.releaseLock(first)
    assert.equal((await granted(storage, 'b', { now: T0 })).token > first.token, true)
  }),
  storageCase('L3 the holder renews from now on, again and again', async (storage) => {
    const grant = await granted(storage, 'a')
    const renewal = { ...grant, leaseMs: LEASE_MS }
    assert.equal(await storage.renewLock({ ...renewal, now: END - 1 }), true)
    assert.equal(await storage.renewLock({ ...renewal, now: END + LEASE_MS - 2 }), true)
    assert.equal(await isRefused(storage, 'b', END + 2 * LEASE_MS - 3), true)
    await granted(storage, 'b', { now: END + 2 * LEASE_MS - 2 })
  }),
  storageCase('L3 what has run out is not renewed, even if nobody took it', async (storage) => {
    const grant = await granted(storage, 'a')
    assert.equal(await storage.renewLock({ ...grant, now: END, leaseMs: LEASE_MS }), false)
    await granted(storage, 'b', { now: END })
  }),
  storageCase('L3 whose lock was given to another neither renews nor releases', async (storage) => {
    const lost = await granted(storage, 'a')
    const present = await granted(storage, 'a', { now: END })
    assert.equal(await storage.renewLock({ ...lost, now: END, leaseMs: LEASE_MS }), false)
    assert.equal(await storage.releaseLock(lost), false)
    assert.equal(await storage.releaseLock({ ...present, holder: 'b' }), false)
    assert.equal(await isRefused(storage, 'b', END), true)
    assert.equal(await storage.renewLock({ ...present, now: END, leaseMs: LEASE_MS }), true)
  }),
  storageCase('L3 a released lock is free at once, and released once', async (storage) => {
    const grant = await granted(storage, 'a')
    assert.equal(await storage.releaseLock(grant), true)
    assert.equal(await storage.releaseLock(grant), false)
    assert.equal(await storage.renewLock({ ...grant, now: T0, leaseMs: LEASE_MS }), false)
    await granted(storage, 'b')
  }),
  storageCase('L7 locks of other names are free', async (storage) => {
    const one = await granted(storage, 'a', { name: 'one' })
    await granted(storage, 'a', { name: 'two' })
    assert.equal(await storage.releaseLock({ ...one, name: 'two' }), false)
    assert.equal(await storage.releaseLock(one), true)
  }),
]
