/** Whole orchestrators on one Redis: their schedules, and their webhooks over HTTP. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { AvtomatikaClient } from '@avtomatika/client'
import { Blueprint, OrchestratorEngine, type Job } from '@avtomatika/core'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { expect, inject, it, onTestFinished, vi } from 'vitest'
import { RedisBackground, RedisStorage } from '../src/index.ts'
import { removeKeys } from './support/open-redis.ts'

const PATIENCE = { timeout: 15_000, interval: 10 }
const TOKEN = 'client-secret'

/** An orchestrator with a schedule, and a client of it. */
async function orchestrator(prefix: string, onEnd: (job: Job) => void): Promise<AvtomatikaClient> {
  const where = { url: inject('redisUrl'), prefix }
  const storage = await RedisStorage.open(where)
  const background = await RedisBackground.open(where)
  const engine = new OrchestratorEngine({
    storage,
    clock: storage.clock,
    notifier: () => background.notifier({ allowPrivateHosts: true }),
    scheduler: () => background.scheduler(),
    hooks: { onJobFinished: onEnd },
    logger: pino({ level: 'silent' }),
    config: {
      port: 0,
      clients: [{ token: TOKEN, id: 'scheduler' }],
      schedules: [{ name: 'often', blueprint: 'short', everySeconds: 1 }],
    },
  })
  engine.register(
    new Blueprint('short', { endpoint: '/jobs/short', version: 'v1' }).state('start', {
      start: true,
      end: true,
    }),
  )
  const client = new AvtomatikaClient({ url: await engine.start(), token: TOKEN })
  onTestFinished(async () => {
    await client.close()
    await engine.stop()
    background.close()
    await storage.close()
  })
  return client
}

/** A receiver that answers 410 until it is told otherwise. */
async function receiver(): Promise<{ url: string; status: number; deliveries: string[] }> {
  const state = { url: '', status: 410, deliveries: [] as string[] }
  const server = createServer((request, response) => {
    state.deliveries.push(String(request.headers['x-avtomatika-delivery']))
    response.writeHead(state.status).end()
  })
  onTestFinished(() => void server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  state.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/secret`
  return state
}

it('two orchestrators create one job per tick, and send each other’s dead letters', async () => {
  const prefix = `test-${randomUUID()}`
  const redis = new Redis(inject('redisUrl'))
  onTestFinished(async () => {
    await removeKeys(redis, prefix)
    redis.disconnect()
  })
  const [scheduled, target] = [new Map<string, string>(), await receiver()]
  const onEnd = ({ id, metadata }: Job): void => {
    const at = metadata['scheduled_at']
    if (typeof at === 'string') scheduled.set(id, at)
  }
  const first = await orchestrator(prefix, onEnd)
  const second = await orchestrator(prefix, onEnd)
  const { jobId } = await first.createJob('/jobs/short', {}, { webhookUrl: target.url })
  await vi.waitFor(async () => expect(await second.deadLetters()).toHaveLength(1), PATIENCE)
  const [letter] = await second.deadLetters()
  expect(letter).toMatchObject({
    jobId,
    event: 'job_finished',
    reason: 'answered 410',
    attempts: 1,
  })
  target.status = 204
  await second.resend(letter?.id ?? '')
  await vi.waitFor(() => expect(target.deliveries).toEqual([letter?.id, letter?.id]), PATIENCE)
  expect(await first.deadLetters()).toEqual([])
  await vi.waitFor(() => expect(scheduled.size).toBeGreaterThanOrEqual(4), PATIENCE)
  const moments = [...scheduled.values()]
  expect(new Set(moments).size, String(moments)).toBe(moments.length)
})
