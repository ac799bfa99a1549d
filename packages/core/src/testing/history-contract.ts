/** What every `History` must pass; see `storageContract` for how to run it. */
import assert from 'node:assert/strict'
import type { History } from '../ports/history.ts'
import { aRecord, T0 } from './builders.ts'
import { contractCase, type ContractCase } from './contract-case.ts'

function historyCase(
  name: string,
  check: (history: History) => Promise<void>,
): ContractCase<History> {
  return contractCase(name, check)
}

async function eventIds(history: History, jobId = 'job-1'): Promise<readonly string[]> {
  return (await history.ofJob(jobId)).map(({ eventId }) => eventId)
}

/** The promises of `History`, one case each. */
export const historyContract: readonly ContractCase<History>[] = [
  historyCase('a row is read back as it was handed in', async (history) => {
    const error = { code: 'X', message: 'ö "quoted"', details: { list: [], none: null } }
    const whole = aRecord({
      error,
      previousState: 'a',
      nextState: 'b',
      durationMs: 0,
      workerId: 'w',
      taskId: 't',
      attempt: 2,
    })
    await history.append([whole])
    assert.deepEqual(await history.ofJob('job-1'), [whole])
  }),
  historyCase('a row without optional fields comes back without them', async (history) => {
    await history.append([aRecord()])
    assert.deepEqual(await history.ofJob('job-1'), [aRecord()])
  }),
  historyCase('a job without rows has an empty history', async (history) => {
    await history.append([])
    assert.deepEqual(await history.ofJob('job-1'), [])
  }),
  historyCase('rows are read oldest first, also when one was delivered late', async (history) => {
    await history.append([aRecord({ eventId: 'c', version: 10 })])
    await history.append([
      aRecord({ eventId: 'a', version: 1 }),
      aRecord({ eventId: 'b', version: 2 }),
    ])
    assert.deepEqual(await eventIds(history), ['a', 'b', 'c'])
  }),
  historyCase('rows stand in the order of their changes, whatever clocks said', async (history) => {
    await history.append([
      aRecord({ eventId: 'a', version: 1, at: T0 + 9 }),
      aRecord({ eventId: 'b', version: 2, at: T0 }),
    ])
    assert.deepEqual(await eventIds(history), ['a', 'b'])
  }),
  historyCase('rows of the same change keep the order of their delivery', async (history) => {
    await history.append(['x', 'b', 'y', 'a'].map((eventId) => aRecord({ eventId })))
    assert.deepEqual(await eventIds(history), ['x', 'b', 'y', 'a'])
  }),
  historyCase('a row delivered twice is kept once, as it was first (S3)', async (history) => {
    const row = aRecord({ eventId: 'a' })
    await history.append([row, row])
    await history.append([aRecord({ eventId: 'b' }), { ...row, state: 'other' }])
    assert.deepEqual(await eventIds(history), ['a', 'b'])
    assert.equal((await history.ofJob('job-1'))[0]?.state, 'start')
  }),
  historyCase('jobs do not see each other’s rows', async (history) => {
    await history.append([aRecord({ jobId: 'job-1' }), aRecord({ jobId: 'job-2' })])
    assert.deepEqual(await eventIds(history, 'job-2'), ['job-2:1:0'])
  }),
  historyCase('what was handed out does not change when rows are added', async (history) => {
    await history.append([aRecord({ eventId: 'a' })])
    const before = await history.ofJob('job-1')
    await history.append([aRecord({ eventId: 'b' })])
    assert.equal(before.length, 1)
  }),
]
