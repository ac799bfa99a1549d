/** Rate limits and quotas: L4 to L8. */
import assert from 'node:assert/strict'
import type { HitOutcome, QuotaKey, QuotaOutcome } from '../../ports/limit-store.ts'
import type { Storage } from '../../ports/storage.ts'
import { T0 } from '../builders.ts'
import type { ContractCase } from '../contract-case.ts'
import { storageCase } from './acts.ts'

/** One hit each 1 000 ms, three at once. */
const LIMIT = { limit: 3, windowMs: 3_000 }
const PERIOD = { from: T0, until: T0 + 1_000 }
const QUOTA: QuotaKey = { key: 'client', period: PERIOD, now: T0 }

function hit(storage: Storage, now = T0, key = 'key'): Promise<HitOutcome> {
  return storage.hit({ key, now, ...LIMIT })
}

async function filled(storage: Storage, now = T0): Promise<void> {
  for (let n = 0; n < LIMIT.limit; n += 1) assert.equal((await hit(storage, now)).allowed, true)
}

function take(
  storage: Storage,
  amount: number,
  quota: Partial<QuotaKey> = {},
): Promise<QuotaOutcome> {
  return storage.takeQuota({ ...QUOTA, ...quota, amount, limit: 5 })
}

const rateCases: readonly ContractCase<Storage>[] = [
  storageCase('L4 as many hits as the limit are let in at once, no more', async (storage) => {
    const outcomes = [await hit(storage), await hit(storage), await hit(storage)]
    assert.deepEqual(outcomes, [
      { allowed: true, remaining: 2, nextAt: T0 },
      { allowed: true, remaining: 1, nextAt: T0 },
      { allowed: true, remaining: 0, nextAt: T0 + 1_000 },
    ])
    const refused = { allowed: false, remaining: 0, nextAt: T0 + 1_000 }
    assert.deepEqual(await hit(storage), refused)
  }),
  storageCase('L4 of many hits at the same time, as many as the limit', async (storage) => {
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => hit(storage)))
    assert.equal(outcomes.filter(({ allowed }) => allowed).length, 3)
  }),
  storageCase('L4 one more is let in at the moment that was told, not before', async (storage) => {
    await filled(storage)
    assert.equal((await hit(storage, T0 + 999)).allowed, false)
    assert.equal((await hit(storage, T0 + 1_000)).allowed, true)
    assert.equal((await hit(storage, T0 + 1_000)).allowed, false)
  }),
  storageCase('L4 after a quiet window all may come at once again', async (storage) => {
    await filled(storage)
    await filled(storage, T0 + 3_000)
    assert.equal((await hit(storage, T0 + 3_000)).allowed, false)
  }),
  storageCase('L4 a limit that does not divide its window keeps exact', async (storage) => {
    const odd = { key: 'key', limit: 7, windowMs: 1_000 }
    for (let n = 0; n < 7; n += 1) {
      assert.equal((await storage.hit({ ...odd, now: T0 })).allowed, true)
    }
    const { allowed, nextAt } = await storage.hit({ ...odd, now: T0 })
    assert.deepEqual([allowed, nextAt], [false, T0 + 143])
    assert.equal((await storage.hit({ ...odd, now: T0 + 142 })).allowed, false)
    assert.equal((await storage.hit({ ...odd, now: T0 + 143 })).allowed, true)
  }),
  storageCase('L5 a key that keeps knocking is let in no later (D-47)', async (storage) => {
    await filled(storage)
    for (let ms = 100; ms < 1_000; ms += 100) {
      assert.deepEqual(await hit(storage, T0 + ms), {
        allowed: false,
        remaining: 0,
        nextAt: T0 + 1_000,
      })
    }
    assert.equal((await hit(storage, T0 + 1_000)).allowed, true)
  }),
  storageCase('L7 another key has a limit of its own', async (storage) => {
    await filled(storage)
    assert.deepEqual(await hit(storage, T0, 'other'), { allowed: true, remaining: 2, nextAt: T0 })
  }),
  storageCase('L8 a clock that is behind lets nobody in twice', async (storage) => {
    await filled(storage)
    const { allowed, nextAt } = await hit(storage, T0 - 500)
    assert.deepEqual([allowed, nextAt], [false, T0 + 1_000])
    assert.equal((await hit(storage, T0 + 1_000)).allowed, true)
  }),
]

const quotaCases: readonly ContractCase<Storage>[] = [
  storageCase('L6 a quota is taken up to its limit, not beyond (D-60)', async (storage) => {
    assert.equal(await storage.readQuota(QUOTA), 0)
    assert.deepEqual(await take(storage, 3), { allowed: true, used: 3, limit: 5 })
    assert.deepEqual(await take(storage, 3), { allowed: false, used: 3, limit: 5 })
    assert.deepEqual(await take(storage, 2), { allowed: true, used: 5, limit: 5 })
    assert.deepEqual(await take(storage, 1), { allowed: false, used: 5, limit: 5 })
    assert.equal(await storage.readQuota(QUOTA), 5)
  }),
  storageCase('L6 takes at the same time do not exceed the limit together', async (storage) => {
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => take(storage, 1)))
    assert.equal(outcomes.filter(({ allowed }) => allowed).length, 5)
    assert.equal(await storage.readQuota(QUOTA), 5)
  }),
  storageCase('L6 what is given back can be taken again, and never below 0', async (storage) => {
    await take(storage, 5)
    await storage.giveBackQuota({ ...QUOTA, amount: 2 })
    assert.deepEqual(await take(storage, 2), { allowed: true, used: 5, limit: 5 })
    await storage.giveBackQuota({ ...QUOTA, amount: 50 })
    assert.equal(await storage.readQuota(QUOTA), 0)
    assert.equal((await take(storage, 6)).allowed, false)
  }),
  storageCase('L6 a limit that was lowered counts what was taken before', async (storage) => {
    await take(storage, 4)
    const lower = { ...QUOTA, amount: 1, limit: 2 }
    assert.deepEqual(await storage.takeQuota(lower), { allowed: false, used: 4, limit: 2 })
  }),
  storageCase('L7 each period begins with nothing taken (D-60)', async (storage) => {
    const next = { period: { from: T0 + 1_000, until: T0 + 2_000 }, now: T0 + 1_000 }
    await take(storage, 5)
    assert.deepEqual(await take(storage, 5, next), { allowed: true, used: 5, limit: 5 })
    await storage.giveBackQuota({ ...QUOTA, amount: 5, now: T0 + 1_000 })
    assert.equal(await storage.readQuota({ ...QUOTA, ...next }), 5)
  }),
  storageCase('L7 another key has a quota of its own', async (storage) => {
    await take(storage, 5)
    assert.deepEqual(await take(storage, 1, { key: 'other' }), { allowed: true, used: 1, limit: 5 })
    assert.equal(await storage.readQuota(QUOTA), 5)
  }),
  storageCase('L8 a quota counts until its end by the time given', async (storage) => {
    await take(storage, 5)
    assert.equal(await storage.readQuota({ ...QUOTA, now: PERIOD.until - 1 }), 5)
    assert.equal(await storage.readQuota({ ...QUOTA, now: PERIOD.until }), 0)
  }),
]

export const limitCases: readonly ContractCase<Storage>[] = [...rateCases, ...quotaCases]
