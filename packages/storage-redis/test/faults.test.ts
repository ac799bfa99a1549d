/**
 * Redis, or the way to it, fails under load: every accepted job ends as it should, each result counts once,
 * and the system works again within 10 s of healing (D-11).
 */
import { setTimeout as pass } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Worker, type WorkerLogger } from '@avtomatika/worker-sdk'
import { describe, expect, it, onTestFinished } from 'vitest'
import { OrchestratorProcess } from '../../../apps/orchestrator/test/orchestrator-process.ts'
import { TOKENS } from './support/program.ts'
import { startRedis, type RedisServer } from './support/redis-server.ts'
import { SteadyLoad } from './support/steady-load.ts'
import { startProxy, type TcpProxy } from './support/tcp-proxy.ts'

/** How long the way stays as it is: longer than a connection may be silent. */
const FAULT_MS = 7_000
const RESTARTS = 5
/** Jobs that are accepted between two deaths of Redis. */
const JOBS_BETWEEN = 40

const ignore = (): void => undefined
const SILENT: WorkerLogger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  child: () => SILENT,
}

async function orchestrator(redisUrl: string): Promise<string> {
  const process = new OrchestratorProcess({
    CLIENT_TOKEN: TOKENS.client,
    GLOBAL_WORKER_TOKEN: TOKENS.worker,
    API_HOST: '127.0.0.1',
    API_PORT: '0',
    REDIS_URL: redisUrl,
    BLUEPRINTS_DIR: fileURLToPath(new URL('blueprints', import.meta.url)),
    // Workers are cut off with their orchestrator, and their tasks lost again and again.
    WORKER_HEALTH_CHECK_INTERVAL_SECONDS: '2',
    JOB_MAX_RETRIES: '1000',
    LOG_LEVEL: 'info',
  })
  onTestFinished(async () => {
    process.kill('SIGKILL')
    await process.ended
  })
  return process.started
}

async function employ(url: string, workerId: string): Promise<void> {
  const worker = new Worker({
    orchestratorUrl: url,
    token: TOKENS.worker,
    workerId,
    logger: SILENT,
    maxConcurrentTasks: 20,
    heartbeatIntervalMs: 1_000,
    env: { REGISTRATION_RETRY_MAX_DELAY: '1', POLL_BACKOFF_MAX: '1' },
  })
  worker.task('work', ({ params }) => ({ n: Number(params['n']) }))
  onTestFinished(() => worker.stop())
  await worker.start()
}

/** Two orchestrators with a worker each, under load. */
async function underLoad(urls: readonly [string, string]): Promise<SteadyLoad> {
  const orchestrators = await Promise.all(urls.map(orchestrator))
  await Promise.all(orchestrators.map((url, i) => employ(url, `worker-${i}`)))
  const load = new SteadyLoad(orchestrators, TOKENS.client)
  onTestFinished(() => load.close())
  load.start()
  await load.more(JOBS_BETWEEN)
  return load
}

async function redis(appendonly: 'always' | 'no'): Promise<RedisServer> {
  const server = await startRedis({ appendonly })
  onTestFinished(() => server.stop())
  return server
}

describe('the way to Redis', { timeout: 60_000 }, () => {
  it.each<[string, Parameters<TcpProxy['set']>[0]]>([
    ['cut', { kind: 'cut' }],
    ['2 s slower each way', { kind: 'delayed', ms: 2_000 }],
    ['half-open', { kind: 'half-open' }],
  ])(
    '%s: nothing is lost or counted twice, and all is well again within 10 s',
    async (name, fault) => {
      const server = await redis('no')
      const proxy = await startProxy(server.port)
      onTestFinished(() => proxy.close())
      const load = await underLoad([`redis://127.0.0.1:${proxy.port}`, server.url])

      proxy.set(fault)
      // The fault itself takes time; nothing else is waited for here.
      await pass(FAULT_MS)
      proxy.set({ kind: 'none' })
      const recovery = await load.secondsUntilOneRuns()
      const rest = await load.stop()
      await load.assertOnce(server.url)

      const figures = {
        jobs: load.accepted,
        refused: load.refused,
        recoverySeconds: round(recovery),
        restEndedSeconds: round(rest),
      }
      process.stdout.write(`the way to Redis ${name}: ${JSON.stringify(figures)}\n`)
      expect(recovery).toBeLessThan(10)
    },
  )
})

describe('a Redis that writes everything down', { timeout: 60_000 }, () => {
  it('is killed and restarted under load, and loses no accepted job', async () => {
    const server = await redis('always')
    const load = await underLoad([server.url, server.url])
    for (let restart = 0; restart < RESTARTS; restart += 1) {
      await server.restart()
      await load.more(JOBS_BETWEEN)
    }
    const recovery = await load.secondsUntilOneRuns()
    const rest = await load.stop()
    await load.assertOnce(server.url)
    const figures = {
      jobs: load.accepted,
      refused: load.refused,
      restarts: RESTARTS,
      recoverySeconds: round(recovery),
      restEndedSeconds: round(rest),
    }
    process.stdout.write(`redis killed under load: ${JSON.stringify(figures)}\n`)
  })
})

function round(seconds: number): number {
  return Math.round(seconds * 10) / 10
}
