import { describe, expect, it, onTestFinished } from 'vitest'

import type { Beat } from '../src/beat-memory.ts'
import { Heartbeat } from '../src/heartbeat.ts'
import { ThreadDeputy } from '../src/heartbeat-deputy.ts'
import { Registration } from '../src/registration.ts'
import type { Transport } from '../src/transport.ts'
import { FakeOrchestrator } from './fake-orchestrator.ts'
import { ManualClock } from './manual-clock.ts'
import { gate, recordingLogger, TOKEN } from './setup.ts'

/** A deputy in a real thread, with an interval at which it does not beat again by itself. */
async function openDeputy() {
  const server = await FakeOrchestrator.open()
  const heard = gate<number | null>()
  const deputy = new ThreadDeputy({
    target: { url: server.url, token: TOKEN, workerId: 'w1' },
    intervalMs: 3_600_000,
    logger: recordingLogger(),
    token: () => undefined,
    onBeat: ({ status }) => {
      heard.open(status)
    },
  })
  onTestFinished(async () => {
    await deputy.close()
    await server.close()
    expect(server.violations).toEqual([])
  })
  return { server, deputy, heard }
}

const bodyWith = (tasks: readonly string[]): string =>
  JSON.stringify({ worker_id: 'w1', status: 'busy', current_tasks: tasks })

const LONG_AGO = 60_000

describe('the deputy in a thread', () => {
  it('beats in the words of the last brief, and reports what came of it', async () => {
    const { server, deputy, heard } = await openDeputy()
    const later = Date.now() + 3_600_000
    deputy.brief({ dueAt: later, body: bodyWith(['old']) })
    deputy.brief({ dueAt: Date.now() - LONG_AGO, body: bodyWith(['t1', 'ü']) })
    const { body, headers } = await server.nth('heartbeat', 1)
    expect(body['current_tasks']).toEqual(['t1', 'ü'])
    expect(headers['x-worker-token']).toBe(TOKEN)
    expect(await heard.opened).toBe(200)
  })

  it('is woken when a beat is due before it would have looked', async () => {
    const { server, deputy, heard } = await openDeputy()
    deputy.brief({ dueAt: Date.now() - LONG_AGO, body: bodyWith(['t1']) })
    // It has beaten, and means to sleep for an hour.
    await heard.opened
    deputy.brief({ dueAt: Date.now() - LONG_AGO, body: bodyWith(['t2']) })
    expect((await server.nth('heartbeat', 2)).body['current_tasks']).toEqual(['t2'])
  })

  it('has room for as many tasks as there are', async () => {
    const { server, deputy } = await openDeputy()
    const tasks = Array.from({ length: 5000 }, (_, n) => `task-7c1f-${n}-€`)
    deputy.brief({ dueAt: Date.now() + 3_600_000, body: bodyWith(['t1']) })
    deputy.brief({ dueAt: Date.now() - LONG_AGO, body: bodyWith(tasks) })
    expect((await server.nth('heartbeat', 1)).body['current_tasks']).toEqual(tasks)
  })

  it('says nothing at rest, and goes on with the next brief', async () => {
    const { server, deputy } = await openDeputy()
    deputy.rest()
    deputy.brief({ dueAt: Date.now() + 3_600_000, body: bodyWith(['t1']) })
    deputy.rest()
    deputy.brief({ dueAt: Date.now() - LONG_AGO, body: bodyWith(['t2']) })
    expect((await server.nth('heartbeat', 1)).body['current_tasks']).toEqual(['t2'])
  })
})

/** A heartbeat whose deputy only takes notes. */
async function aNotedHeartbeat() {
  const clock = new ManualClock()
  const transport: Transport = {
    request: () => Promise.resolve({ ok: true, status: 200, body: { status: 'ok' } }),
    close: () => Promise.resolve(),
  }
  const common = { transport, clock, random: () => 0.5, logger: recordingLogger() }
  const backoff = { initialMs: 1000, maxMs: 1000 }
  const registration = new Registration({
    ...common,
    backoff,
    message: () => ({ worker_id: 'w1' }),
  })
  const briefs: Beat[] = []
  const taskIds: string[] = []
  const heartbeat = new Heartbeat({
    ...common,
    backoff,
    registration,
    workerId: 'w1',
    intervalMs: 15_000,
    debounceMs: 100,
    cooldownMs: 2000,
    openDeputy: () => ({
      brief: (beat) => briefs.push(beat),
      rest: () => undefined,
      close: () => Promise.resolve(),
    }),
    state: () => ({ status: 'idle', load: 0, taskIds, availableSkills: [] }),
    skills: [],
    skillsHash: 'x',
    onCancel: () => undefined,
  })
  const abort = new AbortController()
  const running = Promise.all([registration.run(abort.signal), heartbeat.run(abort.signal)])
  onTestFinished(async () => {
    abort.abort()
    await running
  })
  await clock.timer(15_000)
  return { heartbeat, briefs, taskIds, clock }
}

describe('what the deputy is told', () => {
  it('is told once for tasks that come together, and before any of them begins', async () => {
    const { heartbeat, briefs, taskIds } = await aNotedHeartbeat()
    const before = briefs.length
    const order: string[] = []
    for (const taskId of ['a', 'b', 'c']) {
      taskIds.push(taskId)
      heartbeat.touch()
      void Promise.resolve().then(() => order.push(`${taskId} after ${briefs.length - before}`))
    }
    await new Promise((resolve) => setImmediate(resolve))
    expect(order).toEqual(['a after 1', 'b after 1', 'c after 1'])
    expect(briefs).toHaveLength(before + 1)
    expect(JSON.parse(briefs.at(-1)?.body ?? '')).toMatchObject({ current_tasks: ['a', 'b', 'c'] })
  })

  it('is not told of the end of a task, but the orchestrator is', async () => {
    const { heartbeat, briefs, clock } = await aNotedHeartbeat()
    const before = briefs.length
    heartbeat.noteEnd()
    await new Promise((resolve) => setImmediate(resolve))
    expect(briefs).toHaveLength(before)
    await clock.pass(2000)
    await clock.timer(15_000)
  })
})
