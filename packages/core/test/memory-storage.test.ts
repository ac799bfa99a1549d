import { describe, expect, it, vi } from 'vitest'
import type { Effect, OfferedTask } from '../src/job/effect.ts'
import type { Job } from '../src/job/job.ts'
import { MemoryStorage } from '../src/memory/index.ts'
import { MemoryWorkers } from '../src/memory/memory-workers.ts'
import type { Hint } from '../src/ports/hint.ts'
import type { CommitEntry } from '../src/ports/storage.ts'
import { aJob, aMessage, aRecord, aTask, aWorker, T0 } from '../src/testing/index.ts'

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
    { kind: 'send', message: aMessage({ messageId: 'a' }) },
    { kind: 'send', message: aMessage({ messageId: 'b' }) },
  ]

  it('name what a commit made claimable, once its answer is there', async () => {
    const storage = new MemoryStorage()
    const hints: Hint[] = []
    storage.onHint((hint) => hints.push(hint))
    const done = storage.commit([creation(aJob(), effects), ended('job-2')])
    expect(hints).toEqual([])
    await done
    expect(hints).toEqual([
      { kind: 'task', classId: 'resize@2', demand: { type: 'resize', skillVersion: '2' } },
      { kind: 'deadline', at: T0 + 5 },
      { kind: 'step' },
      { kind: 'record' },
      { kind: 'message' },
      { kind: 'job_ended', jobId: 'job-2' },
    ])
  })

  it('say from when on a task is open to the worker that it avoids (S7)', async () => {
    const storage = new MemoryStorage()
    const hints: Hint[] = []
    storage.onHint((hint) => hints.push(hint))
    const task = aTask({ avoid: { workerId: 'w', until: T0 + 500 } })
    await storage.commit([creation(aJob(), [{ kind: 'offer_task', task }])])
    const demand = { type: 'resize' }
    expect(hints).toEqual([{ kind: 'task', classId: 'resize', demand, openToAllAt: T0 + 500 }])
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

/** A later version of a job, as its status needs it. */
function later(id: string, version: number, status: Job['status']): CommitEntry {
  const over = status === 'running' ? {} : { wait: null, finishedAt: T0 + version }
  return { job: aJob({ id, version, status, ...over }), expectedVersion: version - 1, effects: [] }
}

async function committed(storage: MemoryStorage, ...entries: CommitEntry[]): Promise<void> {
  expect(await storage.commit(entries)).toEqual(entries.map(() => ({ kind: 'committed' })))
}

/** Those of these jobs that can still be read. */
async function kept(storage: MemoryStorage, ...ids: string[]): Promise<string[]> {
  const jobs = await Promise.all(ids.map((id) => storage.findJob(id)))
  return jobs.flatMap((job) => (job === undefined ? [] : [job.id]))
}

describe('bounds', () => {
  it('forget the ended jobs that ended first; live and quarantined ones stay (D-70)', async () => {
    const storage = new MemoryStorage({ retainTerminalJobs: 2 })
    await storage.commit([creation(aJob({ id: 'live' })), ended('stuck', 'quarantined')])
    await storage.commit(['a', 'b', 'c'].map((id) => ended(id)))
    const ids = ['live', 'stuck', 'a', 'b', 'c']
    const kept = await Promise.all(ids.map((id) => storage.findJob(id)))
    expect(kept.map((job) => job?.id)).toEqual(['live', 'stuck', undefined, 'b', 'c'])
  })

  it('count a job that is given up in quarantine as ended, from then on (D-70)', async () => {
    const storage = new MemoryStorage({ retainTerminalJobs: 2 })
    await committed(storage, ended('stuck', 'quarantined'), ended('a'), ended('b'))
    await committed(storage, later('stuck', 2, 'failed'))
    expect(await kept(storage, 'stuck', 'a', 'b')).toEqual(['stuck', 'b'])
    await committed(storage, ended('c'), ended('d'))
    expect(await kept(storage, 'stuck', 'b', 'c', 'd')).toEqual(['c', 'd'])
    expect(await storage.listQuarantined({ limit: 9 })).toEqual([])
  })

  it('keep a job that goes on after quarantine, and count its end once (D-70)', async () => {
    const storage = new MemoryStorage({ retainTerminalJobs: 2 })
    await committed(storage, ended('stuck', 'quarantined'), later('stuck', 2, 'running'))
    await committed(storage, ended('a'), ended('b'), ended('c'))
    expect(await kept(storage, 'stuck', 'a', 'b', 'c')).toEqual(['stuck', 'b', 'c'])
    await committed(storage, later('stuck', 3, 'finished'))
    expect(await kept(storage, 'stuck', 'b', 'c')).toEqual(['stuck', 'c'])
    await committed(storage, ended('d'))
    expect(await kept(storage, 'stuck', 'c', 'd')).toEqual(['stuck', 'd'])
    await committed(storage, ended('e'))
    expect(await kept(storage, 'stuck', 'd', 'e')).toEqual(['d', 'e'])
  })

  it('count a job once, however often it was quarantined before it was given up', async () => {
    const storage = new MemoryStorage({ retainTerminalJobs: 2 })
    await committed(storage, ended('stuck', 'quarantined'), later('stuck', 2, 'running'))
    await committed(storage, later('stuck', 3, 'quarantined'), later('stuck', 4, 'failed'))
    await committed(storage, later('stuck', 5, 'failed'), ended('a'))
    expect(await kept(storage, 'stuck', 'a')).toEqual(['stuck', 'a'])
  })

  it('do not hold for messages: none is ever dropped (S3)', async () => {
    const storage = new MemoryStorage({ retainTerminalJobs: 1 })
    const effects = Array.from({ length: 500 }, (_, n): Effect => {
      return { kind: 'send', message: aMessage({ messageId: String(n) }) }
    })
    await committed(storage, creation(aJob(), effects), ended('a'), ended('b'))
    expect(await storage.claimMessages({ ...claim, limit: 1_000 })).toHaveLength(500)
  })
})

describe('the cost of a claim', () => {
  /** Counts how often one task is compared with another, by the reads of its priority. */
  function counting(): { reads: number; task: (n: number, avoided: string | null) => OfferedTask } {
    const counter = {
      reads: 0,
      task: (n: number, avoided: string | null): OfferedTask => {
        const avoid = avoided === null ? null : { workerId: avoided, until: T0 + 1_000 }
        const task = aTask({ taskId: `t${String(n)}`, avoid })
        return Object.defineProperty(task, 'priority', {
          get: () => {
            counter.reads += 1
            return 0
          },
        })
      },
    }
    return counter
  }

  it('is that of what is taken and passed over, not of what waits (D-48)', async () => {
    const storage = new MemoryStorage()
    const counter = counting()
    const effects = Array.from({ length: 2 ** 14 }, (_, n): Effect => {
      return { kind: 'offer_task', task: counter.task(n, n < 8 || n >= 100 ? 'w' : null) }
    })
    await committed(storage, creation(aJob(), effects))
    counter.reads = 0
    const asked = { ...claim, limit: 4, capacity: 9, workerId: 'w', classIds: ['resize'] }
    expect((await storage.claimTasks(asked)).map(({ task }) => task.taskId)).toEqual([
      't8',
      't9',
      't10',
      't11',
    ])
    // 4 taken, 8 set aside and put back; each move compares at most 3 times on each of 15 levels.
    expect(counter.reads).toBeLessThanOrEqual(2 * 20 * 3 * 15)
  })

  it('leaves a class alone whose tasks stand behind those that are taken', async () => {
    const storage = new MemoryStorage()
    const counter = counting()
    const first: Effect = {
      kind: 'offer_task',
      task: aTask({ taskId: 'first', demand: { type: 'x' } }),
    }
    const behind = Array.from({ length: 2 ** 12 }, (_, n): Effect => {
      return { kind: 'offer_task', task: counter.task(n, 'w') }
    })
    await committed(storage, creation(aJob(), [first, ...behind]))
    counter.reads = 0
    const asked = { ...claim, limit: 1, capacity: 9, workerId: 'w', classIds: ['resize', 'x'] }
    expect((await storage.claimTasks(asked)).map(({ task }) => task.taskId)).toEqual(['first'])
    expect(counter.reads).toBeLessThanOrEqual(2)
  })
})

describe('what a store remembers of workers', () => {
  it('ends with them, although nobody lists them', () => {
    const workers = new MemoryWorkers()
    for (let n = 0; n < 10; n += 1) {
      const expiresAt = T0 + (n + 1) * 1_000
      workers.putWorker(aWorker({ workerId: `w-${String(n)}`, lastSeenAt: T0 + n, expiresAt }))
    }
    expect(workers.size).toBe(10)
    workers.changedWorkers({ since: '10', now: T0 + 5_000 })
    expect(workers.size).toBe(5)
    workers.changedWorkers({ since: '10', now: T0 + 60_000 })
    expect(workers.size).toBe(0)
  })
})
