import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'

import { Blueprint, OrchestratorEngine } from '@avtomatika/core'

import {
  HttpTransport,
  systemClock,
  Worker,
  type Reply,
  type TransportRequest,
  type WorkerOptions,
} from '../src/index.ts'
import { gate, recordingLogger } from './setup.ts'

async function anOrchestrator() {
  const blueprint = new Blueprint('greeting', { endpoint: '/jobs/greeting', version: 'v1' })
  blueprint.state('start', { start: true }, ({ initialData, actions }) => {
    const { type = 'greet', ...params } = initialData
    actions.dispatchTask({ type: String(type), params, transitions: { success: 'done' } })
  })
  blueprint.state('done', { end: true }, ({ stateHistory }) => stateHistory)
  const engine = new OrchestratorEngine({
    logger: pino({ enabled: false }),
    config: {
      host: '127.0.0.1',
      port: 0,
      clients: [{ token: 'client-secret' }],
      workerTokens: { shared: 'worker-secret' },
    },
  })
  engine.register(blueprint)
  const url = await engine.start()
  onTestFinished(() => engine.stop())
  const headers = { 'X-Client-Token': 'client-secret', 'Content-Type': 'application/json' }
  const ask = async (path: string, body?: object): Promise<Record<string, unknown>> => {
    const init =
      body === undefined ? { headers } : { headers, method: 'POST', body: JSON.stringify(body) }
    const answer = await fetch(`${url}/api/v1${path}`, init)
    return (await answer.json()) as Record<string, unknown>
  }
  const create = async (data: object): Promise<string> =>
    String((await ask('/jobs/greeting', data))['job_id'])
  const ended = async (jobId: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const job = await ask(`/jobs/${jobId}`)
      if (job['finished_at'] !== null) return job
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const aWorker = (workerId: string, options: WorkerOptions = {}): Worker => {
    const logger = recordingLogger()
    const base = { workerId, orchestratorUrl: url, token: 'worker-secret', env: {}, logger }
    const worker = new Worker({ ...base, shutdownTimeoutMs: 0, ...options })
    onTestFinished(() => worker.stop())
    return worker
  }
  return { url, ask, create, ended, aWorker }
}

describe('with a real orchestrator', () => {
  it('events of a task are in the history of its job, in their order', async () => {
    const { ask, create, ended, aWorker } = await anOrchestrator()
    const worker = aWorker('w1').task('greet', ({ emit, stream, progress, params }) => {
      progress(0.5)
      void stream('Hel')
      void emit('page_read', { page: 1 })
      void emit('page_read', { page: 2 })
      return { greeting: `Hello, ${String(params['name'])}!` }
    })
    await worker.start()
    const jobId = await create({ name: 'Ada' })
    expect(await ended(jobId)).toMatchObject({
      status: 'finished',
      result: { greeting: 'Hello, Ada!' },
    })
    const history: unknown = await ask(`/jobs/${jobId}/history`)
    const pages = JSON.stringify(history).match(/"page":\d/g)
    expect(pages).toEqual(['"page":1', '"page":2'])
  })

  it('pieces of output reach whoever watches the job, before there is a result', async () => {
    const { url, create, aWorker } = await anOrchestrator()
    const watched = gate()
    const seen = gate()
    const worker = aWorker('w1').task('greet', async ({ stream }) => {
      await watched.opened
      for (const piece of ['Hel', 'lo', { mark: '!' }]) void stream(piece)
      await seen.opened
      return {}
    })
    await worker.start()
    const jobId = await create({})
    const { body } = await fetch(`${url}/api/v1/jobs/${jobId}/events`, {
      headers: { 'X-Client-Token': 'client-secret' },
    })
    watched.open()
    let text = ''
    for await (const bytes of body ?? []) {
      text += Buffer.from(bytes as Uint8Array).toString()
      if (text.includes('"mark"')) seen.open()
    }
    const chunks = [...text.matchAll(/"chunk":("\w+"|\{[^}]*\})/g)].map(([, chunk]) => chunk)
    expect(chunks).toEqual(['"Hel"', '"lo"', '{"mark":"!"}'])
  })

  it('limits of a type hold however many tasks there are, and none is handed back', async () => {
    const { create, ended, aWorker } = await anOrchestrator()
    let running = 0
    let most = 0
    const worker = aWorker('w1', { typeLimits: { gpu: 2 } })
    for (const name of ['draw', 'paint']) {
      worker.task(name, { type: 'gpu' }, async ({ attempt }) => {
        running += 1
        most = Math.max(most, running)
        await new Promise((resolve) => setImmediate(resolve))
        running -= 1
        return { attempt }
      })
    }
    worker.task('greet', ({ attempt }) => ({ attempt }))
    await worker.start()
    const types = ['draw', 'paint', 'greet']
    const jobs = await Promise.all(
      Array.from({ length: 30 }, (_, n) => create({ type: types[n % 3] })),
    )
    const results = await Promise.all(jobs.map(ended))
    expect(results.map(({ result }) => result)).toEqual(jobs.map(() => ({ attempt: 1 })))
    expect(most).toBe(2)
  })

  it('a task that is handed back at a shutdown goes to another worker under the same key', async () => {
    const { create, ended, aWorker } = await anOrchestrator()
    const started = gate()
    const keys: string[] = []
    const leaving = aWorker('w1').task('greet', async ({ signal, idempotencyKey }) => {
      keys.push(idempotencyKey)
      started.open()
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      signal.throwIfAborted()
    })
    await leaving.start()
    const jobId = await create({})
    await started.opened
    const staying = aWorker('w2').task('greet', ({ attempt, idempotencyKey }) => {
      keys.push(idempotencyKey)
      return { attempt }
    })
    await Promise.all([leaving.stop(), staying.start()])
    expect(await ended(jobId)).toMatchObject({ retry_count: 0, result: { attempt: 2 } })
    expect(keys[1]).toBe(keys[0])
  })
})

