/** The client against the orchestrator and the worker SDK themselves. */
import { Blueprint, MemoryStorage, OrchestratorEngine } from '@avtomatika/core'
import type { Storage } from '@avtomatika/core'
import { Worker } from '@avtomatika/worker-sdk'
import type { TaskHandler } from '@avtomatika/worker-sdk'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'

import { AuthError, AvtomatikaClient, InputError, NotFoundError } from '../src/index.ts'
import type { JobEvent } from '../src/index.ts'
import { CuttingProxy } from './cutting-proxy.ts'
import { rejectionOf } from './setup.ts'

const logger = pino({ level: 'silent' })

interface House {
  readonly client: AvtomatikaClient
  readonly admin: AvtomatikaClient
  readonly url: string
  readonly stop: () => Promise<void>
}

async function aHouse(storage: Storage = new MemoryStorage(), port = 0): Promise<House> {
  const engine = new OrchestratorEngine({
    logger,
    storage,
    config: {
      port,
      clients: [{ token: 'client-token' }, { token: 'admin-token', admin: true }],
      workerTokens: { shared: 'worker-token' },
    },
  })
  const writing = new Blueprint('writing', { endpoint: '/jobs/writing', version: 'v1' })
    .state('start', { start: true }, ({ actions }) => {
      actions.dispatchTask({ type: 'write', transitions: { success: 'done', failure: 'failed' } })
    })
    .state('done', { end: true })
    .state('failed', { end: true })
  engine.register(writing)
  const url = await engine.start()
  const stop = (): Promise<void> => engine.stop()
  onTestFinished(stop)
  return { client: aClient(url, 'client-token'), admin: aClient(url, 'admin-token'), url, stop }
}

function aClient(url: string, token: string): AvtomatikaClient {
  const client = new AvtomatikaClient({ url, token })
  onTestFinished(() => client.close())
  return client
}

async function hire(
  url: string,
  write: TaskHandler<Record<string, unknown>, unknown>,
): Promise<Worker> {
  const worker = new Worker({ orchestratorUrl: url, token: 'worker-token', workerId: 'w1', logger })
  worker.task('write', { cost: 0.5 }, write)
  await worker.start()
  onTestFinished(() => worker.stop())
  return worker
}

describe('the events of a job', () => {
  it('tell its whole story, the output in order and before the end', async () => {
    const { client, url } = await aHouse()
    const watched = aGate()
    const { jobId } = await client.createJob('/jobs/writing', {})
    const watching = (async (): Promise<readonly JobEvent[]> => {
      const seen: JobEvent[] = []
      for await (const event of client.jobEvents(jobId)) {
        seen.push(event)
        watched.open()
      }
      return seen
    })()
    await watched.opened
    await hire(url, ({ stream, progress }) => {
      progress(0.5, 'half')
      for (const word of ['Once', 'upon', 'a time']) void stream(word)
    })
    const events = await watching
    const chunks = events.flatMap((event) => (event.type === 'chunk' ? [event.chunk] : []))
    expect(chunks).toEqual(['Once', 'upon', 'a time'])
    expect(events).toContainEqual({ type: 'progress', progress: 0.5, message: 'half' })
    expect(events.at(0)).toMatchObject({ type: 'status', currentState: 'start' })
    expect(events.at(-2)).toMatchObject({ type: 'status', status: 'finished' })
    expect(events.at(-1)).toEqual({ type: 'end', reason: 'job_ended' })
  })

  it('come in full and once over a connection that breaks between them', async () => {
    const { client, url } = await aHouse()
    const proxy = await CuttingProxy.open(url)
    const { jobId } = await client.createJob('/jobs/writing', {})
    const cuts = [2, 5]
    const isCut = cuts.map(() => aGate())
    await hire(url, async ({ stream }) => {
      for (let n = 1; n <= 7; n += 1) {
        await stream(n)
        await isCut[cuts.indexOf(n)]?.opened
      }
    })
    const seen: unknown[] = []
    for await (const event of aClient(proxy.url, 'client-token').jobEvents(jobId)) {
      seen.push(event.type === 'chunk' ? event.chunk : event.type)
      const at = event.type === 'chunk' ? cuts.indexOf(Number(event.chunk)) : -1
      if (at === -1) continue
      proxy.cut()
      isCut[at]?.open()
    }
    expect(seen.filter((each) => each !== 'status')).toEqual([1, 2, 3, 4, 5, 6, 7, 'end'])
  })

  it('go on when the orchestrator was restarted', async () => {
    const storage = new MemoryStorage()
    const first = await aHouse(storage)
    const { jobId } = await first.client.createJob('/jobs/writing', {})
    const events = first.client.jobEvents(jobId)
    expect((await events.next()).value).toMatchObject({ type: 'status', currentState: 'start' })
    const rest = (async (): Promise<readonly JobEvent[]> => {
      const seen: JobEvent[] = []
      for await (const event of events) seen.push(event)
      return seen
    })()
    await first.stop()
    const second = await aHouse(storage, Number(new URL(first.url).port))
    await hire(second.url, () => ({}))
    expect((await rest).slice(-2)).toMatchObject([
      { type: 'status', status: 'finished' },
      { type: 'end', reason: 'job_ended' },
    ])
  })

  it('of a job that has ended are its end', async () => {
    const { client, url } = await aHouse()
    await hire(url, () => ({}))
    const { id } = await client.run('/jobs/writing', {})
    const seen: string[] = []
    for await (const { type } of client.jobEvents(id)) seen.push(type)
    expect(seen).toEqual(['status', 'end'])
  })

  it('are those of the caller only', async () => {
    const { client, admin } = await aHouse()
    const { jobId } = await admin.createJob('/jobs/writing', {})
    expect(NotFoundError.is(await rejectionOf(client.jobEvents(jobId).next()))).toBe(true)
  })
})

describe('the fleet', () => {
  it('is there to be looked at, and drained and evicted by admins', async () => {
    const { client, admin, url } = await aHouse()
    const { jobId } = await client.createJob('/jobs/writing', {})
    const [task] = await client.pendingTasks({ limit: 10 })
    expect(task).toMatchObject({ jobId, type: 'write', attempt: 1, workers: 0 })
    expect(task?.why).toContain('no worker')
    await hire(url, () => ({}))
    await client.waitForJob(jobId)
    expect(await client.pendingTasks()).toEqual([])
    expect(await client.skillCatalog()).toMatchObject([
      { name: 'write', providers: 1, available: 1, price: { min: 0.5, max: 0.5 } },
    ])
    expect(AuthError.is(await rejectionOf(client.drainWorker('w1')))).toBe(true)
    await admin.drainWorker('w1')
    expect(await client.listWorkers()).toMatchObject([{ id: 'w1', status: 'draining' }])
    expect(await client.skillCatalog()).toMatchObject([{ name: 'write', available: 0 }])
    await admin.drainWorker('w1', { drain: false })
    expect(await client.skillCatalog()).toMatchObject([{ name: 'write', available: 1 }])
    expect(AuthError.is(await rejectionOf(client.evictWorker('w1')))).toBe(true)
    await admin.evictWorker('w1')
    expect(NotFoundError.is(await rejectionOf(admin.evictWorker('nobody')))).toBe(true)
  })

  it('has tokens that only admins have read again, and only where there is a file', async () => {
    const { client, admin } = await aHouse()
    expect(AuthError.is(await rejectionOf(client.reloadWorkerTokens()))).toBe(true)
    expect(InputError.is(await rejectionOf(admin.reloadWorkerTokens()))).toBe(true)
  })
})

function aGate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { opened, open }
}
