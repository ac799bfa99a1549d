/** Real processes on one Redis, killed at random: no accepted job is lost, stuck or done twice (D-11). */
import { createServer, type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { AvtomatikaClient, isTerminalJobStatus, type Job } from '@avtomatika/client'
import { AvtomatikaError } from '@avtomatika/protocol'
import { Worker, type WorkerLogger } from '@avtomatika/worker-sdk'
import { expect, it, onTestFinished } from 'vitest'
import { OrchestratorProcess } from '../../../apps/orchestrator/test/orchestrator-process.ts'
import { startRedis } from './support/redis-server.ts'

const SHAPES = ['single', 'row', 'fan', 'parent', 'patient'] as const
const JOBS = 500
const ORCHESTRATORS = 3
const KILLS = 15

const TOKENS = {
  CLIENT_TOKEN: 'client-token-of-the-chaos',
  GLOBAL_WORKER_TOKEN: 'worker-token-chaos',
}

const ignore = (): void => undefined
const SILENT: WorkerLogger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  child: () => SILENT,
}

interface Seat {
  readonly url: string
  process: OrchestratorProcess
}

it('survives orchestrators that are killed at random', { timeout: 240_000 }, async () => {
  const redis = await startRedis({ appendonly: 'no' })
  onTestFinished(() => redis.stop())
  const ports = await freePorts(ORCHESTRATORS)
  const seats = ports.map((port) => seat(port, redis.url))
  onTestFinished(async () => {
    for (const { process } of seats) process.kill('SIGKILL')
    await Promise.all(seats.map(({ process }) => process.ended))
  })
  await Promise.all(seats.map(({ process }) => process.started))

  const runs: string[] = []
  const workers = await Promise.all(
    seats.map(({ url }, i) => employ(url, `worker-${String(i)}`, runs)),
  )
  onTestFinished(async () => {
    await Promise.all(workers.map((worker) => worker.stop()))
  })
  const clients = seats.map(({ url }) => new AvtomatikaClient({ url, token: TOKENS.CLIENT_TOKEN }))
  onTestFinished(async () => {
    await Promise.all(clients.map((client) => client.close()))
  })
  let asked = 0
  const anyOf = (): AvtomatikaClient => {
    asked += 1
    return at(clients, asked)
  }

  const created = Promise.all(
    Array.from({ length: JOBS }, (_, i) =>
      insist(async () => {
        const shape = at(SHAPES, i)
        const idempotencyKey = `job-${String(i)}`
        const { jobId } = await anyOf().createJob(`/jobs/${shape}`, {}, { idempotencyKey })
        return { jobId, shape }
      }),
    ),
  )
  for (let kill = 0; kill < KILLS; kill += 1) {
    const victim = at(seats, kill)
    victim.process.kill('SIGKILL')
    await victim.process.ended
    const port = Number(new URL(victim.url).port)
    victim.process = seat(port, redis.url).process
    await victim.process.started
  }
  const jobs = await created
  const ended = await Promise.all(jobs.map(({ jobId }) => untilEnded(anyOf, jobId)))

  expect(ended.map(({ status }) => status)).toEqual(ended.map(() => 'finished'))
  ended.forEach(({ result }, i) => {
    const shape = jobs[i]?.shape
    if (shape === 'fan') expect(result).toEqual(Array.from({ length: 20 }, (_, n) => n))
    if (shape === 'parent') expect(result).toBe('finished')
    if (shape === 'patient') expect(result).toBe('yes')
  })
  // Printed for whoever reads the run: a lost worker's task may be worked on twice, and counts once.
  console.info({ jobs: JOBS, kills: KILLS, tasksRun: runs.length })
})

function seat(port: number, redisUrl: string): Seat {
  const variables = {
    ...TOKENS,
    API_HOST: '127.0.0.1',
    API_PORT: String(port),
    REDIS_URL: redisUrl,
    BLUEPRINTS_DIR: fileURLToPath(new URL('blueprints', import.meta.url)),
    WORKER_HEALTH_CHECK_INTERVAL_SECONDS: '2',
    LOG_LEVEL: 'info',
  }
  const url = `http://127.0.0.1:${String(port)}`
  return { url, process: new OrchestratorProcess(variables) }
}

async function employ(url: string, workerId: string, runs: string[]): Promise<Worker> {
  const worker = new Worker({
    orchestratorUrl: url,
    token: TOKENS.GLOBAL_WORKER_TOKEN,
    workerId,
    logger: SILENT,
  })
  worker.task('work', ({ params, taskId }) => {
    runs.push(taskId)
    return { n: Number(params['n']) }
  })
  await worker.start()
  return worker
}

/** Decides what is asked on the way. */
async function untilEnded(anyOf: () => AvtomatikaClient, jobId: string): Promise<Job> {
  for (;;) {
    const job = await insist(() => anyOf().getJob(jobId))
    if (isTerminalJobStatus(job.status)) return job
    if (job.approval != null) {
      const approvalId = job.approval.id ?? undefined
      await tolerate(() => anyOf().approve(jobId, { decision: 'yes', approvalId }))
    }
    await pause(200)
  }
}

/** Goes on until it works: whoever is asked may be dead right now. */
async function insist<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!AvtomatikaError.is(error) || !error.retry) throw error
      await pause(100)
    }
  }
}

/** Another try, or another orchestrator, may have been faster. */
async function tolerate(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!AvtomatikaError.is(error)) throw error
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** One after the other, round and round. */
function at<T>(items: readonly T[], n: number): T {
  const item = items[n % items.length]
  if (item === undefined) throw new Error('There is nothing to choose from.')
  return item
}

/** Ports that are free now; a restarted orchestrator must come back where its clients look for it. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, listening))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

function listening(): Promise<ReturnType<typeof createServer>> {
  return new Promise((resolve) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      resolve(server)
    })
  })
}
