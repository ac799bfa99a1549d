/** How jobs with many branches are kept: each leaf by itself, and written only when it has changed. */
import { randomUUID } from 'node:crypto'
import { aJob } from '@avtomatika/core/testing'
import type { CommitEntry, Job } from '@avtomatika/core'
import { Redis } from 'ioredis'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { RedisStorage } from '../src/index.ts'

type Wait = Extract<Job['wait'], { readonly for: 'branches' }>
type Table = Wait['branches']

async function open(prefix: string): Promise<RedisStorage> {
  const storage = await RedisStorage.open({ url: inject('redisUrl'), prefix })
  onTestFinished(() => storage.close())
  return storage
}

function connection(): Redis {
  const redis = new Redis(inject('redisUrl'))
  onTestFinished(() => {
    redis.disconnect()
  })
  return redis
}

/** Leaves of two branches each, that are done. */
function leaf(place: number, word = 'old'): Table[number] {
  return [0, 1].map((n) => ({
    kind: 'done',
    name: `${word}-${String(n)}`,
    index: 2 * place + n,
    taskId: `task-job-1-${String(n)}-1`,
    status: 'success',
    data: { word },
    error: null,
  }))
}

function tableOf(leaves: number): Table {
  return Array.from({ length: leaves }, (_, place) => leaf(place))
}

function fanned(version: number, branches: Table): Job {
  const aggregateInto = { state: 'collect' }
  const wait: Wait = {
    for: 'branches',
    aggregateInto,
    concurrency: null,
    failFast: false,
    branches,
  }
  return aJob({ id: 'job-1', version, wait })
}

function write(job: Job): CommitEntry {
  return { job, expectedVersion: job.version - 1, effects: [] }
}

async function kindOf(storage: RedisStorage, job: Job): Promise<string | undefined> {
  const [outcome] = await storage.commit([write(job)])
  return outcome?.kind
}

/** The fields of the job's hash, but for its leaves' marks. */
async function fieldsOf(prefix: string): Promise<string[]> {
  const fields = await connection().hkeys(`${prefix}:{0}:job:job-1`)
  return fields.sort()
}

describe('a job with branches', () => {
  it('is read as it was written, here and elsewhere, however its leaves changed', async () => {
    const prefix = randomUUID()
    const [one, two] = [await open(prefix), await open(prefix)]
    const table = tableOf(3)
    await one.commit([write(fanned(1, table))])
    const changed = table.with(1, leaf(1, 'new'))
    expect(await kindOf(one, fanned(2, changed))).toBe('committed')
    expect(await two.findJob('job-1')).toEqual(fanned(2, changed))
    // The other knows the leaves from reading them.
    const read = (await two.findJob('job-1'))?.wait as Wait
    const again = read.branches.with(0, leaf(0, 'newer'))
    expect(await kindOf(two, fanned(3, again))).toBe('committed')
    expect(await one.findJob('job-1')).toEqual(fanned(3, again))
  })

  it('sends a leaf once, and then only when it has changed', async () => {
    const prefix = randomUUID()
    const storage = await open(prefix)
    const table = tableOf(3)
    await storage.commit([write(fanned(1, table))])
    const key = `${prefix}:{0}:job:job-1`
    // Whoever writes it again would bring it back.
    await connection().hset(key, 'b2', 'spoilt')
    await storage.commit([write(fanned(2, table.with(0, leaf(0, 'new'))))])
    expect(await connection().hget(key, 'b2')).toBe('spoilt')
    expect((await connection().hgetBuffer(key, 'b0'))?.includes('new')).toBe(true)
  })

  it('is read again but for the leaves that are known and still the same', async () => {
    const prefix = randomUUID()
    const [one, two] = [await open(prefix), await open(prefix)]
    const table = tableOf(3)
    await one.commit([write(fanned(1, table))])
    const known = await two.findJob('job-1')
    const changed = table.with(1, leaf(1, 'new'))
    await one.commit([write(fanned(2, changed))])
    const key = `${prefix}:{0}:job:job-1`
    // Whoever reads it would stumble.
    await connection().hset(key, 'b2', 'spoilt')
    const read = await two.findJob('job-1')
    expect(read).toEqual(fanned(2, changed))
    const leavesOf = (job: Job | undefined): Table => (job?.wait as Wait).branches
    expect(leavesOf(read)[2]).toBe(leavesOf(known)[2])
    // One that was written is known as well.
    await connection().hset(key, 'b1', 'spoilt')
    expect(await one.findJob('job-1')).toEqual(fanned(2, changed))
  })

  it('leaves nothing behind when it waits for fewer, or for something else', async () => {
    const prefix = randomUUID()
    const storage = await open(prefix)
    await storage.commit([write(fanned(1, tableOf(3)))])
    expect(await fieldsOf(prefix)).toEqual(['b0', 'b1', 'b2', 'd', 'm', 'v'])
    await storage.commit([write(fanned(2, tableOf(1)))])
    expect(await fieldsOf(prefix)).toEqual(['b0', 'd', 'm', 'v'])
    await storage.commit([write(aJob({ id: 'job-1', version: 3 }))])
    expect(await fieldsOf(prefix)).toEqual(['d', 'v'])
    expect(await storage.findJob('job-1')).toEqual(aJob({ id: 'job-1', version: 3 }))
  })

  it('is not written upon leaves that are not those it was made from', async () => {
    const prefix = randomUUID()
    const [one, two] = [await open(prefix), await open(prefix)]
    const table = tableOf(2)
    await one.commit([write(fanned(1, table))])
    await one.commit([write(fanned(2, table))])
    // A Redis that has lost its last second, and goes on with another orchestrator.
    await connection().hset(`${prefix}:{0}:job:job-1`, 'v', '1')
    expect(await kindOf(two, fanned(2, [leaf(0, 'lost'), leaf(1, 'lost')]))).toBe('committed')
    expect(await kindOf(one, fanned(3, table.with(0, leaf(0, 'new'))))).toBe('conflict')
    const read = (await one.findJob('job-1'))?.wait as Wait
    expect(await kindOf(one, fanned(3, read.branches.with(0, leaf(0, 'new'))))).toBe('committed')
    const last = (await two.findJob('job-1'))?.wait as Wait
    expect(last.branches).toEqual([leaf(0, 'new'), leaf(1, 'lost')])
  })

  it('that was refused is sent whole the next time', async () => {
    const storage = await open(randomUUID())
    const table = tableOf(2)
    expect(await kindOf(storage, fanned(5, table))).toBe('conflict')
    expect(await kindOf(storage, fanned(1, table))).toBe('committed')
    expect(await storage.findJob('job-1')).toEqual(fanned(1, table))
  })

  it('is found whole among those that have been quiet', async () => {
    const storage = await open(randomUUID())
    const job = fanned(1, tableOf(2))
    await storage.commit([write(job)])
    const claim = { now: job.updatedAt + 100, quietMs: 1, leaseMs: 1_000, limit: 5 }
    expect(await storage.claimQuietJobs(claim)).toEqual([job])
  })
})
