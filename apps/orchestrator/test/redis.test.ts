/** The program and its Redis: late, away, back, and of no use. */
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { freePort } from '../../../packages/storage-redis/test/support/free-port.ts'
import { startOldRedis } from '../../../packages/storage-redis/test/support/old-redis.ts'
import { startRedis } from '../../../packages/storage-redis/test/support/redis-server.ts'
import { OrchestratorProcess } from './orchestrator-process.ts'

const CLIENT_TOKEN = 'client-secret-of-the-test'
const PASSWORD = 'redis-secret-of-the-test'
const SETTINGS = {
  CLIENT_TOKEN,
  GLOBAL_WORKER_TOKEN: 'worker-secret-of-the-test',
  BLUEPRINTS_DIR: fileURLToPath(new URL('blueprints', import.meta.url)),
  API_HOST: '127.0.0.1',
  API_PORT: '0',
}
/** Longer than the longest pause between two tries, and a timed-out command. */
const PATIENCE = { timeout: 15_000, interval: 50 }

function start(variables: Readonly<Record<string, string>>): OrchestratorProcess {
  const orchestrator = new OrchestratorProcess({ ...SETTINGS, ...variables })
  onTestFinished(async () => {
    orchestrator.kill('SIGKILL')
    await orchestrator.ended
  })
  return orchestrator
}

function create(url: string): Promise<Response> {
  const headers = { 'x-client-token': CLIENT_TOKEN, 'content-type': 'application/json' }
  return fetch(`${url}/api/v1/jobs/quick`, { method: 'POST', headers, body: '{}' })
}

async function statusOf(url: string, jobId: string): Promise<string> {
  const headers = { 'x-client-token': CLIENT_TOKEN }
  const answer = await fetch(`${url}/api/v1/jobs/${jobId}?wait=10`, { headers })
  return ((await answer.json()) as { status: string }).status
}

async function assertRuns(url: string): Promise<string> {
  const answer = await create(url)
  expect(answer.status).toBe(202)
  const { job_id: jobId } = (await answer.json()) as { job_id: string }
  expect(await statusOf(url, jobId)).toBe('finished')
  return jobId
}

async function assertAway(url: string): Promise<void> {
  const ready = await fetch(`${url}/_public/ready`)
  expect(ready.status).toBe(503)
  expect(ready.headers.get('retry-after')).toBe('1')
  expect(await ready.json()).toMatchObject({ status: 'unavailable' })
  const refused = await create(url)
  expect(refused.status).toBe(503)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(await refused.json()).toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  expect((await fetch(`${url}/_public/status`)).status).toBe(200)
}

async function untilReady(url: string): Promise<void> {
  await vi.waitFor(async () => {
    expect((await fetch(`${url}/_public/ready`)).status).toBe(200)
  }, PATIENCE)
}

describe('avtomatika-orchestrator with Redis', { timeout: 40_000 }, () => {
  it('starts before Redis, and goes on by itself whenever Redis comes', async () => {
    const port = await freePort()
    const where = { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(port), REDIS_PASSWORD: PASSWORD }
    const orchestrator = start(where)
    const url = await orchestrator.started
    await orchestrator.saying(`Redis at 127.0.0.1:${String(port)} cannot be reached`)
    await assertAway(url)

    const redis = await startRedis({
      port,
      appendonly: 'always',
      settings: ['--requirepass', PASSWORD],
    })
    onTestFinished(() => redis.stop())
    await untilReady(url)
    const jobId = await assertRuns(url)

    await redis.kill('SIGKILL')
    await vi.waitFor(() => assertAway(url), PATIENCE)

    await redis.restart()
    const backAt = performance.now()
    await untilReady(url)
    await assertRuns(url)
    const seconds = ((performance.now() - backAt) / 1_000).toFixed(1)
    process.stdout.write(`redis restarted: a job runs again after ${seconds} s\n`)
    expect(await statusOf(url, jobId)).toBe('finished')

    orchestrator.kill('SIGTERM')
    const { code, stdout, stderr } = await orchestrator.ended
    expect(code).toBe(0)
    expect(stdout + stderr).not.toContain(PASSWORD)
  })

  it('stops when it is told to, also while it waits for Redis', async () => {
    const orchestrator = start({ REDIS_URL: `redis://127.0.0.1:${String(await freePort())}` })
    await orchestrator.started
    orchestrator.kill('SIGTERM')
    expect(await orchestrator.ended).toMatchObject({ code: 0 })
  })

  it('stops in time when Redis hears it and does not answer', async () => {
    const redis = await startRedis()
    onTestFinished(() => redis.stop())
    const orchestrator = start({ REDIS_URL: redis.url })
    await untilReady(await orchestrator.started)
    await redis.kill('SIGSTOP')
    const askedAt = performance.now()
    orchestrator.kill('SIGTERM')
    expect(await orchestrator.ended).toMatchObject({ code: 0 })
    const seconds = ((performance.now() - askedAt) / 1_000).toFixed(1)
    process.stdout.write(`redis frozen: stopped after ${seconds} s\n`)
  })

  it('uses no other database when the one that it is told of is refused', async () => {
    const redis = await startRedis({ settings: ['--databases', '2'] })
    onTestFinished(() => redis.stop())
    const orchestrator = start({ REDIS_URL: `${redis.url}/7` })
    const url = await orchestrator.started
    await orchestrator.saying('DB index is out of range')
    await assertAway(url)
  })

  it('ends with 1 when the Redis that it finds is too old', async () => {
    const old = await startOldRedis('6.0.16')
    onTestFinished(() => old.close())
    const { code, stderr } = await start({ REDIS_URL: `redis://127.0.0.1:${String(old.port)}` })
      .ended
    expect(code).toBe(1)
    expect(stderr).toContain('Redis 6.0.16 is too old; 6.2 or newer is needed')
  })

  it('ends with 1 when it is told two places', async () => {
    const both = { REDIS_URL: `redis://:${PASSWORD}@127.0.0.1`, REDIS_HOST: '127.0.0.1' }
    const { code, stderr } = await start(both).ended
    expect(code).toBe(1)
    expect(stderr).toContain('REDIS_URL cannot be used together with REDIS_HOST')
    expect(stderr).not.toContain(PASSWORD)
  })
})
