import { describe, expect, it } from 'vitest'
import { Blueprint } from '../src/blueprint/blueprint.ts'
import type { BranchOptions, ParallelOptions } from '../src/blueprint/actions.ts'
import type { Engine } from '../src/engine/engine.ts'
import type { OfferedTask } from '../src/job/effect.ts'
import type { BranchResult } from '../src/job/task.ts'
import { create, Hand, World } from './support/engine-world.ts'
import { isInProcess } from './support/storage-under-test.ts'

const FAILED = { status: 'failure', error: { code: 'PERMANENT_ERROR', message: 'no luck' } }
const TRANSIENT = { status: 'failure', error: { code: 'TRANSIENT_ERROR', message: 'no luck' } }

/** Fans out to these and ends with what came of them. */
function fan(tasks: ParallelOptions['tasks'], options: Partial<ParallelOptions> = {}): Blueprint {
  return new Blueprint('fan')
    .state('start', { start: true }, ({ actions }) => {
      actions.dispatchParallel({ tasks, aggregateInto: 'collect', ...options })
    })
    .aggregator('collect', { end: true }, ({ branches, aggregationResults }) => ({
      branches,
      aggregationResults,
    }))
}

const two = (a: BranchOptions = {}, b: BranchOptions = {}): Record<string, BranchOptions> => ({
  a: { type: 'resize', params: { of: 'a' }, ...a },
  b: { type: 'resize', params: { of: 'b' }, ...b },
})

/** Takes every task on offer, by the `of` of its params. */
async function takeAll(worker: Hand): Promise<Map<string, OfferedTask>> {
  const handed = await worker.poll(0, { max: 2_000 })
  return new Map(handed.map(({ task }) => [String(task.params['of']), task]))
}

function taskOf(tasks: ReadonlyMap<string, OfferedTask>, name: string): OfferedTask {
  const task = tasks.get(name)
  if (task === undefined) throw new Error(`Branch ${name} is not out.`)
  return task
}

async function branchesOf(world: World, jobId: string): Promise<readonly BranchResult[]> {
  const { result } = await world.job(jobId)
  return (result as unknown as { branches: readonly BranchResult[] }).branches
}

const BIG = { max_concurrent_tasks: 2_000 }

/** A job that has fanned out, and a worker for all its branches. */
async function scene(blueprint = fan(two())): Promise<{
  readonly world: World
  readonly engine: Engine
  readonly worker: Hand
  readonly jobId: string
}> {
  const world = new World()
  const engine = world.engine(blueprint)
  const worker = await Hand.hire(engine, 'w-1', BIG)
  return { world, engine, worker, jobId: await create(engine, blueprint) }
}

