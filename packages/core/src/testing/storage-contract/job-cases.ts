/** Documents, versions and idempotency: S1, S2, S8, S11. */
import assert from 'node:assert/strict'
import type { Effect } from '../../job/effect.ts'
import type { CommitEntry, Storage } from '../../ports/storage.ts'
import { aJob, aMessage, aRecord, aTask, T0 } from '../builders.ts'
import type { ContractCase } from '../contract-case.ts'
import { change, committed, creation, LEASE_MS, stepsFor, storageCase, tasksFor } from './acts.ts'

const EVERYTHING: readonly Effect[] = [
  { kind: 'run_step', stepId: 'step-1' },
  { kind: 'offer_task', task: aTask() },
  { kind: 'set_deadline', key: 'wait', at: T0 },
  { kind: 'set_deadline', key: 'job', at: T0 },
  { kind: 'send', message: aMessage() },
  { kind: 'record', record: aRecord() },
]

/** What a claimer of each kind finds. */
async function found(storage: Storage): Promise<object> {
  const claim = { now: T0, leaseMs: LEASE_MS, limit: 100 }
  return {
    steps: await stepsFor(storage, { holder: 'executor-1' }),
    tasks: await tasksFor(storage, 'worker-1'),
    deadlines: (await storage.claimDueDeadlines(claim)).map(({ key }) => key).toSorted(),
    messages: (await storage.claimMessages(claim)).map(({ messageId }) => messageId),
    records: (await storage.claimRecords(claim)).map(({ eventId }) => eventId),
  }
}

const NOTHING = { steps: [], tasks: [], deadlines: [], messages: [], records: [] }

function withKey(jobId: string, key: { now?: number; fingerprint?: string } = {}): CommitEntry {
  const { now = T0, fingerprint = 'f1' } = key
  const idempotency = { key: 'key-1', fingerprint, now, expiresAt: now + 1_000 }
  return { ...creation(jobId), idempotency }
}

