/** Many branches: what they cost the store depends on how they come, not on how many there are. */
import { describe, expect, it } from 'vitest'
import { Blueprint } from '../src/blueprint/blueprint.ts'
import { mergeChanges, type Changed } from '../src/engine/jobs/merge-changes.ts'
import type { Effect } from '../src/job/effect.ts'
import type { Storage } from '../src/ports/storage.ts'
import { aJob } from '../src/testing/builders.ts'
import { create, Hand, oneTask, World } from './support/engine-world.ts'
import { openStorage, overlay, settled } from './support/storage-under-test.ts'

const never = new AbortController().signal

function fan(branches: number): Blueprint {
  return new Blueprint('fan')
    .state('spread', { start: true }, ({ actions }) => {
      const tasks = Array.from({ length: branches }, (_, n) => ({ type: 'resize', params: { n } }))
      actions.dispatchParallel({ tasks, aggregateInto: 'collect' })
    })
    .aggregator('collect', { end: true }, ({ branches: results }) => ({
      sum: results.reduce((sum, { data }) => sum + Number(data?.['n']), 0),
    }))
}

/** A store that counts what is written of jobs, and what is read. */
function countingStorage(): { readonly storage: Storage; commits: number; reads: number } {
  const inner = openStorage()
  const counts = { commits: 0, reads: 0 }
  const storage = overlay(inner, {
    commit: (entries) => {
      counts.commits += entries.length
      return inner.commit(entries)
    },
    findJob: (jobId) => {
      counts.reads += 1
      return inner.findJob(jobId)
    },
  })
  return Object.assign(counts, { storage })
}

describe('a fan-out to hundreds of branches', () => {
  it('is written once for all tasks of a poll, and once for all results of a message', async () => {
    const counts = countingStorage()
    const world = new World({ storage: counts.storage })
    const blueprint = fan(300)
    const engine = world.engine(blueprint)
    const worker = await Hand.hire(engine, 'w-1', { max_concurrent_tasks: 50 })
    const jobId = await create(engine, blueprint)
    counts.commits = 0
    for (let round = 0; round < 6; round += 1) {
      const handed = await worker.poll(0, { max: 50 })
      expect(handed).toHaveLength(50)
      await Promise.all(handed.map(({ task }) => worker.report(task, { data: task.params })))
    }
    expect(await world.job(jobId)).toMatchObject({ status: 'finished', result: { sum: 44_850 } })
    // Six polls, six messages, and the step of the aggregator.
    expect(counts.commits).toBe(13)
  })

  it('is not read again by a client that waits for its end, whatever happens to it', async () => {
    const counts = countingStorage()
    const world = new World({ storage: counts.storage })
    const blueprint = fan(100)
    const engine = world.engine(blueprint)
    const worker = await Hand.hire(engine, 'w-1', { max_concurrent_tasks: 100 })
    const job = await world.job(await create(engine, blueprint))
    const handed = await worker.poll(0, { max: 100 })
    const waiting = engine.reads.await(job.id, undefined, { waitMs: 60_000, signal: never })
    await settled()
    counts.reads = 0
    for (const { task } of handed) await worker.report(task, { data: task.params })
    expect((await waiting).status).toBe('finished')
    expect(counts.reads).toBeLessThanOrEqual(2)
  })
})

describe('a wait for a job', () => {
  it('costs the store nothing where the job runs', async () => {
    const counts = countingStorage()
    const world = new World({ storage: counts.storage })
    const engine = world.engine(oneTask())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, oneTask())
    const task = await worker.take()
    counts.reads = 0
    const waiting = engine.reads.await(jobId, undefined, { waitMs: 60_000, signal: never })
    await worker.report(task, { data: { n: 1 } })
    const job = await waiting
    expect(counts.reads).toBe(0)
    expect(job).toEqual(await world.job(jobId))
  })

  it('begins with what the store has when news is asked for that this engine knows of', async () => {
    const world = new World()
    const [one, two] = [world.engine(oneTask()), world.engine(oneTask())]
    const worker = await Hand.hire(one)
    const jobId = await create(one, oneTask())
    const task = await worker.take()
    await two.reportProgress({ ...task, workerId: 'w-1', progress: 0.5, message: null })
    const wait = { waitMs: 60_000, changedAfter: 0, signal: never }
    expect(await one.reads.await(jobId, undefined, wait)).toMatchObject({ progress: 0.5 })
  })

  it('shows nobody the job of somebody else', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const jobId = await create(engine, oneTask())
    const wait = { waitMs: 60_000, signal: never }
    await expect(engine.reads.await(jobId, 'client-2', wait)).rejects.toThrow('Job not found')
  })

  it('ends at once when another engine has ended it, whatever this one remembers', async () => {
    const world = new World()
    const [one, two] = [world.engine(oneTask()), world.engine(oneTask())]
    const worker = await Hand.hire(one)
    const job = await world.job(await create(one, oneTask()))
    await worker.take()
    const waiting = one.reads.await(job.id, undefined, { waitMs: 60_000, signal: never })
    await two.cancelJob(job.id)
    await settled()
    expect((await waiting).status).toBe('cancelled')
  })
})

describe('several changes as one write', () => {
  const changed = (version: number, ...effects: readonly Effect[]): Changed => ({
    kind: 'changed',
    job: aJob({ version }),
    effects,
  })
  const set = (key: 'wait' | 'job', at: number): Effect => ({ kind: 'set_deadline', key, at })
  const dropped: Effect = { kind: 'withdraw_task', taskId: 't-1' }

  it('end in the last document, and keep what each of them said but for timers set anew', () => {
    const merged = mergeChanges([
      changed(2, set('wait', 10), set('job', 99)),
      changed(3, dropped, set('wait', 20)),
      changed(4, { kind: 'clear_deadline', key: 'wait' }, { kind: 'run_step', stepId: 's-1' }),
    ])
    expect(merged?.job.version).toBe(4)
    expect(merged?.effects).toEqual([
      set('job', 99),
      dropped,
      { kind: 'clear_deadline', key: 'wait' },
      { kind: 'run_step', stepId: 's-1' },
    ])
  })

  it('are none of none, and one of one', () => {
    expect(mergeChanges([])).toBeUndefined()
    const one = changed(2, dropped)
    expect(mergeChanges([one])).toBe(one)
  })
})
