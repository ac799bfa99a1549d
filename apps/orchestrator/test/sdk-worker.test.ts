/** A worker of the SDK as a process of its own rides out what happens to the real program. */
import { expect, it, onTestFinished, vi } from 'vitest'
import { freePort } from '../../../packages/storage-redis/test/support/free-port.ts'
import { startRedis } from '../../../packages/storage-redis/test/support/redis-server.ts'
import { Errands } from './errands.ts'
import { startUnrulyProxy } from './unruly-proxy.ts'
import type { WorkerProcess } from './worker-process.ts'

const PATIENCE = { timeout: 30_000, interval: 50 }
/** A machine that has other things to do may need most of it. */
const LONG = { timeout: 240_000 }
/** How long the program is restarted over and over, and what it has in between. */
const RESTARTS_MS = 20_000
const UP_MS = 2_000
const LEAST_RESTARTS = 3

async function health(port: number): Promise<string> {
  const [live, ready] = await Promise.all(
    ['health', 'ready'].map(async (path) => {
      const answer = await fetch(`http://127.0.0.1:${String(port)}/${path}`)
      await answer.body?.cancel()
      return answer.status
    }),
  )
  return `${String(live)} ${String(ready)}`
}

async function untilHealth(port: number, wanted: string): Promise<void> {
  await vi.waitFor(async () => {
    expect(await health(port)).toBe(wanted)
  }, PATIENCE)
}

async function onRedis(): Promise<Errands> {
  const redis = await startRedis()
  onTestFinished(() => redis.stop())
  return new Errands(await freePort(), { REDIS_URL: redis.url })
}

/** Each of these jobs has ended well, and was told of once. */
async function expectDone(errands: Errands, jobIds: readonly string[]): Promise<void> {
  for (const jobId of jobIds) {
    expect({ jobId, ...(await errands.ended(jobId)) }).toMatchObject({ jobId, status: 'finished' })
  }
}

it('waits for an orchestrator that is down, and its health says so', LONG, async () => {
  const errands = new Errands(await freePort())
  const healthPort = await freePort()
  const worker = errands.worker('sdk-worker.ts', { workerId: 'early', tasks: ['work'], healthPort })
  await untilHealth(healthPort, '503 503')
  await errands.start()
  await worker.says('registered')
  await untilHealth(healthPort, '200 200')
  await expectDone(errands, [await errands.create({ type: 'work', ms: 1 })])

  await errands.stop('SIGKILL')
  await untilHealth(healthPort, '503 503')
  await errands.start()
  await untilHealth(healthPort, '200 200')
  await expectDone(errands, [await errands.create({ type: 'work', ms: 1 })])
  worker.kill('SIGTERM')
  expect(await worker.ended).toMatchObject({ code: 0, signal: null })
})

it('works on while the orchestrator is restarted every two seconds', LONG, async () => {
  const errands = await onRedis()
  await errands.start()
  const workers = ['one', 'other'].map((workerId) =>
    errands.worker('sdk-worker.ts', { workerId, tasks: ['work'], healthPort: false }),
  )
  await Promise.all(workers.map((worker) => worker.says('registered')))
  let isOver = false
  const created: string[] = []
  const load = async (name: string): Promise<void> => {
    for (let n = 0; !isOver; n += 1) {
      const jobId = await errands.create({ type: 'work', ms: 20 }, `${name}-${String(n)}`)
      created.push(jobId)
      expect(await errands.ended(jobId)).toMatchObject({ status: 'finished' })
    }
  }
  const loading = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => load(name))
  for (const each of loading) each.catch(() => undefined)
  const until = performance.now() + RESTARTS_MS
  let restarts = 0
  for (; restarts < LEAST_RESTARTS || performance.now() < until; restarts += 1) {
    await new Promise((resolve) => setTimeout(resolve, UP_MS))
    await errands.stop(restarts % 2 === 0 ? 'SIGKILL' : 'SIGTERM')
    await errands.start()
  }
  isOver = true
  await Promise.all(loading)
  await expectDone(errands, created)
  const began = workers.flatMap((worker) => worker.began)
  expect(created.filter((jobId) => !began.includes(jobId))).toEqual([])
  process.stdout.write(
    `restarted ${String(restarts)} times: ${String(created.length)} jobs, ${String(began.length)} runs\n`,
  )
  await expectCleanEnds(workers)
})

it('works on behind a proxy that hangs, cuts, refuses and talks nonsense', LONG, async () => {
  const errands = await onRedis()
  await errands.start()
  const seed = Number(process.env['PROXY_SEED'] ?? 5)
  const proxy = await startUnrulyProxy(errands.url, { seed, share: 0.3 })
  onTestFinished(() => proxy.close())
  const workers = ['one', 'other'].map((workerId) =>
    errands.worker('sdk-worker.ts', {
      url: proxy.url,
      workerId,
      tasks: ['work'],
      healthPort: false,
    }),
  )
  const jobIds = await Promise.all(
    Array.from({ length: 80 }, () => errands.create({ type: 'work', ms: 5 })),
  )
  await expectDone(errands, jobIds)
  for (const jobId of jobIds) {
    // One attempt was answered well, however often its answer came.
    expect({ jobId, ended: await errands.countOf(jobId, 'job_finished') }).toEqual({
      jobId,
      ended: 1,
    })
  }
  const told = [...proxy.faults].map(([fault, times]) => `${fault} ${String(times)}`).join(', ')
  process.stdout.write(`PROXY_SEED=${String(seed)}: ${told}\n`)
  proxy.behave()
  await expectCleanEnds(workers)
})

it(
  'hands tasks back at SIGTERM, and its exit code says whether all has stopped',
  LONG,
  async () => {
    const errands = new Errands(await freePort())
    await errands.start()
    const leaving = { tasks: ['work'], healthPort: false, shutdownTimeoutMs: 200 }
    const polite = errands.worker('sdk-worker.ts', { ...leaving, workerId: 'polite' })
    await polite.says('registered')
    const jobIds = await Promise.all(
      Array.from({ length: 3 }, () => errands.create({ type: 'work', ms: 3_000 })),
    )
    await polite.says('began', { times: 3 })
    const stubborn = errands.worker('sdk-worker.ts', {
      ...leaving,
      workerId: 'stubborn',
      isStubborn: true,
    })
    await stubborn.says('registered')
    polite.kill('SIGTERM')
    await stubborn.says('began', { times: 3 })
    expect(await polite.ended).toMatchObject({ code: 0, signal: null })
    const staying = errands.worker('sdk-worker.ts', {
      workerId: 'staying',
      tasks: ['work'],
      healthPort: false,
    })
    await staying.says('registered')
    stubborn.kill('SIGTERM')
    expect(await stubborn.ended).toMatchObject({ code: 1, signal: null })
    for (const jobId of jobIds) {
      // Handing back costs no try.
      expect(await errands.ended(jobId)).toMatchObject({
        status: 'finished',
        result: 'staying',
        retry_count: 0,
      })
    }
  },
)

async function expectCleanEnds(workers: readonly WorkerProcess[]): Promise<void> {
  for (const worker of workers) worker.kill('SIGTERM')
  for (const worker of workers) {
    expect(await worker.ended).toMatchObject({ code: 0, signal: null })
  }
}
