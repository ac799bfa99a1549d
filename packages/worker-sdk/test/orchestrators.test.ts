import { HEADERS } from '@avtomatika/protocol'
import { describe, expect, it, onTestFinished } from 'vitest'

import type { WorkerOptions } from '../src/index.ts'
import { FakeOrchestrator } from './fake-orchestrator.ts'
import { aTask, gate, openBench, stopNow } from './setup.ts'

/** A worker of two orchestrators: `first` has the better priority. */
async function openPair(options: WorkerOptions = {}) {
  const first = await FakeOrchestrator.open()
  const second = await FakeOrchestrator.open()
  const bench = await openBench({
    orchestrators: [
      { url: second.url, priority: 2, token: 'token-2' },
      { url: first.url, priority: 1 },
    ],
    ...options,
  })
  onTestFinished(async () => {
    await stopNow(bench.worker, bench.clock)
    await first.close()
    await second.close()
    expect([...first.violations, ...second.violations]).toEqual([])
  })
  bench.worker.task('echo', ({ taskId }) => ({ taskId }))
  return { ...bench, first, second }
}

const idsIn = (server: FakeOrchestrator) => server.results.map(({ task_id: id }) => id)

describe('a worker of several orchestrators', () => {
  it('registers with each under its own token, and answers each for its own tasks', async () => {
    const { worker, first, second } = await openPair()
    await worker.start()
    first.push(aTask({ task_id: 'a' }))
    second.push(aTask({ task_id: 'b' }))
    await first.nth('result', 1)
    const { headers } = await second.nth('result', 1)
    expect(headers[HEADERS.workerToken]).toBe('token-2')
    expect((await first.nth('register', 1)).headers[HEADERS.workerToken]).toBe('top-secret-token')
    expect([idsIn(first), idsIn(second)]).toEqual([['a'], ['b']])
  })

  it('tells all skills to the one that asks, until that one has them, and not to the others (C23)', async () => {
    const { worker, clock, first, second } = await openPair()
    first.script(
      'heartbeat',
      { json: { status: 'ok', require_full_sync: true } },
      { status: 500, text: 'oops' },
    )
    await worker.start()
    while (first.of('heartbeat').length < 4 || second.of('heartbeat').length < 2) {
      clock.advance(100)
      await new Promise((resolve) => setImmediate(resolve))
    }
    const isFull = ({ body }: { readonly body: Record<string, unknown> }): boolean =>
      body['supported_skills'] !== undefined
    expect(first.of('heartbeat').map(isFull).slice(0, 4)).toEqual([false, true, true, false])
    expect(second.of('heartbeat').some(isFull)).toBe(false)
  })

  it('tells each what is hot, whichever heard of it first (C23)', async () => {
    const { worker, clock, first, second } = await openPair()
    second.script('heartbeat', { status: 500, text: 'oops' })
    await worker.start()
    await second.nth('register', 1)
    worker.hotCache.add('echo')
    await clock.timer(2000, 2)
    clock.advance(2000)
    expect((await first.nth('heartbeat', 1)).body['hot_skills']).toEqual(['echo'])
    await second.nth('heartbeat', 1)
    await clock.pass(500)
    expect((await second.nth('heartbeat', 2)).body['hot_skills']).toEqual(['echo'])
  })

  it('starts when one of them is up, and works for it', async () => {
    const { worker, first, second } = await openPair()
    await first.close()
    await worker.start()
    second.push(aTask({ task_id: 'b' }))
    await second.nth('result', 1)
  })

  it.each([
    ['hangs', 'hold' as const],
    ['answers 500', { status: 500, text: '' }],
    ['sends garbage', { text: '<html>' }],
  ])('works for the second at once while the first %s (D-17)', async (_name, answer) => {
    const { worker, first, second } = await openPair({ maxConcurrentTasks: 2 })
    first.script('poll', ...Array.from({ length: 50 }, () => answer))
    first.script('heartbeat', ...Array.from({ length: 50 }, () => answer))
    await worker.start()
    for (let n = 1; n <= 5; n += 1) {
      second.push(aTask({ task_id: `b${n}` }))
      await second.nth('result', n)
    }
    expect(idsIn(second)).toEqual(['b1', 'b2', 'b3', 'b4', 'b5'])
  })

  it('comes back to the first when it recovers', async () => {
    const { worker, clock, first, second } = await openPair()
    first.script('poll', { status: 500, text: '' })
    await worker.start()
    await first.nth('poll', 1)
    second.push(aTask({ task_id: 'b' }))
    await second.nth('result', 1)
    first.push(aTask({ task_id: 'a' }))
    await clock.pass(500)
    await first.nth('result', 1)
  })

  it('takes no more tasks than it has slots for, and hands none back', async () => {
    const { worker, first, second } = await openPair({ maxConcurrentTasks: 1 })
    const started = gate()
    const end = gate()
    let running = 0
    let most = 0
    worker.task('slow', async () => {
      running += 1
      most = Math.max(most, running)
      started.open()
      await end.opened
      running -= 1
      return {}
    })
    await worker.start()
    first.push(aTask({ task_id: 'a', type: 'slow' }))
    second.push(aTask({ task_id: 'b', type: 'slow' }))
    await started.opened
    first.script('poll', { status: 204 })
    end.open()
    await first.nth('result', 1)
    await second.nth('result', 1)
    expect(most).toBe(1)
    expect([...first.results, ...second.results].map(({ status }) => status)).toEqual([
      'success',
      'success',
    ])
  })

  it('keeps results of one that is away without stopping the other', async () => {
    const { worker, clock, first, second } = await openPair({ maxPendingResults: 1 })
    first.script('result', ...Array.from({ length: 5 }, () => ({ status: 503, text: '' })))
    await worker.start()
    first.push(aTask({ task_id: 'a' }))
    await first.nth('result', 1)
    second.push(aTask({ task_id: 'b1' }))
    await second.nth('result', 1)
    second.push(aTask({ task_id: 'b2' }))
    await second.nth('result', 2)
    while (first.results.length === 0) {
      clock.advance(1000)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(idsIn(first)).toEqual(['a'])
  })

  it('aborts only the task of the orchestrator that cancels, when both use the same id', async () => {
    const { worker, clock, first, second } = await openPair()
    const started: string[] = []
    const bothStarted = gate()
    worker.task('wait', async ({ signal, jobId }) => {
      started.push(jobId)
      if (started.length === 2) bothStarted.open()
      await new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          reject(signal.reason)
        })
      })
    })
    await worker.start()
    first.push(aTask({ type: 'wait', job_id: 'j1' }))
    second.push(aTask({ type: 'wait', job_id: 'j2' }))
    await bothStarted.opened
    first.script('heartbeat', { json: { status: 'ok', cancel_task_ids: ['t1'] } })
    await clock.timer(2000, 2)
    clock.advance(2000)
    await first.nth('result', 1)
    expect(first.results).toMatchObject([{ job_id: 'j1', status: 'cancelled' }])
    expect(second.results).toEqual([])
  })
})