export const jobCases: readonly ContractCase<Storage>[] = [
  storageCase('S1 a committed job is read back as it was handed in', async (storage) => {
    const job = aJob({
      initialData: {
        text: 'ä 漢 🚀 "\\\n',
        list: [],
        object: {},
        none: null,
        deep: [[{ a: [1] }]],
      },
      stateHistory: { big: Number.MAX_SAFE_INTEGER, small: -0.1, yes: true, empty: '' },
      result: [null, 0, false],
    })
    await committed(storage, { job, expectedVersion: 0, effects: [] })
    assert.deepEqual(await storage.findJob('job-1'), job)
  }),
  storageCase('S1 a job that was never committed is not found', async (storage) => {
    assert.equal(await storage.findJob('job-1'), undefined)
  }),
  storageCase(
    'S1 the document and all its effects become true together (D-11)',
    async (storage) => {
      await committed(storage, creation('job-1', EVERYTHING))
      assert.deepEqual(await found(storage), {
        steps: ['step-1'],
        tasks: ['task-1'],
        deadlines: ['job', 'wait'],
        messages: ['job-1:2:0'],
        records: ['job-1:1:0'],
      })
    },
  ),
  storageCase('S1 a change takes back what it withdraws in the same commit', async (storage) => {
    await committed(storage, creation('job-1', EVERYTHING))
    const withdrawals: readonly Effect[] = [
      { kind: 'withdraw_step', stepId: 'step-1' },
      { kind: 'withdraw_task', taskId: 'task-1' },
      { kind: 'clear_deadline', key: 'wait' },
      { kind: 'clear_deadline', key: 'job' },
    ]
    await committed(storage, change('job-1', 1, withdrawals))
    const said = { messages: ['job-1:2:0'], records: ['job-1:1:0'] }
    assert.deepEqual(await found(storage), { ...NOTHING, ...said })
  }),
  storageCase('S1 effects of one entry are applied in their order', async (storage) => {
    const effects: readonly Effect[] = [
      { kind: 'set_deadline', key: 'wait', at: T0 },
      { kind: 'clear_deadline', key: 'wait' },
      { kind: 'set_deadline', key: 'wait', at: T0 - 1 },
    ]
    await committed(storage, creation('job-1', effects))
    const due = await storage.claimDueDeadlines({ now: T0, leaseMs: LEASE_MS, limit: 9 })
    assert.deepEqual(due, [{ jobId: 'job-1', key: 'wait', at: T0 - 1 }])
  }),
  storageCase('S1 each entry of a batch gets its own outcome, in order', async (storage) => {
    await committed(storage, creation('job-1'))
    const outcomes = await storage.commit([creation('job-2'), creation('job-1'), creation('job-3')])
    assert.deepEqual(
      outcomes.map(({ kind }) => kind),
      ['committed', 'conflict', 'committed'],
    )
    assert.equal((await storage.findJob('job-3'))?.id, 'job-3')
  }),
  storageCase('S1 a batch of no entries has no outcomes', async (storage) => {
    assert.deepEqual(await storage.commit([]), [])
  }),
  storageCase('S2 a job that exists cannot be created again', async (storage) => {
    await committed(storage, creation('job-1'))
    const again = { ...creation('job-1', EVERYTHING), job: aJob({ state: 'other' }) }
    assert.deepEqual(await storage.commit([again]), [{ kind: 'conflict' }])
    assert.equal((await storage.findJob('job-1'))?.state, 'start')
    assert.deepEqual(await found(storage), NOTHING)
  }),
  storageCase('S2 a stale version writes neither document nor effects (D-15)', async (storage) => {
    await committed(storage, creation('job-1'))
    await committed(storage, change('job-1', 1))
    const stale = { ...change('job-1', 1, EVERYTHING), job: aJob({ version: 2, state: 'stale' }) }
    assert.deepEqual(await storage.commit([stale]), [{ kind: 'conflict' }])
    assert.equal((await storage.findJob('job-1'))?.state, 'changed')
    assert.deepEqual(await found(storage), NOTHING)
  }),
  storageCase('S2 a stale version withdraws nothing (D-15)', async (storage) => {
    await committed(storage, creation('job-1', [{ kind: 'run_step', stepId: 'step-1' }]))
    const stale = change('job-1', 7, [{ kind: 'withdraw_step', stepId: 'step-1' }])
    assert.deepEqual(await storage.commit([stale]), [{ kind: 'conflict' }])
    assert.deepEqual(await stepsFor(storage, { holder: 'executor-1' }), ['step-1'])
  }),
  storageCase('S2 a job that does not exist cannot be changed', async (storage) => {
    assert.deepEqual(await storage.commit([change('job-1', 1)]), [{ kind: 'conflict' }])
    assert.equal(await storage.findJob('job-1'), undefined)
  }),
  storageCase('S2 a later entry of a batch sees what an earlier one wrote', async (storage) => {
    const outcomes = await storage.commit([creation('job-1'), change('job-1', 1)])
    assert.deepEqual(outcomes, [{ kind: 'committed' }, { kind: 'committed' }])
    assert.equal((await storage.findJob('job-1'))?.version, 2)
  }),
  storageCase(
    'S2 of changes made at the same time to one version, one wins (D-15)',
    async (storage) => {
      await committed(storage, creation('job-1'))
      const tries = Array.from({ length: 8 }, () => storage.commit([change('job-1', 1)]))
      const kinds = (await Promise.all(tries)).flat().map(({ kind }) => kind)
      assert.equal(kinds.filter((kind) => kind === 'committed').length, 1)
      assert.equal(kinds.filter((kind) => kind === 'conflict').length, 7)
    },
  ),
  storageCase(
    'S1 a repeated idempotency key creates nothing and names the first job (D-61)',
    async (storage) => {
      await committed(storage, withKey('job-1'))
      const repeated = { ...withKey('job-2', { fingerprint: 'f2' }), effects: EVERYTHING }
      const expected = [{ kind: 'duplicate', jobId: 'job-1', fingerprint: 'f1' }]
      assert.deepEqual(await storage.commit([repeated]), expected)
      assert.equal(await storage.findJob('job-2'), undefined)
      assert.deepEqual(await found(storage), NOTHING)
    },
  ),
  storageCase('S1 a key repeated within one batch creates one job', async (storage) => {
    const outcomes = await storage.commit([withKey('job-1'), withKey('job-2')])
    assert.deepEqual(
      outcomes.map(({ kind }) => kind),
      ['committed', 'duplicate'],
    )
  }),
  storageCase('S8 an idempotency key lives until its end by the time given', async (storage) => {
    await committed(storage, withKey('job-1'))
    const [live] = await storage.commit([withKey('job-2', { now: T0 + 999 })])
    assert.equal(live?.kind, 'duplicate')
    await committed(storage, withKey('job-3', { now: T0 + 1_000 }))
  }),
  storageCase('S8 a live idempotency key says what it created', async (storage) => {
    assert.equal(await storage.findCreated({ key: 'key-1', now: T0 }), undefined)
    await committed(storage, withKey('job-1'))
    const created = { jobId: 'job-1', fingerprint: 'f1' }
    assert.deepEqual(await storage.findCreated({ key: 'key-1', now: T0 + 999 }), created)
    assert.equal(await storage.findCreated({ key: 'key-2', now: T0 }), undefined)
    assert.equal(await storage.findCreated({ key: 'key-1', now: T0 + 1_000 }), undefined)
  }),
  storageCase('S2 an entry in conflict does not use up its idempotency key', async (storage) => {
    await committed(storage, creation('job-1'))
    assert.deepEqual(await storage.commit([withKey('job-1')]), [{ kind: 'conflict' }])
    await committed(storage, withKey('job-2'))
  }),
  storageCase('S11 what is handed in is not changed', async (storage) => {
    const entry = creation('job-1', EVERYTHING)
    const before = structuredClone(entry)
    freeze(entry)
    await committed(storage, entry)
    await found(storage)
    assert.deepEqual(entry, before)
  }),
]

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  Object.freeze(value)
  for (const inner of Object.values(value)) freeze(inner)
}
