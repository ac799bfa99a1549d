import { describe, expect, it } from 'vitest'

import { aTask, FakeProcess, gate, openBench, runDeaf, stopNow } from './setup.ts'

describe('shutdown hooks', () => {
  it('run when the worker has said goodbye, the last that was added first', async () => {
    const { server, worker } = await openBench()
    const steps: string[] = []
    worker.task('echo', () => ({}))
    worker.onShutdown(() => steps.push('first'))
    worker.onShutdown(async () => {
      await Promise.resolve()
      steps.push(`second, after ${String(server.received.at(-1)?.body['status'])}`)
    })
    await worker.start()
    await worker.stop()
    await worker.stop()
    expect(steps).toEqual(['second, after offline', 'first'])
  })

  it('run for a worker that was never started, too', async () => {
    const { worker } = await openBench()
    let isClosed = false
    worker.onShutdown(() => {
      isClosed = true
    })
    await worker.stop()
    expect(isClosed).toBe(true)
  })

  it('do not keep each other from running, nor the worker from stopping', async () => {
    const { clock, worker, logger } = await openBench({ shutdownTimeoutMs: 8000 })
    const steps: string[] = []
    worker.onShutdown(() => new Promise(() => undefined))
    worker.onShutdown(() => steps.push('good'))
    worker.onShutdown(() => {
      throw new Error('the pool is closed already')
    })
    const stopped = worker.stop()
    await clock.pass(8000)
    await stopped
    expect(steps).toEqual(['good'])
    expect(logger.lines).toContainEqual(
      expect.objectContaining({ level: 'error', message: 'a shutdown hook failed' }),
    )
  })
})

describe('the exit code', () => {
  it('is 0 when tasks were handed back as they should', async () => {
    const { server, clock, worker } = await openBench({ shutdownTimeoutMs: 8000 })
    const started = gate()
    worker.task('echo', async ({ signal }) => {
      started.open()
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      signal.throwIfAborted()
    })
    const host = new FakeProcess()
    const code = worker.run(host)
    server.push(aTask())
    await started.opened
    host.emit('SIGTERM')
    await clock.pass(8000)
    expect(await code).toBe(0)
    expect(host.exits).toEqual([])
  })

  it('is 1 when a handler did not stop, and then the process is ended: nothing else would', async () => {
    const { clock, host, code, end } = await runDeaf({ shutdownTimeoutMs: 8000 })
    host.emit('SIGTERM')
    await clock.pass(8000)
    await clock.pass(1000)
    expect(await code).toBe(1)
    expect(host.exits).toEqual([1])
    end.open()
  })

  it('is 1 when a result was not delivered', async () => {
    const { server, clock, worker } = await openBench({ shutdownTimeoutMs: 8000 })
    worker.task('echo', () => ({}))
    server.script('result', 'hold')
    const code = worker.run(new FakeProcess())
    server.push(aTask())
    await server.nth('result', 1)
    await stopNow(worker, clock)
    expect(await code).toBe(1)
  })

  it('is 1 when a shutdown hook failed or did not end', async () => {
    for (const hook of [() => Promise.reject(new Error('x')), () => new Promise(() => undefined)]) {
      const { server, clock, worker } = await openBench()
      worker.task('echo', () => ({})).onShutdown(hook)
      const code = worker.run(new FakeProcess())
      await server.nth('register', 1)
      await stopNow(worker, clock)
      expect(await code).toBe(1)
    }
  })
})
