/** Tasks that are to be taken back while the store is away: each is tried again, and nobody spins. */
import { UnavailableError } from '@avtomatika/protocol'
import { expect, it } from 'vitest'
import { TakeBacks } from '../src/engine/dispatch/take-backs.ts'
import { silentLog } from '../src/ports/log.ts'
import { systemClock } from '../src/ports/clock.ts'
import { MemoryStorage } from '../src/memory/index.ts'
import { JobWriter } from '../src/engine/jobs/job-writer.ts'
import { DEFAULT_RULES } from '../src/job/rules.ts'
import { aTask } from '../src/testing/builders.ts'

it('a round of tries ends at the first that fails, and the next one goes on with all', async () => {
  let reads = 0
  let isAway = true
  const storage = new MemoryStorage()
  const { findJob } = storage
  storage.findJob = (jobId) => {
    reads += 1
    if (!isAway) return findJob.call(storage, jobId)
    return Promise.reject(new UnavailableError('STORAGE_UNAVAILABLE', { message: 'away' }))
  }
  const writer = new JobWriter({ storage, rules: DEFAULT_RULES, checkInvariants: true })
  const takeBacks = new TakeBacks({ clock: systemClock, log: silentLog, storage, writer })
  for (const n of [1, 2, 3]) {
    const task = aTask({ taskId: `task-${String(n)}`, jobId: `job-${String(n)}` })
    takeBacks.noteUncertain(task, 'w')
  }
  await takeBacks.retry()
  expect(reads).toBe(1)
  isAway = false
  await takeBacks.retry()
  expect(reads).toBe(4)
  await takeBacks.retry()
  expect(reads).toBe(4)
})
