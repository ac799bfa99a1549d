import { describe, expect, it } from 'vitest'

import fc from 'fast-check'

import { Admission } from '../src/admission.ts'
import { SkillRegistry } from '../src/skill.ts'
import type { Worker } from '../src/index.ts'
import { aTask, gate, openBench, recordingLogger } from './setup.ts'

interface Held {
  readonly taskId: string
  readonly release: () => void
}

/** Handlers that run until they are let go. */
function holding(worker: Worker, tasks: Record<string, { type?: string; concurrency?: number }>) {
  const held: Held[] = []
  const watchers = new Set<() => void>()
  for (const [name, options] of Object.entries(tasks)) {
    worker.task(name, options, async ({ taskId, signal }) => {
      const end = gate()
      signal.addEventListener('abort', () => {
        end.open()
      })
      held.push({ taskId, release: end.open })
      for (const watcher of watchers) watcher()
      await end.opened
    })
  }
  const running = async (count: number): Promise<void> => {
    while (held.length < count) {
      await new Promise<void>((resolve) => {
        const watcher = (): void => {
          watchers.delete(watcher)
          resolve()
        }
        watchers.add(watcher)
      })
    }
  }
  const release = (taskId: string): void => {
    held.find((each) => each.taskId === taskId)?.release()
  }
  return { running, release }
}

describe('limits', () => {
  it('keep a full kind of task out of the next poll, and end that poll when it has room again', async () => {
    const { server, worker } = await openBench()
    const { running, release } = holding(worker, { gpu: { concurrency: 1 }, cpu: {} })
    await worker.start()
    const first = await server.nth('poll', 1)
    expect([first.query.get('max'), first.query.get('available_skills')]).toEqual(['1', null])
    server.push(aTask({ task_id: 't1', type: 'gpu' }))
    await running(1)
    const second = await server.nth('poll', 2)
    expect([second.query.get('max'), second.query.get('available_skills')]).toEqual(['9', 'cpu'])
    release('t1')
    const third = await server.nth('poll', 3)
    expect([third.query.get('max'), third.query.get('available_skills')]).toEqual(['1', null])
    await server.when(() => server.openPolls === 1)
    // Ending a poll on purpose is no failure: nothing was waited for, nothing was logged.
    expect(server.of('result')).toHaveLength(1)
  })

  it('of a type bound all tasks of that type together (D-19)', async () => {
    const { server, worker } = await openBench({ typeLimits: { gpu: 2 } })
    const { running } = holding(worker, { a: { type: 'gpu' }, b: { type: 'gpu' }, c: {} })
    await worker.start()
    expect((await server.nth('poll', 1)).query.get('max')).toBe('2')
    server.push(aTask({ task_id: 't1', type: 'a' }), aTask({ task_id: 't2', type: 'b' }))
    await running(2)
    expect((await server.nth('poll', 2)).query.get('available_skills')).toBe('c')
  })

  it('hold against an orchestrator that does not mind them: what is too much is handed back', async () => {
    const { server, worker } = await openBench()
    const { running } = holding(worker, { gpu: { concurrency: 1 }, cpu: {} })
    await worker.start()
    server.push({ tasks: [] })
    await server.nth('poll', 2)
    server.push(aTask({ task_id: 't1', type: 'gpu' }))
    await running(1)
    await server.nth('poll', 3)
    server.push(aTask({ task_id: 't2', type: 'gpu' }))
    expect((await server.nth('result', 1)).body).toMatchObject({
      task_id: 't2',
      error: { code: 'TRANSIENT_ERROR', details: { released: true } },
    })
  })

  it.each([
    ['concurrency', { concurrency: 0 }],
    ['concurrency', { concurrency: 1.5 }],
    ['cost', { cost: -1 }],
    ['cost', { cost: Number.NaN }],
  ])('must be sensible: %s %o', async (name, options) => {
    const { worker } = await openBench()
    expect(() => worker.task('x', options, () => ({}))).toThrow(`${name} of the task 'x'`)
  })

  it('of types and threads must be sensible, too', async () => {
    await expect(openBench({ typeLimits: { gpu: 0 }, maxThreads: 0.5 })).rejects.toThrow(
      /typeLimits\.gpu: .*maxThreads: /,
    )
  })

  it('are kept whatever is polled for and comes (A1, A2)', () => {
    const kinds = ['a', 'b', 'c', 'd'] as const
    const skills = new SkillRegistry()
    skills.add({ name: 'a' }, { concurrency: 2 }, () => ({}))
    skills.add({ name: 'b' }, { type: 'gpu' }, () => ({}))
    skills.add({ name: 'c' }, { type: 'gpu', concurrency: 1 }, () => ({}))
    skills.add({ name: 'd' }, {}, () => ({}))
    const isWithinLimits = (running: readonly string[]): boolean => {
      const count = (...names: readonly string[]): number =>
        running.filter((name) => names.includes(name)).length
      return running.length <= 6 && count('a') <= 2 && count('b', 'c') <= 3 && count('c') <= 1
    }
    const step = fc.oneof(
      fc.record({ poll: fc.array(fc.constantFrom(...kinds), { minLength: 8, maxLength: 8 }) }),
      fc.record({ end: fc.nat(20) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const admission = new Admission({
          slots: 6,
          typeLimits: { gpu: 3 },
          maxThreads: 1,
          skills: () => skills.all,
          capacity: undefined,
          logger: recordingLogger(),
        })
        const running: string[] = []
        for (const each of steps) {
          if ('end' in each) {
            const [ended] = running.splice(each.end % Math.max(1, running.length), 1)
            if (ended !== undefined) admission.leave(skills.find(ended))
            continue
          }
          const startable = admission.startable()
          const expected = kinds.filter((name) => isWithinLimits([...running, name]))
          expect(startable).toEqual(expected)
          const max = admission.roomForAny(startable)
          expect(max > 0).toBe(expected.length > 0)
          // The worst that an orchestrator can send for this poll is admitted to the last task.
          for (const name of each.poll.filter((kind) => startable.includes(kind)).slice(0, max)) {
            expect(admission.admits(skills.find(name))).toBe(true)
            admission.enter(skills.find(name))
            running.push(name)
            expect(isWithinLimits(running)).toBe(true)
          }
        }
      }),
    )
  })
})

