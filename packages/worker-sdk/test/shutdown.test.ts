import { describe, expect, it } from 'vitest'

import { HttpTransport, systemClock, TaskAborted, type Reply } from '../src/index.ts'
import { aTask, FakeProcess, gate, openBench, runDeaf, stopNow } from './setup.ts'

const HANDED_BACK = {
  task_id: 't1',
  attempt: 1,
  status: 'failure',
  error: {
    code: 'TRANSIENT_ERROR',
    message: 'Worker is shutting down',
    details: { released: true },
  },
}

describe('stop', () => {
  it('ends the poll, lets tasks end, delivers their results and says goodbye last', async () => {
    const { server, worker } = await openBench()
    const started = gate()
    const end = gate()
    worker.task('echo', async () => {
      started.open()
      await end.opened
      return { done: true }
    })
    await worker.start()
    server.push(aTask())
    await started.opened
    await server.nth('poll', 2)
    const stopped = worker.stop()
    await server.when(() => server.openPolls === 0)
    end.open()
    await stopped
    expect(server.results).toEqual([expect.objectContaining({ data: { done: true } })])
    const last = server.received.at(-1)
    expect(last).toMatchObject({
      kind: 'heartbeat',
      body: { status: 'offline', current_tasks: [] },
    })
    expect(worker.stop()).toBe(worker.stop())
  })

  it('aborts tasks at the end of the time and gives them back, not as cancelled (D-7)', async () => {
    const { server, clock, worker } = await openBench({ shutdownTimeoutMs: 8000 })
    const started = gate()
    let reason: unknown
    worker.task('echo', async ({ signal }) => {
      started.open()
      await new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          reason = signal.reason
          reject(new Error('stopped'))
        })
      })
    })
    await worker.start()
    server.push(aTask())
    await started.opened
    const stopped = worker.stop()
    await clock.pass(8000)
    await stopped
    expect(reason).toBeInstanceOf(TaskAborted)
    expect(reason).toMatchObject({ name: 'AbortError', why: 'shutdown' })
    expect(server.results).toEqual([expect.objectContaining(HANDED_BACK)])
  })

  it('gives back a task whose handler does not listen, once, and drops what it returns later', async () => {
    const { server, clock, worker } = await openBench({ shutdownTimeoutMs: 8000 })
    const started = gate()
    const end = gate()
    worker.task('echo', async () => {
      started.open()
      await end.opened
    })
    await worker.start()
    server.push(aTask())
    await started.opened
    const stopped = worker.stop()
    await clock.pass(8000)
    await clock.pass(1000)
    await stopped
    end.open()
    expect(server.of('result')).toHaveLength(1)
    expect(server.results).toEqual([expect.objectContaining(HANDED_BACK)])
  })

  it('keeps the leases of tasks alive while they end', async () => {
    const { server, clock, worker } = await openBench()
    const started = gate()
    const end = gate()
    worker.task('echo', async () => {
      started.open()
      await end.opened
    })
    await worker.start()
    server.push(aTask())
    await started.opened
    const stopped = worker.stop()
    await clock.pass(2000)
    expect((await server.nth('heartbeat', 1)).body).toMatchObject({
      status: 'draining',
      current_tasks: ['t1'],
    })
    end.open()
    await stopped
  })

  it('gives up on results that nobody takes, and says which', async () => {
    const { server, clock, worker, logger } = await openBench({ shutdownTimeoutMs: 8000 })
    worker.task('echo', () => ({}))
    server.script('result', 'hold')
    await worker.start()
    server.push(aTask())
    await server.nth('result', 1)
    await stopNow(worker, clock)
    expect(logger.lines).toContainEqual(
      expect.objectContaining({
        level: 'error',
        fields: expect.objectContaining({ taskIds: ['t1'] }) as unknown,
      }),
    )
  })

  it('gives back a task that arrives although the poll was ended (D-2)', async () => {
    const polled = gate()
    const answer = gate<Reply>()
    const { server, clock, worker } = await openBench({
      createTransport: (target) => {
        const http = new HttpTransport(target, systemClock)
        return {
          close: () => http.close(),
          request: (request) => {
            if (request.method !== 'GET') return http.request(request)
            polled.open()
            return answer.opened
          },
        }
      },
    })
    worker.task('echo', () => expect.unreachable())
    await worker.start()
    await polled.opened
    const stopped = worker.stop()
    await clock.pass(2000)
    expect((await server.nth('heartbeat', 1)).body['status']).toBe('draining')
    answer.open({ ok: true, status: 200, body: aTask() })
    await stopped
    expect(server.results).toEqual([expect.objectContaining(HANDED_BACK)])
    expect(server.received.at(-1)?.kind).toBe('heartbeat')
  })

  it('works on a worker that was never started', async () => {
    const { worker } = await openBench()
    worker.task('echo', () => ({}))
    await worker.stop()
    await expect(worker.start()).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
  })
})

describe('run', () => {
  it('stops at a signal and resolves with exit code 0', async () => {
    const { server, worker } = await openBench()
    worker.task('echo', () => ({}))
    const host = new FakeProcess()
    const code = worker.run(host)
    await server.nth('register', 1)
    host.emit('SIGTERM')
    expect(await code).toBe(0)
    expect(host.exits).toEqual([])
    expect(host.eventNames()).toEqual([])
  })

  it('exits at once at a second signal', async () => {
    const { host, code, end } = await runDeaf()
    host.emit('SIGINT')
    host.emit('SIGINT')
    expect(host.exits).toEqual([130])
    end.open()
    expect(await code).toBe(0)
  })

  it('tells that there is nothing to do', async () => {
    const { worker } = await openBench()
    await expect(worker.run(new FakeProcess())).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})
