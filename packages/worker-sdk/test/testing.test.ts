import { describe, expect, it } from 'vitest'

import { z } from 'zod'

import { defineTask, Worker, type TaskAborted, type WorkerOptions } from '../src/index.ts'
import { testWorker } from '../src/testing/index.ts'
import { ManualClock } from './manual-clock.ts'
import { gate, recordingLogger } from './setup.ts'

function aWorker(options: WorkerOptions = {}): Worker {
  return new Worker({ workerId: 'w1', token: 't', env: {}, logger: recordingLogger(), ...options })
}

const resize = defineTask('resize', {
  params: z.object({ width: z.number() }),
  result: z.object({ path: z.string() }),
})

describe('the test kit', () => {
  it('runs a task and tells what would be sent, and everything that was told on the way', async () => {
    const worker = aWorker().task(resize, async ({ params, progress, emit, stream, attempt }) => {
      void stream('Hel')
      await stream({ text: 'lo' })
      progress(0.5, 'half')
      progress(2)
      await emit('page', { n: params.width })
      return { path: `/tmp/${attempt}` }
    })
    expect(await testWorker(worker).run(resize, { width: 3 }, { attempt: 2 })).toEqual({
      status: 'success',
      data: { path: '/tmp/2' },
      progress: [{ fraction: 0.5, message: 'half' }, { fraction: 1 }],
      events: [{ type: 'page', payload: { n: 3 } }],
      chunks: ['Hel', { text: 'lo' }],
    })
  })

  it('checks params and results as a real worker does', async () => {
    const worker = aWorker().task('resize', resize, () => ({ path: 'p' }))
    const wrong = aWorker().task('resize', resize, (() => ({ path: 1 })) as never)
    expect((await testWorker(worker).run('resize', { width: 'x' })).error?.code).toBe(
      'INVALID_INPUT_ERROR',
    )
    expect((await testWorker(wrong).run('resize', { width: 1 })).error?.code).toBe(
      'CONTRACT_VIOLATION_ERROR',
    )
    expect((await testWorker(worker).run('other')).error?.code).toBe('PERMANENT_ERROR')
  })

  it('cancels and shuts down; the signal says which', async () => {
    const reasons: unknown[] = []
    const began = [gate(), gate()]
    const worker = aWorker().task('wait', async ({ signal, taskId }) => {
      began[taskId === 'task-1' ? 0 : 1]?.open()
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      reasons.push(signal.reason)
      signal.throwIfAborted()
    })
    const bench = testWorker(worker)
    const first = bench.start('wait')
    await began[0]?.opened
    first.cancel()
    expect(await first.result).toMatchObject({ status: 'cancelled' })
    const second = bench.start('wait')
    await began[1]?.opened
    bench.shutDown()
    expect((await second.result).error).toMatchObject({
      code: 'TRANSIENT_ERROR',
      details: { released: true },
    })
    expect(reasons.map((reason) => (reason as TaskAborted).why)).toEqual(['cancelled', 'shutdown'])
  })

  it('keeps deadlines by the clock of the worker', async () => {
    const clock = new ManualClock()
    const worker = aWorker({ clock }).task('wait', async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      signal.throwIfAborted()
    })
    const { result } = testWorker(worker).start(
      'wait',
      {},
      { deadline: new Date(clock.now() + 5000) },
    )
    await clock.pass(5000)
    expect((await result).error?.code).toBe('TIMEOUT_ERROR')
  })

  it('leaves no task at work when the worker is stopped', async () => {
    const worker = aWorker({ shutdownTimeoutMs: 0 }).task('wait', async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      signal.throwIfAborted()
    })
    const { result } = testWorker(worker).start('wait')
    await worker.stop()
    expect((await result).error).toMatchObject({ details: { released: true } })
  })

  it('keeps the limits, so a second task of a full kind is handed back', async () => {
    const worker = aWorker().task('one', { concurrency: 1 }, async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    })
    const bench = testWorker(worker)
    const first = bench.start('one')
    expect((await bench.run('one')).error).toMatchObject({ details: { released: true } })
    first.cancel()
    await first.result
  })
})
