/** Workers of each older generation beside one of the SDK, at the real program. */
import { expect, it, onTestFinished, vi } from 'vitest'
import { freePort } from '../../../packages/storage-redis/test/support/free-port.ts'
import { startRedis } from '../../../packages/storage-redis/test/support/redis-server.ts'
import { Errands } from './errands.ts'
import type { WorkerProcess } from './worker-process.ts'

const OLDER = ['fork', 'b13', 'head'] as const
const ALL = [...OLDER, 'sdk']
const JOBS = 40
const PATIENCE = { timeout: 20_000, interval: 50 }

async function variablesFor(storage: 'memory' | 'Redis'): Promise<Record<string, string>> {
  if (storage === 'memory') return {}
  const redis = await startRedis()
  onTestFinished(() => redis.stop())
  return { REDIS_URL: redis.url }
}

function older(workers: ReadonlyMap<string, WorkerProcess>, name: string): WorkerProcess {
  const worker = workers.get(name)
  if (worker === undefined) throw new Error(`There is no worker ${name}.`)
  return worker
}

it.each(['memory', 'Redis'] as const)(
  'workers of every generation work, tell, obey and come back, with jobs in %s',
  { timeout: 120_000 },
  async (storage) => {
    const errands = new Errands(await freePort(), await variablesFor(storage))
    await errands.start()
    const workers = new Map(
      OLDER.map((name) => [name, errands.worker(`older-workers/${name}.mjs`, { workerId: name })]),
    )
    const sdk = errands.worker('sdk-worker.ts', { workerId: 'sdk', tasks: ['common'] })
    const everybody = [...workers.values(), sdk]
    await Promise.all(everybody.map((worker) => worker.says('registered')))
    await older(workers, 'fork').says('connected')
    await older(workers, 'b13').says('connected')

    // Each has its share, and each task is done once.
    const jobIds = await Promise.all(
      Array.from({ length: JOBS }, () => errands.create({ type: 'common', ms: 5 })),
    )
    const jobs = await Promise.all(jobIds.map((jobId) => errands.ended(jobId)))
    expect(new Set(jobs.map(({ status }) => status))).toEqual(new Set(['finished']))
    expect(new Set(jobs.map(({ result }) => result))).toEqual(new Set(ALL))
    expect(everybody.flatMap(({ began }) => began).sort()).toEqual(jobIds.toSorted())
    for (const jobId of jobIds) expect(await errands.countOf(jobId, 'task_finished')).toBe(1)

    // Progress is told, and a cancellation heard: in each generation's own way.
    for (const name of OLDER) {
      const worker = older(workers, name)
      const jobId = await errands.create({ type: `only_${name}`, ms: 600_000 })
      await vi.waitFor(async () => {
        expect({ name, progress: (await errands.read(jobId)).progress }).toEqual({
          name,
          progress: 0.5,
        })
      }, PATIENCE)
      await errands.cancel(jobId)
      await worker.says('cancelled', { jobId })
      expect((await errands.ended(jobId)).status).toBe('cancelled')
    }

    // Who is forgotten registers again; who is not goes on.
    const kept = await Promise.all(
      OLDER.map((name) => errands.create({ type: `only_${name}`, ms: 1_000 })),
    )
    await Promise.all(
      OLDER.map((name, i) => older(workers, name).says('began', { jobId: kept[i] ?? '' })),
    )
    await errands.stop('SIGKILL')
    await errands.start()
    if (storage === 'memory') {
      await Promise.all(
        [...workers.values()].map((worker) => worker.says('registered', { times: 2 })),
      )
    } else {
      for (const jobId of kept) expect((await errands.ended(jobId)).status).toBe('finished')
    }
    for (const name of OLDER) {
      const job = await errands.ended(await errands.create({ type: `only_${name}` }))
      expect(job).toMatchObject({ status: 'finished', result: name })
    }
  },
)
