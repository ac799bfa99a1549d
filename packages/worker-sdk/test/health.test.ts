import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import { describe, expect, it, onTestFinished } from 'vitest'

import type { WorkerOptions } from '../src/index.ts'
import { openBench, stopNow } from './setup.ts'

async function openWatched(options: WorkerOptions = {}) {
  const bench = await openBench({ healthPort: 0, metrics: true, ...options })
  bench.worker.task('echo', () => ({}))
  const get = async (path: string) => {
    const url = `http://127.0.0.1:${String(bench.worker.healthPort)}${path}`
    const response = await fetch(url, { headers: { connection: 'close' } })
    return { status: response.status, text: await response.text() }
  }
  return { ...bench, get }
}

describe('the health endpoint', () => {
  it('is green while heartbeats are accepted', async () => {
    const { worker, get, server } = await openWatched()
    await worker.start()
    const { status, text } = await get('/health')
    expect(status).toBe(200)
    expect(JSON.parse(text)).toMatchObject({
      status: 'ok',
      ready: true,
      worker_id: 'w1',
      load: 0,
      slots: 10,
      orchestrators: [{ url: server.url, registered: true, accepting: true }],
    })
    expect((await get('/ready')).status).toBe(200)
  })

  it('turns red when heartbeats are not accepted for three intervals, and green again (D-47)', async () => {
    const { worker, get, server, clock } = await openWatched()
    server.script('heartbeat', ...Array.from({ length: 20 }, () => ({ status: 500, text: 'no' })))
    await worker.start()
    clock.advance(44_000)
    expect((await get('/health')).status).toBe(200)
    clock.advance(1000)
    const red = await get('/health')
    expect(red.status).toBe(503)
    expect(JSON.parse(red.text)).toMatchObject({ status: 'heartbeats_not_accepted', ready: false })
    expect((await get('/ready')).status).toBe(503)
    let beats = 0
    while ((await get('/health')).status === 503) {
      beats += 1
      clock.advance(15_000)
      await server.nth('heartbeat', Math.min(beats, 20))
    }
    expect(server.of('heartbeat').length).toBeGreaterThan(20)
  })

  it('is not ready before the orchestrator knows the worker, but healthy for a while', async () => {
    const { worker, get, server, clock } = await openWatched()
    server.script('register', 'hold')
    const started = worker.start()
    await server.nth('register', 1)
    expect((await get('/ready')).status).toBe(503)
    expect((await get('/health')).status).toBe(200)
    clock.advance(45_000)
    expect((await get('/health')).status).toBe(503)
    const refused = expect(started).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
    await stopNow(worker, clock)
    await refused
  })

  it('tells metrics when asked to', async () => {
    const { worker, get, server, clock } = await openWatched()
    await worker.start()
    await clock.pass(15_000)
    await server.nth('heartbeat', 1)
    const { status, text } = await get('/metrics')
    expect(status).toBe(200)
    expect(text).toContain('# TYPE avtomatika_worker_healthy gauge\navtomatika_worker_healthy 1\n')
    expect(text).toContain(`avtomatika_worker_registered{orchestrator="${server.url}"} 1\n`)
  })

  it('says so when metrics are off, and knows no other path', async () => {
    const { worker, get } = await openWatched({ metrics: false })
    await worker.start()
    expect(await get('/metrics')).toMatchObject({
      status: 404,
      text: expect.stringContaining('WORKER_ENABLE_METRICS') as unknown,
    })
    expect((await get('/x')).status).toBe(404)
  })

  it('refuses the start when the port that was asked for is taken', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, resolve))
    onTestFinished(() => {
      other.close()
    })
    const { port } = other.address() as AddressInfo
    const { worker } = await openWatched({ healthPort: port })
    await expect(worker.start()).rejects.toThrow(`cannot listen on port ${port}`)
  })

  it('is open no more after the stop', async () => {
    const { worker } = await openWatched()
    await worker.start()
    const port = worker.healthPort
    await worker.stop()
    expect(worker.healthPort).toBeUndefined()
    await expect(fetch(`http://127.0.0.1:${String(port)}/health`)).rejects.toThrow()
  })
})