describe('the capacity callback', () => {
  it('narrows polls, and is asked again each second', async () => {
    let isFree = false
    const asked: string[] = []
    const { server, clock, worker } = await openBench({
      capacity: (task) => {
        asked.push(task)
        return task === 'cpu' || isFree
      },
    })
    holding(worker, { gpu: {}, cpu: {} })
    await worker.start()
    expect((await server.nth('poll', 1)).query.get('available_skills')).toBe('cpu')
    isFree = true
    await clock.pass(1000)
    expect((await server.nth('poll', 2)).query.get('available_skills')).toBeNull()
    expect(new Set(asked)).toEqual(new Set(['gpu', 'cpu']))
  })

  it('keeps a worker without any capacity from polling until it has some', async () => {
    let isFree = false
    const { server, clock, worker } = await openBench({ capacity: () => isFree })
    holding(worker, { gpu: {} })
    await worker.start()
    await clock.timer(1000)
    expect(server.of('poll')).toEqual([])
    isFree = true
    await clock.pass(1000)
    await server.nth('poll', 1)
  })

  it('counts as no when it fails', async () => {
    const { clock, server, worker, logger } = await openBench({
      capacity: () => {
        throw new Error('no GPU driver')
      },
    })
    holding(worker, { gpu: {} })
    await worker.start()
    await clock.pass(1000)
    await clock.timer(1000)
    expect(server.of('poll')).toEqual([])
    expect(logger.lines).toContainEqual(
      expect.objectContaining({
        level: 'error',
        message: expect.stringContaining('the capacity callback failed') as unknown,
      }),
    )
  })
})

describe('what a task costs', () => {
  it('is told at registration, and wins over the environment', async () => {
    const { server, worker } = await openBench({ env: { COST_PER_SKILL: '{"a":1,"b":2}' } })
    worker.task('a', { cost: 0.5 }, () => ({})).task('b', () => ({}))
    await worker.start()
    expect((await server.nth('register', 1)).body['capabilities']).toMatchObject({
      cost_per_skill: { a: 0.5, b: 2 },
    })
  })
})
