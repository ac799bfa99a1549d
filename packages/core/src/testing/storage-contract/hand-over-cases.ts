/** What is in somebody's hands with the write that makes it: S1, S4 to S6. */
import assert from 'node:assert/strict'
import type { Storage } from '../../ports/storage.ts'
import { aTask, T0 } from '../builders.ts'
import type { ContractCase } from '../contract-case.ts'
import {
  change,
  committed,
  creation,
  LEASE_MS,
  lostTasks,
  stepsFor,
  storageCase,
  tasksFor,
} from './acts.ts'

type Entry = Parameters<Storage['commit']>[0][0]

/** Offers tasks of one job, of which some go to workers at once. */
function handing(
  jobId: string,
  tasks: readonly string[],
  to: Readonly<Record<string, string>>,
  capacity = 10,
): Entry {
  const effects = tasks.map((taskId) => {
    return { kind: 'offer_task', task: aTask({ taskId, jobId }) } as const
  })
  const lease = { now: T0, leaseMs: LEASE_MS, capacity }
  const handOvers = Object.entries(to).map(([taskId, workerId]) => ({ taskId, workerId, ...lease }))
  return { ...creation(jobId, effects), handOvers }
}

function stepping(jobId: string, stepId: string, holder: string): Entry {
  const stepLease = { holder, now: T0, leaseMs: LEASE_MS }
  return { ...creation(jobId, [{ kind: 'run_step', stepId }]), stepLease }
}

export const handOverCases: readonly ContractCase<Storage>[] = [
  storageCase('S4 a task that is handed over is on offer to nobody', async (storage) => {
    await committed(storage, handing('job-1', ['a', 'b'], { a: 'w' }))
    assert.equal(await storage.countOfferedTasks(), 1)
    assert.deepEqual(await tasksFor(storage, 'v'), ['b'])
    assert.deepEqual(await storage.listTaskClasses(), [])
  }),
  storageCase('S5 a task that is handed over is lost like any other', async (storage) => {
    await committed(storage, handing('job-1', ['a'], { a: 'w' }))
    assert.equal(await storage.nextDueAt(), T0 + LEASE_MS)
    assert.deepEqual(await lostTasks(storage, T0 + LEASE_MS - 1), [])
    assert.deepEqual(await lostTasks(storage, T0 + LEASE_MS), ['a'])
  }),
  storageCase('S6 a task that is handed over is its worker’s to renew', async (storage) => {
    await committed(storage, handing('job-1', ['a'], { a: 'w' }))
    const renewal = { now: T0 + 1, leaseMs: LEASE_MS, missingSince: null }
    const taskIds = ['a']
    assert.deepEqual(await storage.renewTasks({ ...renewal, workerId: 'v', taskIds }), ['a'])
    assert.deepEqual(await storage.renewTasks({ ...renewal, workerId: 'w', taskIds }), [])
    assert.deepEqual(await lostTasks(storage, T0 + LEASE_MS), [])
  }),
  storageCase('S4 a task that never reached its worker is lost by its list', async (storage) => {
    await committed(storage, handing('job-1', ['a'], { a: 'w' }))
    const lease = { workerId: 'w', now: T0 + 5, leaseMs: LEASE_MS }
    await storage.renewTasks({ ...lease, taskIds: [], missingSince: T0 + 1 })
    assert.deepEqual(await lostTasks(storage, T0 + 5), ['a'])
  }),
  storageCase('S1 without room for all, nothing of the entry is written', async (storage) => {
    const full = handing('job-1', ['a', 'b'], { a: 'w', b: 'w' }, 1)
    assert.deepEqual(await storage.commit([full, creation('job-2')]), [
      { kind: 'no_room' },
      { kind: 'committed' },
    ])
    assert.equal(await storage.findJob('job-1'), undefined)
    assert.equal(await storage.countOfferedTasks(), 0)
    await committed(storage, handing('job-1', ['a', 'b'], { a: 'w', b: 'w' }, 2))
    assert.deepEqual(await storage.commit([handing('job-3', ['c'], { c: 'w' }, 2)]), [
      { kind: 'no_room' },
    ])
  }),
  storageCase('S2 a stale entry hands nothing over', async (storage) => {
    const stale = { ...handing('job-1', ['a'], { a: 'w' }), expectedVersion: 3 }
    assert.deepEqual(await storage.commit([stale]), [{ kind: 'conflict' }])
    assert.equal(await storage.nextDueAt(), undefined)
  }),
  storageCase('S4 a step that its maker runs is ready for nobody', async (storage) => {
    await committed(storage, stepping('job-1', 's', 'h'))
    assert.deepEqual(await stepsFor(storage, { holder: 'other' }), [])
    const lease = { stepId: 's', now: T0 + 1, leaseMs: LEASE_MS }
    assert.equal(await storage.renewStep({ ...lease, holder: 'other' }), false)
    assert.equal(await storage.renewStep({ ...lease, holder: 'h' }), true)
  }),
  storageCase('S5 a step whose maker died is ready when its lease has run out', async (storage) => {
    await committed(storage, stepping('job-1', 's', 'h'))
    assert.deepEqual(await stepsFor(storage, { holder: 'o', now: T0 + LEASE_MS - 1 }), [])
    assert.deepEqual(await stepsFor(storage, { holder: 'o', now: T0 + LEASE_MS }), ['s'])
  }),
  storageCase('S4 a step that its maker runs can be withdrawn', async (storage) => {
    await committed(storage, stepping('job-1', 's', 'h'))
    await committed(storage, change('job-1', 1, [{ kind: 'withdraw_step', stepId: 's' }]))
    assert.deepEqual(await stepsFor(storage, { holder: 'o', now: T0 + LEASE_MS }), [])
  }),
]