/** Notes what is asked. */
class WatchedTransport extends HttpTransport {
  readonly asked: string[] = []

  override request(request: TransportRequest): Promise<Reply> {
    this.asked.push(request.path.replace(/\?.*/, ''))
    return super.request(request)
  }
}

/** A worker with the task `greet`, which runs until it is aborted. */
async function aWaitingWorker(options: WorkerOptions) {
  const orchestrator = await anOrchestrator()
  const transports: WatchedTransport[] = []
  const started = gate()
  const aborted = gate<unknown>()
  const worker = orchestrator.aWorker('w1', {
    // What heartbeats could bring comes another way here.
    env: { HEARTBEAT_INTERVAL: '60', WORKER_HEARTBEAT_DEBOUNCE_DELAY: '60' },
    heartbeatThread: false,
    createTransport: (target) => {
      const transport = new WatchedTransport(target, systemClock)
      transports.push(transport)
      return transport
    },
    ...options,
  })
  worker.task('greet', async ({ signal, progress }) => {
    progress(0.5, 'half')
    started.open()
    await new Promise((resolve) => {
      signal.addEventListener('abort', resolve)
    })
    aborted.open(signal.reason)
    signal.throwIfAborted()
  })
  const asked = (): readonly string[] => transports.flatMap((transport) => transport.asked)
  return { ...orchestrator, worker, started, aborted, asked }
}

describe('what a worker and its orchestrator have agreed on', () => {
  it('a cancellation comes over the connection, without any request', async () => {
    // One slot: no poll is open that could bring it.
    const options = { websockets: true, maxConcurrentTasks: 1 }
    const { ask, create, ended, worker, started, aborted, asked } = await aWaitingWorker(options)
    await worker.start()
    const jobId = await create({})
    await started.opened
    for (let job = await ask(`/jobs/${jobId}`); job['progress'] !== 0.5;) {
      await new Promise((resolve) => setImmediate(resolve))
      job = await ask(`/jobs/${jobId}`)
    }
    await ask(`/jobs/${jobId}/cancel`, {})
    expect(await aborted.opened).toMatchObject({ why: 'cancelled' })
    await ended(jobId)
    expect(asked()).not.toContain('/_worker/workers/w1')
  })

  it('a cancellation comes with the poll that waits', async () => {
    const { ask, create, ended, worker, started, aborted } = await aWaitingWorker({})
    await worker.start()
    const jobId = await create({})
    await started.opened
    await ask(`/jobs/${jobId}/cancel`, {})
    expect(await aborted.opened).toMatchObject({ why: 'cancelled' })
    await ended(jobId)
  })

  it('a task that takes longer is acknowledged', async () => {
    const { create, worker, started, asked } = await aWaitingWorker({})
    await worker.start()
    await create({})
    await started.opened
    while (!asked().includes('/_worker/tasks/ack')) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(asked().filter((path) => path === '/_worker/tasks/ack')).toHaveLength(1)
  })

  it('results that are ready together are taken together', async () => {
    const { create, ended, worker, asked } = await aWaitingWorker({ maxConcurrentTasks: 8 })
    const all = gate()
    let running = 0
    worker.task('together', async ({ taskId }) => {
      running += 1
      if (running === 8) all.open()
      await all.opened
      return { taskId }
    })
    await worker.start()
    const jobs = await Promise.all(Array.from({ length: 8 }, () => create({ type: 'together' })))
    const results = await Promise.all(jobs.map(ended))
    expect(results.map(({ status }) => status)).toEqual(jobs.map(() => 'finished'))
    expect(asked().filter((path) => path.startsWith('/_worker/tasks/result'))).toEqual([
      '/_worker/tasks/results',
    ])
  })
})

describe('the transcripts for workers in other languages', () => {
  it('are what an orchestrator answers', async () => {
    const { url } = await anOrchestrator()
    const doc = await readFile(new URL('../../../docs/workers.md', import.meta.url), 'utf8')
    const [, transcripts = ''] = doc.split('# In any other language')
    const [settings = '', ...blocks] = [...transcripts.matchAll(/```\w+\n(.*?)\n```/gs)].map(
      ([, text = '']) => text,
    )
    const before = settings.replace(/URL=\S+/, `URL=${url}`)
    let jobId = 'J'
    for (let n = 0; n + 1 < blocks.length; n += 2) {
      const command = (blocks[n] ?? '').replaceAll('task-J-', `task-${jobId}-`)
      const script = `${before}\n${command.replaceAll('"J"', `"${jobId}"`)}`
      const { stdout } = await promisify(execFile)('sh', ['-c', script])
      jobId = /"job_id":"([^"]+)"/.exec(stdout)?.[1] ?? jobId
      expect(settled(stdout.trim(), jobId), command).toBe(settled(blocks[n + 1] ?? '', 'J'))
    }
    expect(jobId).not.toBe('J')
  })
})

/** The same text whenever it is said, and about whichever job. */
function settled(text: string, jobId: string): string {
  return text
    .replaceAll(jobId, 'J')
    .replace(/"deadline":\d+/, '"deadline":0')
    .replace(/"(deadline_in|lease_expires_in)":[\d.]+/g, '"$1":0')
}
