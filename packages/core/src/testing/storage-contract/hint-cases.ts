/** What a store tells on behalf of others, and of tasks that are wanted no more. */
import assert from 'node:assert/strict'
import type { Hint } from '../../ports/hint.ts'
import type { Storage } from '../../ports/storage.ts'
import type { ContractCase } from '../contract-case.ts'
import { committed, creation, storageCase } from './acts.ts'

/** Hints of one kind, as many as are waited for. */
function heard(storage: Storage, kind: Hint['kind'], count: number): Promise<readonly Hint[]> {
  return new Promise((resolve) => {
    const hints: Hint[] = []
    const stop = storage.onHint((hint) => {
      if (hint.kind !== kind) return
      hints.push(hint)
      if (hints.length < count) return
      stop()
      resolve(hints)
    })
  })
}

const marks = ['1', '2', '3'].map((id) => ({ kind: 'stream_mark', id }) as const)

export const hintCases: readonly ContractCase<Storage>[] = [
  storageCase('what is told is heard, also by who tells it, in order', async (storage) => {
    const all = heard(storage, 'stream_mark', marks.length)
    for (const mark of marks) await storage.tell([mark])
    assert.deepEqual(await all, marks)
  }),
  storageCase('a task that is wanted no more is told with its worker', async (storage) => {
    const told = heard(storage, 'withdrawn', 1)
    const withdrawal = { workerId: 'w', jobId: 'job-1', taskId: 't' }
    await committed(storage, { ...creation('job-1'), withdrawn: [withdrawal] })
    assert.deepEqual(await told, [{ kind: 'withdrawn', ...withdrawal }])
  }),
]