describe('a fan-out', () => {
  // D-1: only the branch that was dispatched last could report; the others were stale.
  it('takes every branch’s result and hands all of them on, by name, place and task id (D-1, D-34)', async () => {
    const { world, worker, jobId } = await scene()
    expect(await world.job(jobId)).toMatchObject({
      status: 'waiting_for_parallel_tasks',
      state: 'start',
      progress: 0,
    })
    const tasks = await takeAll(worker)
    const [a, b] = [taskOf(tasks, 'a'), taskOf(tasks, 'b')]
    await worker.report(b, { data: { n: 2 } })
    expect(await world.job(jobId)).toMatchObject({ progress: 0.5 })
    await worker.report(a, { status: 'too_small', data: { n: 1 } })
    const one = { status: 'too_small', data: { n: 1 }, error: null }
    const other = { status: 'success', data: { n: 2 }, error: null }
    expect(await world.job(jobId)).toMatchObject({
      status: 'finished',
      state: 'collect',
      result: {
        branches: [
          { name: 'a', index: 0, taskId: a.taskId, ...one },
          { name: 'b', index: 1, taskId: b.taskId, ...other },
        ],
        aggregationResults: { [a.taskId]: one, [b.taskId]: other },
      },
    })
  })

  // D-34: a fan-out to nothing hung.
  it('to nothing goes straight to the aggregator (D-34)', async () => {
    const world = new World()
    const blueprint = fan([])
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint)
    expect(await world.job(jobId)).toMatchObject({
      status: 'finished',
      result: { branches: [], aggregationResults: {} },
    })
  })

  it('takes a result twice and answers it the same, then and after the aggregator (D-13, D-34)', async () => {
    const { world, worker, jobId } = await scene()
    const tasks = await takeAll(worker)
    const a = taskOf(tasks, 'a')
    const answer = { taskId: a.taskId, transition: 'parallel_branch_accepted' }
    expect(await worker.report(a, { data: { n: 1 } })).toMatchObject({ kind: 'changed', answer })
    const again = await worker.report(a, { data: { n: 'other' } })
    expect(again).toEqual({ kind: 'repeated', answer })
    await worker.report(taskOf(tasks, 'b'))
    expect(await worker.report(a)).toEqual({ kind: 'repeated', answer })
    expect(await branchesOf(world, jobId)).toMatchObject([{ data: { n: 1 } }, {}])
  })

  // D-34: results under ids that nobody had given out were stored.
  it('ignores a result under an id that it did not give out, or of another’s branch (D-34)', async () => {
    const { world, engine, worker, jobId } = await scene()
    const thief = await Hand.hire(engine, 'thief', BIG)
    const a = taskOf(await takeAll(worker), 'a')
    const stale = { kind: 'ignored', reason: 'stale_task' }
    expect(await worker.report({ jobId, taskId: 'made-up' })).toEqual(stale)
    expect(await thief.report(a)).toEqual({ kind: 'ignored', reason: 'worker_mismatch' })
    expect(await world.job(jobId)).toMatchObject({ progress: 0 })
  })

  // D-29: a branch was neither retried nor routed.
  it('retries a branch by its own rules, beside the others (D-29)', async () => {
    const world = new World()
    const blueprint = fan(two({ retry: { attempts: 2, initialDelay: 5, jitter: 0 } }))
    const engine = world.engine(blueprint)
    const [worker, other] = [
      await Hand.hire(engine, 'w-1', BIG),
      await Hand.hire(engine, 'w-2', BIG),
    ]
    const jobId = await create(engine, blueprint)
    const tasks = await takeAll(worker)
    await worker.report(taskOf(tasks, 'a'), TRANSIENT)
    await worker.report(taskOf(tasks, 'b'))
    await world.clock.advance(4_999)
    expect(await other.poll()).toEqual([])
    await world.clock.advance(1)
    const again = await other.take()
    expect(again).toMatchObject({ attempt: 2, params: { of: 'a' } })
    await other.report(again, TRANSIENT)
    expect(await branchesOf(world, jobId)).toMatchObject([
      {
        name: 'a',
        status: 'failure',
        taskId: again.taskId,
        error: { code: 'TRANSIENT_ERROR', message: 'Task failed after 2 attempts: no luck' },
      },
      { name: 'b', status: 'success' },
    ])
  })

  it('shows the aggregator a branch that failed for good, and one that was cancelled', async () => {
    const { world, worker, jobId } = await scene()
    const tasks = await takeAll(worker)
    await worker.report(taskOf(tasks, 'a'), FAILED)
    expect(await world.job(jobId)).toMatchObject({ status: 'waiting_for_parallel_tasks' })
    await worker.report(taskOf(tasks, 'b'), { status: 'cancelled' })
    expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
    expect(await branchesOf(world, jobId)).toMatchObject([
      { status: 'failure', data: null, error: { code: 'PERMANENT_ERROR' } },
      { status: 'cancelled', data: null, error: null },
    ])
  })

  it.each([
    ['PERMANENT_ERROR', 'quarantined'],
    ['INVALID_INPUT_ERROR', 'failed'],
  ])(
    'that is to fail fast ends as its first failure would (%s: %s), and takes the others back',
    async (code, status) => {
      const tasks = { ...two(), c: { type: 'crop' } }
      const { world, worker, jobId } = await scene(fan(tasks, { failFast: true }))
      const taken = await takeAll(worker)
      await worker.report(taskOf(taken, 'a'), { ...FAILED, error: { code, message: 'no luck' } })
      expect(await world.job(jobId)).toMatchObject({
        status,
        state: 'start',
        error: { code, message: expect.stringMatching(/^Branch 'a': .*no luck/) },
      })
      expect(await world.storage.countOfferedTasks()).toBe(0)
      const { taskId } = taskOf(taken, 'b')
      expect(await worker.beat({ current_tasks: [taskId] })).toEqual([taskId])
      expect(await worker.report(taskOf(taken, 'b'))).toMatchObject({ kind: 'ignored' })
    },
  )

  it('lets out no more branches than it may, and the next when one comes in', async () => {
    const tasks = Array.from({ length: 5 }, (_, of) => ({ type: 'resize', params: { of } }))
    const { world, worker, jobId } = await scene(fan(tasks, { concurrency: 2 }))
    const order: string[] = []
    const taken = await takeAll(worker)
    expect([...taken.keys()]).toEqual(['0', '1'])
    while (taken.size > 0) {
      const [name = '', task] = [...taken][0] ?? []
      taken.delete(name)
      order.push(name)
      if (task !== undefined) await worker.report(task)
      for (const [more, next] of await takeAll(worker)) taken.set(more, next)
      expect(taken.size).toBeLessThanOrEqual(2)
    }
    expect(order).toHaveLength(5)
    expect((await branchesOf(world, jobId)).map(({ name }) => name)).toEqual([
      '0',
      '1',
      '2',
      '3',
      '4',
    ])
  })

  // D-4: a lost branch was looked up as a job, not found and forgotten.
  it('hands a branch whose worker fell silent to another, and only that one (D-4)', async () => {
    const world = new World()
    const blueprint = fan(two())
    const engine = world.engine(blueprint)
    const lost = await Hand.hire(engine, 'lost', { max_concurrent_tasks: 1 })
    const jobId = await create(engine, blueprint)
    const first = await lost.take()
    await world.clock.advance(2 * world.settings.workerHealthIntervalMs + 1_000)
    const other = await Hand.hire(engine, 'other', BIG)
    const tasks = await takeAll(other)
    expect(taskOf(tasks, 'a')).toMatchObject({ attempt: 2 })
    expect(taskOf(tasks, 'b')).toMatchObject({ attempt: 1 })
    expect(await lost.report(first)).toEqual({ kind: 'ignored', reason: 'stale_task' })
    for (const task of tasks.values()) await other.report(task)
    expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
    const lostRows = (await world.history.ofJob(jobId)).filter(({ type }) => type === 'task_lost')
    expect(lostRows).toMatchObject([{ branch: 'a', workerId: 'lost' }])
  })

  it('makes a failed branch of one that nobody takes or finishes in time (D-4)', async () => {
    const tasks = two({ dispatchTimeout: 5, type: 'crop' }, { timeout: 10, retry: { attempts: 1 } })
    const { world, worker, jobId } = await scene(fan(tasks))
    await worker.take()
    await world.clock.advance(10_000)
    const [a, b] = await branchesOf(world, jobId)
    expect(a).toMatchObject({
      status: 'failure',
      error: {
        code: 'TIMEOUT_ERROR',
        message: expect.stringContaining("the only worker does not offer the skill 'crop'"),
      },
    })
    expect(b).toMatchObject({ status: 'failure', error: { code: 'TIMEOUT_ERROR' } })
  })

  // D-20: a failure half way ran the aggregator with half of the results, or all branches twice.
  it('whose handler throws half way dispatches nothing, and all of it at the next try (D-20)', async () => {
    const world = new World()
    const blueprint = new Blueprint('fan')
      .state('start', { start: true }, ({ actions, attempt }) => {
        const tasks = ['resize', attempt === 1 ? '' : 'resize'].map((type) => ({ type }))
        actions.dispatchParallel({ tasks, aggregateInto: 'collect' })
      })
      .aggregator('collect', { end: true }, ({ branches }) => ({ count: branches.length }))
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint)
    expect(await world.job(jobId)).toMatchObject({ status: 'awaiting_retry', state: 'start' })
    expect(await world.storage.countOfferedTasks()).toBe(0)
    await world.clock.advance(1_000)
    expect(await world.storage.countOfferedTasks()).toBe(2)
  })

  it('is taken back as a whole when its job is cancelled (D-16)', async () => {
    const { world, engine, worker, jobId } = await scene(
      fan([...Object.values(two()), { type: 'crop' }]),
    )
    const ids = [...(await takeAll(worker)).values()].map(({ taskId }) => taskId)
    await engine.cancelJob(jobId)
    expect(await world.storage.countOfferedTasks()).toBe(0)
    expect(await world.storage.nextDueAt()).toBeUndefined()
    expect(await worker.beat({ current_tasks: ids })).toEqual(ids)
  })
})

