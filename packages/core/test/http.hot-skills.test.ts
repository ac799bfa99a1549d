/** What a worker's polls say it has loaded decides who is asked first. */
import { describe, expect, it } from 'vitest'
import type { Storage } from '../src/ports/storage.ts'
import { until } from './support/engine-world.ts'
import { LiveServer, type Answer } from './support/live-server.ts'
import { search } from './support/search-flow.ts'
import { openStorage, overlay } from './support/storage-under-test.ts'

function poll(server: LiveServer, workerId: string, query: string): Promise<Answer> {
  return server.get(`/_worker/workers/${workerId}/tasks/next?${query}`, 'worker')
}

async function hotOf(server: LiveServer, workerId: string): Promise<unknown> {
  const workers = JSON.parse((await server.get('/api/workers')).text) as Record<string, unknown>[]
  return workers.find((one) => one['worker_id'] === workerId)?.['hot_skills']
}

/** The storage, and how often a worker was written. */
function counted(): { readonly storage: Storage; readonly writes: () => number } {
  const storage = openStorage()
  let writes = 0
  const watched = overlay(storage, {
    updateWorker: (update) => {
      writes += 1
      return storage.updateWorker(update)
    },
  })
  return { storage: watched, writes: () => writes }
}

describe('the skills that a poll calls hot', () => {
  it('bring the task to the worker that has them loaded, though another waits for longer', async () => {
    const server = await LiveServer.start([search()])
    await server.register('cold', 'search')
    await server.register('warm', 'search')
    const cold = poll(server, 'cold', 'timeout=1')
    const warm = poll(server, 'warm', 'timeout=2&hot_skills=search')
    await until(async () => (await hotOf(server, 'warm'))?.toString() === 'search')
    await server.create('search')
    expect((await warm).status).toBe(200)
    expect((await cold).status).toBe(204)
  })

  it('are heard of by the other orchestrators', async () => {
    const storage = openStorage()
    const one = await LiveServer.start([search()], {}, storage)
    const other = await LiveServer.start([search()], {}, storage)
    await one.register('cold', 'search')
    await one.register('warm', 'search')
    await poll(one, 'warm', 'timeout=0&hot_skills=search')
    expect(await hotOf(other, 'warm')).toEqual(['search'])
  })

  it('cost a write only when they change, in whatever order they are named', async () => {
    const { storage, writes } = counted()
    const server = await LiveServer.start([search()], {}, storage)
    await server.enlist('w1', { supported_skills: ['search', 'draw'], hot_skills: ['draw'] })
    await poll(server, 'w1', 'timeout=0&hot_skills=draw')
    await poll(server, 'w1', 'timeout=0')
    expect(writes()).toBe(0)
    for (const hot of ['draw,search', 'search,draw', '%20search,,draw,draw']) {
      await poll(server, 'w1', `timeout=0&hot_skills=${hot}`)
    }
    expect(writes()).toBe(1)
    await poll(server, 'w1', 'timeout=0&hot_skills=')
    await poll(server, 'w1', 'timeout=0&hot_skills=')
    expect(writes()).toBe(2)
    expect(await hotOf(server, 'w1')).toEqual([])
  })

  it('leave the models alone that its heartbeats name', async () => {
    const { storage, writes } = counted()
    const server = await LiveServer.start([search()], {}, storage)
    await server.register('w1', 'search', 'draw')
    const body = { worker_id: 'w1', hot_cache: ['sdxl'], hot_skills: ['draw'] }
    await server.call('PATCH', '/_worker/workers/w1', { as: 'worker', body })
    const before = writes()
    await poll(server, 'w1', 'timeout=0&hot_skills=draw')
    expect(writes()).toBe(before)
    await poll(server, 'w1', 'timeout=0&hot_skills=search')
    expect(await hotOf(server, 'w1')).toEqual(['search', 'sdxl'])
    await poll(server, 'w1', 'timeout=0&hot_skills=search')
    expect(writes()).toBe(before + 1)
  })

  it('keep no worker alive, and make nobody known', async () => {
    const { storage, writes } = counted()
    const server = await LiveServer.start([search()], {}, storage)
    const { status, body } = await poll(server, 'stranger', 'timeout=0&hot_skills=search')
    expect([status, body['code']]).toEqual([404, 'WORKER_NOT_FOUND'])
    expect(writes()).toBe(0)
    await server.register('w1', 'search')
    const expiry = async (): Promise<number | undefined> =>
      (await storage.findWorker({ workerId: 'w1', now: Date.now() }))?.expiresAt
    const before = await expiry()
    await poll(server, 'w1', 'timeout=0&hot_skills=search')
    expect(await expiry()).toBe(before)
  })
})
