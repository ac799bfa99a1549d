import { describe, expect, it, onTestFinished, vi } from 'vitest'

import { Worker, type WorkerOptions } from '../src/index.ts'
import { testWorker } from '../src/testing/index.ts'
import { ManualClock } from './manual-clock.ts'
import { recordingLogger } from './setup.ts'

// A thread starts with an import of the sources, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 20_000 })

const COUNT = new URL('./thread-handlers/count.ts', import.meta.url)

function aBench(options: WorkerOptions = {}) {
  const logger = recordingLogger()
  const worker = new Worker({ workerId: 'w1', token: 't', env: {}, logger, ...options })
  worker.task('count', { thread: COUNT })
  onTestFinished(() => worker.stop())
  return { worker, logger, bench: testWorker(worker) }
}

describe('a handler in a thread', () => {
  it('runs beside this thread, and its thread stays for the next task', async () => {
    const { bench } = aBench()
    const first = await bench.run('count')
    const second = await bench.run('count')
    expect(first).toMatchObject({
      status: 'success',
      data: { threadId: expect.any(Number) as unknown },
    })
    expect(second.data).toEqual(first.data)
  })

  it('has the context, but for what cannot leave the thread', async () => {
    const { bench, logger } = aBench()
    const { data, events, chunks } = await bench.run(
      'count',
      { do: 'tell' },
      { jobId: 'j', taskId: 't', attempt: 2 },
    )
    expect(data).toMatchObject({ idempotencyKey: 'j/count/t', attempt: 2 })
    expect(events).toEqual([{ type: 'page', payload: { n: 1 } }])
    expect(chunks).toEqual(['Hello'])
    expect(logger.lines).toContainEqual({
      level: 'info',
      message: 'from a thread',
      fields: { taskId: 't', jobId: 'j', taskType: 'count', attempt: 2, part: 1, n: 2 },
    })
    expect(logger.lines).toContainEqual(
      expect.objectContaining({ level: 'warn', message: 'with a function' }),
    )
  })

  it('hears that an event was refused', async () => {
    const { data } = await aBench().bench.run('count', { do: 'refused' })
    expect(data).toEqual({ caught: expect.stringContaining('Progress is told with') as unknown })
  })

  it.each([
    ['custom', { status: 'big', data: { n: 1 } }],
    [
      'fail',
      {
        error: {
          code: 'PERMANENT_ERROR',
          message: 'no',
          details: { why: 'not' },
          retry_after: 0.005,
        },
      },
    ],
    ['throw', { error: { code: 'INTERNAL_ERROR', message: 'm' } }],
    ['function', { error: { code: 'CONTRACT_VIOLATION_ERROR' } }],
    [
      'exit',
      {
        error: {
          code: 'TRANSIENT_ERROR',
          message: expect.stringContaining('exit code 7') as unknown,
        },
      },
    ],
    [
      'crash',
      {
        error: {
          code: 'TRANSIENT_ERROR',
          message: expect.stringContaining('out of the blue') as unknown,
        },
      },
    ],
  ])('returns and throws as any other: %s', async (what, expected) => {
    const { bench } = aBench()
    expect(await bench.run('count', { do: what })).toMatchObject(expected)
    expect(await bench.run('count')).toMatchObject({ status: 'success' })
  })

  it('is ended by a cancellation, however busy it is (D-26)', async () => {
    const { bench } = aBench()
    const task = bench.start('count', { do: 'spin' })
    const other = bench.start('count')
    expect(await other.result).toMatchObject({ status: 'success' })
    task.cancel()
    expect(await task.result).toMatchObject({ status: 'cancelled' })
    expect(await bench.run('count')).toMatchObject({ status: 'success' })
  })

  it('is ended by its deadline', async () => {
    const clock = new ManualClock()
    const { bench } = aBench({ clock })
    const { result } = bench.start(
      'count',
      { do: 'spin' },
      { deadline: new Date(clock.now() + 3000) },
    )
    await clock.pass(3000)
    expect((await result).error?.code).toBe('TIMEOUT_ERROR')
  })

  it('is handed back at a shutdown', async () => {
    const { bench } = aBench()
    const { result } = bench.start('count', { do: 'spin' })
    await Promise.resolve()
    bench.shutDown()
    expect((await result).error).toMatchObject({ details: { released: true } })
  })

  it('may run in so many threads as are allowed', async () => {
    const { bench } = aBench({ maxThreads: 1 })
    const task = bench.start('count', { do: 'spin' })
    expect((await bench.run('count')).error).toMatchObject({ details: { released: true } })
    task.cancel()
    await task.result
  })

  it('may be exported by name; a file without one is for a person to mend', async () => {
    const { worker, bench } = aBench()
    const file = (name: string): URL => new URL(`./thread-handlers/${name}.ts`, import.meta.url)
    worker
      .task('named', { thread: file('named').href })
      .task('nothing', { thread: file('nothing') })
    expect(await bench.run('named')).toMatchObject({ data: { named: true } })
    expect((await bench.run('nothing')).error).toMatchObject({ code: 'PERMANENT_ERROR' })
  })

  it('must be in a file that exists', () => {
    expect(() => aBench().worker.task('x', { thread: './nowhere.js' })).toThrow(
      /There is no thread handler at .*nowhere\.js/,
    )
  })
})
