/** Reputations: P1 to P6. */
import assert from 'node:assert/strict'
import {
  RECOVERY_HALF_MS,
  REPUTATION_DAYS,
  type Rating,
  type Reputation,
} from '../../ports/reputation-store.ts'
import type { Storage } from '../../ports/storage.ts'
import { aWorker, T0 } from '../builders.ts'
import type { ContractCase } from '../contract-case.ts'
import { storageCase } from './acts.ts'

const DAY_MS = 86_400_000

function rating(by: number, fields: Partial<Rating> = {}): Rating {
  return { workerId: 'w-1', by, good: 0, bad: 0, ...fields }
}

async function rated(storage: Storage, one: Rating, now = T0): Promise<Reputation | undefined> {
  return (await storage.rateWorkers({ ratings: [one], now }))[0]
}

async function read(storage: Storage, now = T0, workerId = 'w-1'): Promise<Reputation> {
  const [known] = await storage.readReputations({ workerIds: [workerId], now })
  assert.ok(known)
  return known
}

function assertAbout(value: number | undefined, expected: number): void {
  assert.ok(Math.abs((value ?? NaN) - expected) < 1e-9, `${String(value)}, not ${String(expected)}`)
}

export const reputationCases: readonly ContractCase<Storage>[] = [
  storageCase('P1 who is not known has a full reputation, and no outcomes', async (storage) => {
    const known = await storage.readReputations({ workerIds: ['b', 'a'], now: T0 })
    assert.deepEqual(known, [
      { workerId: 'b', reputation: 1, good: 0, bad: 0 },
      { workerId: 'a', reputation: 1, good: 0, bad: 0 },
    ])
    assert.deepEqual(await storage.readReputations({ workerIds: [], now: T0 }), [])
    assert.deepEqual(await storage.rateWorkers({ ratings: [], now: T0 }), [])
  }),
  storageCase('P1 nothing lifts a reputation above 1, or lowers it below 0', async (storage) => {
    assert.equal((await rated(storage, rating(5)))?.reputation, 1)
    assert.equal((await rated(storage, rating(-9)))?.reputation, 0)
    assertAbout((await rated(storage, rating(0.25)))?.reputation, 0.25)
  }),
  storageCase('P2 of many ratings at the same time, all count', async (storage) => {
    const all = Array.from({ length: 20 }, () => rated(storage, rating(-0.01, { good: 1, bad: 2 })))
    await Promise.all(all)
    const { reputation, good, bad } = await read(storage)
    assertAbout(reputation, 0.8)
    assert.deepEqual([good, bad], [20, 40])
  }),
  storageCase('P2 several workers are rated at once, each by its own', async (storage) => {
    const ratings = [rating(-0.5, { workerId: 'a' }), rating(-0.25, { workerId: 'b', bad: 1 })]
    const told = await storage.rateWorkers({ ratings, now: T0 })
    assert.deepEqual(
      told.map(({ workerId, bad }) => [workerId, bad]),
      [
        ['a', 0],
        ['b', 1],
      ],
    )
    assertAbout((await read(storage, T0, 'a')).reputation, 0.5)
    assertAbout((await read(storage, T0, 'b')).reputation, 0.75)
  }),
  storageCase('P3 half of what is missing comes back, again and again', async (storage) => {
    await rated(storage, rating(-0.8))
    assertAbout((await read(storage, T0 + RECOVERY_HALF_MS)).reputation, 0.6)
    assertAbout((await read(storage, T0 + 2 * RECOVERY_HALF_MS)).reputation, 0.8)
    const again = await rated(storage, rating(-0.1), T0 + RECOVERY_HALF_MS)
    assertAbout(again?.reputation, 0.5)
    assertAbout((await read(storage, T0 + 2 * RECOVERY_HALF_MS)).reputation, 0.75)
  }),
  storageCase('P4 outcomes count for so many days', async (storage) => {
    await rated(storage, rating(0, { good: 3 }))
    const last = T0 + (REPUTATION_DAYS - 1) * DAY_MS
    await rated(storage, rating(0, { good: 1, bad: 1 }), last)
    const { good, bad } = await read(storage, last)
    assert.deepEqual([good, bad], [4, 1])
    const later = await read(storage, last + DAY_MS)
    assert.deepEqual([later.good, later.bad], [1, 1])
    const after = await rated(storage, rating(0), last + DAY_MS)
    assert.deepEqual([after?.good, after?.bad], [1, 1])
  }),
  storageCase('P5 registering and removing a worker changes nothing (D-38)', async (storage) => {
    await storage.putWorker(aWorker({ workerId: 'w-1' }))
    await rated(storage, rating(-0.5))
    await storage.removeWorker('w-1')
    assertAbout((await read(storage)).reputation, 0.5)
    await storage.putWorker(aWorker({ workerId: 'w-1' }))
    assertAbout((await read(storage)).reputation, 0.5)
  }),
  storageCase('P5 a rating prolongs nobody’s registration (D-41)', async (storage) => {
    const worker = aWorker({ workerId: 'w-1', expiresAt: T0 + 1_000 })
    await storage.putWorker(worker)
    await rated(storage, rating(-0.5))
    assert.deepEqual(await storage.findWorker({ workerId: 'w-1', now: T0 }), worker)
    assert.equal(await storage.findWorker({ workerId: 'w-1', now: T0 + 1_000 }), undefined)
  }),
  storageCase('P6 a clock that is behind takes nothing back', async (storage) => {
    await rated(storage, rating(-0.5))
    assertAbout((await rated(storage, rating(-0.1), T0 - 60_000))?.reputation, 0.4)
    assertAbout((await read(storage)).reputation, 0.4)
  }),
]
