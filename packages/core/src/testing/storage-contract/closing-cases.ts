/** The end of a store: S9. */
import assert from 'node:assert/strict'
import { AvtomatikaError } from '@avtomatika/protocol'
import type { Storage } from '../../ports/storage.ts'
import { aWorker, T0 } from '../builders.ts'
import type { ContractCase } from '../contract-case.ts'
import { creation, LEASE_MS, storageCase } from './acts.ts'

/** Every call of the port but `close` and `onHint`, by name. */
function calls(storage: Storage): Readonly<Record<string, () => Promise<unknown>>> {
  const claim = { now: T0, leaseMs: LEASE_MS, limit: 1 }
  const tasks = { workerId: 'w', now: T0, leaseMs: LEASE_MS }
  const step = { stepId: 's', holder: 'h' }
  const lock = { name: 'l', holder: 'h', now: T0, leaseMs: LEASE_MS }
  const quota = { key: 'k', period: { from: T0, until: T0 + 1_000 }, now: T0 }
  return {
    commit: () => storage.commit([creation('job-1')]),
    findJob: () => storage.findJob('job-1'),
    findCreated: () => storage.findCreated({ key: 'k', now: T0 }),
    listQuarantined: () => storage.listQuarantined({ limit: 1 }),
    listJobsOnOffer: () => storage.listJobsOnOffer({ limit: 1 }),
    removeEndedJobs: () => storage.removeEndedJobs({ endedBefore: T0, limit: 1 }),
    claimQuietJobs: () => storage.claimQuietJobs({ ...claim, quietMs: 1 }),
    findMissing: () =>
      storage.findMissing({ steps: ['s'], tasks: ['t'], offered: [], deadlines: [] }, T0),
    claimSteps: () => storage.claimSteps({ ...claim, holder: 'h' }),
    renewStep: () => storage.renewStep({ ...step, now: T0, leaseMs: LEASE_MS }),
    releaseStep: () => storage.releaseStep(step),
    dropStep: () => storage.dropStep('s'),
    countSteps: () => storage.countSteps(),
    listTaskClasses: () => storage.listTaskClasses(),
    claimTasks: () => storage.claimTasks({ ...tasks, classIds: ['c'], limit: 1, capacity: 1 }),
    endReservations: () => storage.endReservations({ now: T0, limit: 1 }),
    renewTasks: () => storage.renewTasks({ ...tasks, taskIds: 'all', missingSince: null }),
    claimLostTasks: () => storage.claimLostTasks(claim),
    loseTasksOf: () => storage.loseTasksOf(tasks),
    dropTask: () => storage.dropTask('t'),
    countOfferedTasks: () => storage.countOfferedTasks(),
    claimDueDeadlines: () => storage.claimDueDeadlines(claim),
    dropDeadline: () => storage.dropDeadline({ jobId: 'job-1', key: 'wait', at: T0 }),
    nextDueAt: () => storage.nextDueAt(),
    putWorker: () => storage.putWorker(aWorker()),
    updateWorker: () =>
      storage.updateWorker({ workerId: 'w', now: T0, expiresAt: T0, changes: {} }),
    findWorker: () => storage.findWorker({ workerId: 'w', now: T0 }),
    listWorkers: () => storage.listWorkers({ now: T0 }),
    removeWorker: () => storage.removeWorker('w'),
    changedWorkers: () => storage.changedWorkers({ now: T0 }),
    rateWorkers: () =>
      storage.rateWorkers({ ratings: [{ workerId: 'w', by: 0, good: 1, bad: 0 }], now: T0 }),
    readReputations: () => storage.readReputations({ workerIds: ['w'], now: T0 }),
    claimRecords: () => storage.claimRecords(claim),
    ackRecords: () => storage.ackRecords(['e']),
    countRecords: () => storage.countRecords(),
    oldestRecordAt: () => storage.oldestRecordAt(),
    dropOldestRecords: () => storage.dropOldestRecords(1),
    claimMessages: () => storage.claimMessages(claim),
    ackMessages: () => storage.ackMessages(['m']),
    acquireLock: () => storage.acquireLock(lock),
    renewLock: () => storage.renewLock({ ...lock, token: 1 }),
    releaseLock: () => storage.releaseLock({ ...lock, token: 1 }),
    hit: () => storage.hit({ key: 'k', now: T0, limit: 1, windowMs: 1_000 }),
    takeQuota: () => storage.takeQuota({ ...quota, amount: 1, limit: 1 }),
    readQuota: () => storage.readQuota(quota),
    giveBackQuota: () => storage.giveBackQuota({ ...quota, amount: 1 }),
    tell: () => storage.tell([{ kind: 'job_ended', jobId: 'job-1' }]),
    ping: () => storage.ping(),
  }
}

async function errorCodeOf(call: () => Promise<unknown>): Promise<string> {
  try {
    await call()
    return 'none'
  } catch (error) {
    return AvtomatikaError.is(error) ? error.code : String(error)
  }
}

export const closingCases: readonly ContractCase<Storage>[] = [
  storageCase('S9 an open store answers every call', async (storage) => {
    for (const [name, call] of Object.entries(calls(storage))) {
      assert.equal(await errorCodeOf(call), 'none', name)
    }
  }),
  storageCase('S9 a closed store fails every call with STORAGE_CLOSED', async (storage) => {
    await storage.close()
    for (const [name, call] of Object.entries(calls(storage))) {
      assert.equal(await errorCodeOf(call), 'STORAGE_CLOSED', name)
    }
  }),
  storageCase('S9 calls in flight while a store closes come to an end', async (storage) => {
    const inFlight = Object.values(calls(storage)).map((call) => call())
    await storage.close()
    const settled = await Promise.allSettled(inFlight)
    assert.equal(settled.length, inFlight.length)
  }),
  storageCase('S9 closing twice is closing', async (storage) => {
    await storage.close()
    await storage.close()
    assert.equal(await errorCodeOf(() => storage.ping()), 'STORAGE_CLOSED')
  }),
]
