import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'

import { Queue, UnrecoverableError, Worker as Processor, type Job } from 'bullmq'

// The tests of the Redis storage know how to find or start a Redis; there is nothing to add to that.
import { startRedis, type RedisServer } from '../../storage-redis/test/support/redis-server.ts'
import { bullmqTask, type BullmqTaskOptions } from '../src/bullmq/index.ts'
import { Worker } from '../src/index.ts'
import { testWorker } from '../src/testing/index.ts'
import { recordingLogger } from './setup.ts'

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
}, 60_000)
afterAll(() => redis.stop())

let queues = 0
type Process = (job: Job<Record<string, unknown>>, processor: Processor) => unknown

async function aBridge(process?: Process, options: Partial<BullmqTaskOptions<never, never>> = {}) {
  queues += 1
  const name = `q${queues}`
  const connection = { url: redis.url, maxRetriesPerRequest: null }
  const work = (start: Process): Processor => {
    const processor: Processor = new Processor(
      name,
      async (job: Job<Record<string, unknown>>) => start(job, processor),
      { connection },
    )
    onTestFinished(() => processor.close(true))
    return processor
  }
  if (process !== undefined) await work(process).waitUntilReady()
  const queue = new Queue(name, { connection })
  await queue.waitUntilReady()
  const aWorker = () => {
    const worker = new Worker({ workerId: 'w1', token: 't', env: {}, logger: recordingLogger() })
    bullmqTask(worker, 'resize', { queue: name, connection, ...options })
    onTestFinished(() => worker.stop())
    return { worker, bench: testWorker(worker) }
  }
  onTestFinished(() => queue.close())
  return { queue, work, aWorker, ...aWorker() }
}

/** Resolves when a job of the queue is in this state. */
async function jobIn(queue: Queue, state: 'waiting' | 'active'): Promise<Job> {
  for (;;) {
    const [job] = await queue.getJobs([state])
    if (job !== undefined) return job
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('a task in a BullMQ queue', () => {
  it('is answered with what the processor returns, and tells its progress', async () => {
    const { bench } = await aBridge(async (job) => {
      await job.updateProgress(50)
      return { name: job.name, path: `/tmp/${String(job.data['width'])}` }
    })
    const { status, data, progress } = await bench.run('resize', { width: 3 })
    expect({ status, data }).toEqual({
      status: 'success',
      data: { name: 'resize', path: '/tmp/3' },
    })
    expect(progress).toEqual([{ fraction: 0.5 }])
  })

  it('fails as the processor throws: to be tried again, or by a person', async () => {
    const passing = await aBridge(() => {
      throw new Error('disk full')
    })
    expect((await passing.bench.run('resize')).error).toEqual({
      code: 'TRANSIENT_ERROR',
      message: 'disk full',
    })
    const final = await aBridge(
      () => {
        throw new UnrecoverableError('no such picture')
      },
      { jobOptions: { attempts: 2 } },
    )
    expect((await final.bench.run('resize')).error).toEqual({
      code: 'PERMANENT_ERROR',
      message: 'no such picture',
    })
    const own = await aBridge(
      () => {
        throw new Error('disk full')
      },
      { isPermanent: (reason) => reason === 'disk full' },
    )
    expect((await own.bench.run('resize')).error?.code).toBe('PERMANENT_ERROR')
  })

  it('waits for the last of the attempts that BullMQ makes', async () => {
    const { bench } = await aBridge(
      (job) => {
        if (job.attemptsMade === 0) throw new Error('not yet')
        return { attempts: job.attemptsMade + 1 }
      },
      { jobOptions: { attempts: 3 } },
    )
    expect((await bench.run('resize')).data).toEqual({ attempts: 2 })
  })

  it('is not done twice when another worker takes over (B1)', async () => {
    let runs = 0
    const { aWorker, bench, queue, work } = await aBridge()
    const identity = { jobId: 'j', taskId: 't' }
    const lost = bench.start('resize', {}, identity)
    await jobIn(queue, 'waiting')
    bench.shutDown()
    expect((await lost.result).error).toMatchObject({ details: { released: true } })
    work(() => {
      runs += 1
      return { runs }
    })
    for (const attempt of [2, 3]) {
      const { data } = await aWorker().bench.run('resize', {}, { ...identity, attempt })
      expect(data).toEqual({ runs: 1 })
    }
  })

  it('is done again with the next attempt after a failure (B2)', async () => {
    let runs = 0
    const { bench } = await aBridge(() => {
      runs += 1
      if (runs === 1) throw new Error('disk full')
      return { runs }
    })
    const identity = { jobId: 'j', taskId: 't' }
    const first = await bench.run('resize', {}, identity)
    expect(first.error).toMatchObject({ message: 'disk full' })
    const second = await bench.run('resize', {}, { ...identity, attempt: 2 })
    expect(second.data).toEqual({ runs: 2 })
  })

  it('leaves the queue when it is cancelled before a processor took it (B3)', async () => {
    const { bench, queue } = await aBridge()
    const task = bench.start('resize')
    await jobIn(queue, 'waiting')
    task.cancel()
    expect(await task.result).toMatchObject({ status: 'cancelled' })
    expect(await queue.getJobCounts('waiting', 'active')).toEqual({ waiting: 0, active: 0 })
  })

  it('is cancelled for the orchestrator even when the processor goes on (B3)', async () => {
    let end = (): void => undefined
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    const { bench, queue } = await aBridge(() => ended)
    const task = bench.start('resize')
    await jobIn(queue, 'active')
    task.cancel()
    expect(await task.result).toMatchObject({ status: 'cancelled' })
    end()
  })

  it('fails when its job is taken out of the queue', async () => {
    const { bench, queue } = await aBridge()
    const task = bench.start('resize')
    await (await jobIn(queue, 'waiting')).remove()
    expect((await task.result).error).toEqual({
      code: 'TRANSIENT_ERROR',
      message: 'The job was removed from its BullMQ queue.',
    })
  })
})
