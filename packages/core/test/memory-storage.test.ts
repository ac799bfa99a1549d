import { describe, expect, it, vi } from 'vitest'
import type { Effect } from '../src/job/effect.ts'
import type { Job } from '../src/job/job.ts'
import { MemoryStorage } from '../src/memory/index.ts'
import type { CommitEntry, Hint } from '../src/ports/storage.ts'
import { aJob, aRecord, aTask, T0 } from '../src/testing/index.ts'

function creation(job: Job, effects: readonly Effect[] = []): CommitEntry {
  return { job, expectedVersion: 0, effects }
}

function ended(id: string, status: Job['status'] = 'finished'): CommitEntry {
  return creation(aJob({ id, status, wait: null, finishedAt: T0 }))
}

const claim = { now: T0, leaseMs: 1_000, limit: 100 }

describe('hints', () => {
  const effects: readonly Effect[] = [
    { kind: 'run_step', stepId: 's' },
    { kind: 'offer_task', task: aTask({ demand: { type: 'resize', skillVersion: '2' } }) },
    { kind: 'set_deadline', key: 'wait', at: T0 + 5 },
    { kind: 'record', record: aRecord({ eventId: 'a' }) },
    { kind: 'record', record: aRecord({ eventId: 'b' }) },
  ]

  it('name what a commit made claimable, once its answer is there', async () => {
    const storage = new MemoryStorage()
    const hints: Hint[] = []
    storage.onHint((hint) => hints.push(hint))
    const done = storage.commit([creation(aJob(), effects), ended('job-2')])
    expect(hints).toEqual([])
    await done
    expect(hints).toEqual([
      { kind: 'step' },
      { kind: 'task', classId: 'resize@2' },
      { kind: 'deadline', at: T0 + 5 },
      { kind: 'record' },
      { kind: 'job_ended', jobId: 'job-2' },
    ])
  })

  it('are not given for entries that were not written', async () => {
    const storage = new MemoryStorage()
    const listener = vi.fn()
    storage.onHint(listener)
    await storage.commit([{ ...creation(aJob({ version: 9 }), effects), expectedVersion: 8 }])
    expect(listener).not.toHaveBeenCalled()
  })

  it('find the whole batch written when a listener looks (S1)', async () => {
    const storage = new MemoryStorage()
    const looks: Promise<Job | undefined>[] = []
    storage.onHint(() => looks.push(storage.findJob('job-2')))
    await storage.commit([creation(aJob(), effects.slice(0, 1)), creation(aJob({ id: 'job-2' }))])
    expect((await Promise.all(looks)).map((job) => job?.id)).toEqual(['job-2'])
  })

  it('reach the other listeners when one throws, and the error is reported', async () => {
    const onListenerError = vi.fn()
    const storage = new MemoryStorage({ onListenerError })
    const error = new Error('listener')
    const second = vi.fn()
    storage.onHint(() => {
      throw error
    })
    storage.onHint(second)
    const outcomes = await storage.commit([creation(aJob(), effects.slice(0, 1))])
    expect(outcomes).toEqual([{ kind: 'committed' }])
    expect(second).toHaveBeenCalledExactlyOnceWith({ kind: 'step' })
    expect(onListenerError).toHaveBeenCalledExactlyOnceWith(error)
  })

  it('stop for whoever asked, and for all when the store closes', async () => {
    const storage = new MemoryStorage()
    const stopped = vi.fn()
    const open = vi.fn()
    storage.onHint(stopped)()
    storage.onHint(open)
    const done = storage.commit([creation(aJob(), effects)])
    await storage.close()
    await done
    expect(stopped).not.toHaveBeenCalled()
    expect(open).not.toHaveBeenCalled()
    expect(() => storage.onHint(open)).toThrow(expect.objectContaining({ code: 'STORAGE_CLOSED' }))
  })

  it('wake the watcher when leases are made due before their time (W7)', async () => {
    const storage = new MemoryStorage()
    await storage.commit([creation(aJob(), [{ kind: 'offer_task', task: aTask() }])])
    await storage.claimTasks({ ...claim, workerId: 'w', classIds: ['resize'], capacity: 1 })
    const listener = vi.fn()
    storage.onHint(listener)
    await storage.loseTasksOf({ workerId: 'w', now: T0 + 5 })
    expect(listener).toHaveBeenCalledExactlyOnceWith({ kind: 'deadline', at: T0 + 5 })
  })

  it('say that a step is there when one is given back', async () => {
    const storage = new MemoryStorage()
    await storage.commit([creation(aJob(), [{ kind: 'run_step', stepId: 's' }])])
    await storage.claimSteps({ ...claim, holder: 'a' })
    const listener = vi.fn()
    storage.onHint(listener)
    await storage.releaseStep({ stepId: 's', holder: 'a' })
    expect(listener).toHaveBeenCalledExactlyOnceWith({ kind: 'step' })
  })
})

describe('bounds', () => {
  it('drop the oldest record that is not on its way, and count it', async () => {
    const storage = new MemoryStorage({ maxOutboxRecords: 2 })
    const records = ['a', 'b', 'c', 'd'].map((eventId) => aRecord({ eventId }))
    const effects = records.map((record): Effect => ({ kind: 'record', record }))
    await storage.commit([creation(aJob(), effects.slice(0, 1))])
    await storage.claimRecords(claim)
    await storage.commit([creation(aJob({ id: 'job-2' }), effects.slice(1))])
    expect(storage.droppedRecords).toBe(2)
    const left = await storage.claimRecords({ ...claim, now: T0 + 1_000 })
    expect(left.map(({ eventId }) => eventId)).toEqual(['a', 'd'])
  })

  it('forget the ended jobs that ended first; live and quarantined ones stay (D-70)', async () => {
    const storage = new MemoryStorage({ retainTerminalJobs: 2 })
    await storage.commit([creation(aJob({ id: 'live' })), ended('stuck', 'quarantined')])
    await storage.commit(['a', 'b', 'c'].map((id) => ended(id)))
    const ids = ['live', 'stuck', 'a', 'b', 'c']
    const kept = await Promise.all(ids.map((id) => storage.findJob(id)))
    expect(kept.map((job) => job?.id)).toEqual(['live', 'stuck', undefined, 'b', 'c'])
  })
})