// Each result writes the whole job, so that those of a thousand branches write a thousand documents of a
// thousand branches: to another process that takes too long for a test.
const COUNT = isInProcess() ? 1_000 : 200

describe(`${COUNT} branches`, () => {
  const tasks = Array.from({ length: COUNT }, (_, of) => ({ type: 'resize', params: { of } }))
  const PER_WORKER = COUNT / 20
  let aggregated = 0
  const blueprint = new Blueprint('fan')
    .state('start', { start: true }, ({ actions }) => {
      actions.dispatchParallel({ tasks, aggregateInto: 'collect' })
    })
    .aggregator('collect', { end: true }, ({ branches }) => {
      aggregated += 1
      return { branches }
    })

  async function run(world: World, engines: readonly Engine[]): Promise<string> {
    aggregated = 0
    const hands = await Promise.all(
      Array.from({ length: 20 }, (_, i) => {
        const engine = engines[i % engines.length]
        if (engine === undefined) throw new Error('There is no engine.')
        return Hand.hire(engine, `w-${String(i)}`, { max_concurrent_tasks: PER_WORKER })
      }),
    )
    const [first] = engines
    if (first === undefined) throw new Error('There is no engine.')
    const jobId = await create(first, blueprint)
    const polled = await Promise.all(
      hands.map(async (hand) => ({ hand, handed: await hand.poll(0, { max: PER_WORKER }) })),
    )
    expect(polled.flatMap(({ handed }) => handed)).toHaveLength(COUNT)
    const reports = polled.flatMap(({ hand, handed }) =>
      handed.map(({ task }) => hand.report(task, { data: { n: task.params['of'] } })),
    )
    const decisions = await Promise.all(reports)
    expect(decisions.filter((decision) => decision.kind === 'changed')).toHaveLength(COUNT)
    await world.clock.advance(0)
    return jobId
  }

  // D-15: of results at the same time, some were overwritten by others.
  it.each([1, 2])(
    'reported by twenty workers at once to %i engine(s) are aggregated once, in order (D-15)',
    async (count) => {
      const world = new World()
      const engines = Array.from({ length: count }, () => world.engine(blueprint))
      const jobId = await run(world, engines)
      expect(aggregated).toBe(1)
      const branches = await branchesOf(world, jobId)
      expect(branches.map(({ data }) => data?.['n'])).toEqual(tasks.map(({ params }) => params.of))
      expect(new Set(branches.map(({ taskId }) => taskId)).size).toBe(COUNT)
      const rows = (await world.history.ofJob(jobId)).filter(({ type }) => type === 'task_finished')
      expect(new Set(rows.map(({ taskId }) => taskId)).size).toBe(COUNT)
    },
    60_000,
  )
})
