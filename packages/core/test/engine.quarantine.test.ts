import { describe, expect, it } from 'vitest'
import { z, type ZodType } from 'zod'
import { Blueprint } from '../src/blueprint/blueprint.ts'
import type { Engine } from '../src/engine/engine.ts'
import { create, Hand, oneTask, OWNER, SETTINGS, World } from './support/engine-world.ts'
import { settled } from './support/storage-under-test.ts'

const PERMANENT = { status: 'failure', error: { code: 'PERMANENT_ERROR', message: 'no luck' } }
const STRANGER = { ...OWNER, clientId: 'client-2' }
const HOOK = { webhookUrl: 'https://host/hook' }

/** Hands its input to a worker, and ends with what handler and worker made of it. */
function sized(): Blueprint {
  return sizedBy(new Blueprint('order'))
}

function sizedBy<Schema extends ZodType>(blueprint: Blueprint<Schema>): Blueprint<Schema> {
  return blueprint
    .state('start', { start: true }, ({ actions }) => {
      actions.goTo('work')
    })
    .state('work', ({ actions, width }) => {
      actions.dispatchTask({ type: 'resize', params: { width }, transitions: { success: 'done' } })
    })
    .state('done', { end: true }, ({ initialData, out }) => ({ initialData, out: out ?? null }))
}

interface Scene {
  readonly world: World
  readonly engine: Engine
  readonly worker: Hand
  readonly jobId: string
}

/** A job that a worker's permanent error set aside in `work`. */
async function scene(
  fields: object = {},
  blueprint: Pick<Blueprint, 'define'> = sized(),
): Promise<Scene> {
  const world = new World()
  const engine = world.engine(blueprint)
  const worker = await Hand.hire(engine)
  const jobId = await create(engine, blueprint, { initialData: { width: 10 }, ...HOOK, ...fields })
  await worker.report(await worker.take(), PERMANENT)
  expect(await world.job(jobId)).toMatchObject({ status: 'quarantined', state: 'work' })
  return { world, engine, worker, jobId }
}

describe('the quarantine', () => {
  it('lists jobs newest first, those of one owner or of all, with error and history', async () => {
    const { world, engine, worker, jobId } = await scene()
    await world.clock.advance(1_000)
    const owner = STRANGER
    const other = await create(engine, sized(), { initialData: { width: 10 }, owner })
    await worker.report(await worker.take(), PERMANENT)
    const ids = async (limit: number, ownerId?: string): Promise<string[]> =>
      (await engine.listQuarantined(limit, ownerId)).map(({ id }) => id)
    expect(await ids(10)).toEqual([other, jobId])
    expect(await ids(1)).toEqual([other])
    expect(await ids(10, OWNER.clientId)).toEqual([jobId])
    expect(await ids(10, STRANGER.clientId)).toEqual([other])
    expect(await ids(10, 'client-3')).toEqual([])
    expect(await engine.listQuarantined(1, OWNER.clientId)).toMatchObject([
      { error: { code: 'PERMANENT_ERROR' }, state: 'work', initialData: { width: 10 } },
    ])
    const rows = await engine.historyOf(jobId, OWNER.clientId)
    expect(rows.slice(-2)).toMatchObject([
      { type: 'task_finished', error: { code: 'PERMANENT_ERROR' } },
      { type: 'job_quarantined', error: { code: 'PERMANENT_ERROR' } },
    ])
    await expect(engine.historyOf(jobId, STRANGER.clientId)).rejects.toMatchObject({
      code: 'JOB_NOT_FOUND',
    })
  })
})

describe('a retry out of quarantine', () => {
  it('runs the failed step again, not those before it, and the job leaves the quarantine', async () => {
    const { world, engine, worker, jobId } = await scene()
    const { sequence } = await world.job(jobId)
    await engine.desk.retry(jobId, null)
    await world.clock.advance(0)
    expect(await engine.listQuarantined(10)).toEqual([])
    const running = await world.job(jobId)
    expect(running).toMatchObject({
      status: 'waiting_for_worker',
      state: 'work',
      finishedAt: null,
      error: null,
      wait: { attempt: 1, retries: 0 },
    })
    expect(running.sequence).toBeGreaterThan(sequence)
    await worker.report(await worker.take(), { data: { out: 1 } })
    expect(await world.job(jobId)).toMatchObject({ status: 'finished', result: { out: 1 } })
    expect(await world.records(jobId)).toContain('job_retried')
    expect(world.calls(jobId)).toEqual([
      ['job_quarantined', 'quarantined'],
      ['job_finished', 'finished'],
    ])
  })

  it('may bring other data, which handlers and workers then see', async () => {
    const { world, engine, worker, jobId } = await scene({ initialData: { width: 10, kept: 1 } })
    await engine.desk.retry(jobId, { width: 20, note: 'smaller did not do' })
    await world.clock.advance(0)
    const task = await worker.take()
    expect(task.params).toEqual({ width: 20 })
    await worker.report(task)
    expect(await world.job(jobId)).toMatchObject({
      result: { initialData: { width: 20, kept: 1, note: 'smaller did not do' } },
    })
    const rows = await world.history.ofJob(jobId)
    expect(rows.find(({ type }) => type === 'job_retried')).toMatchObject({
      details: { data: { width: 20 } },
    })
  })

  it('has all its retries again, and can be set aside again', async () => {
    const world = new World()
    const blueprint = new Blueprint('order').state('start', { start: true, end: true }, () => {
      throw new Error('no luck')
    })
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint)
    await world.clock.advance(10_000)
    const failures = async (): Promise<number> =>
      (await world.records(jobId)).filter((type) => type === 'state_failed').length
    expect(await failures()).toBe(4)
    await engine.desk.retry(jobId, null)
    await world.clock.advance(10_000)
    expect(await failures()).toBe(8)
    expect(await world.job(jobId)).toMatchObject({ status: 'quarantined' })
    expect(await engine.listQuarantined(10)).toHaveLength(1)
  })

  it('gives an aggregator its branches again', async () => {
    const world = new World()
    let isBroken = true
    const blueprint = new Blueprint('fan')
      .state('start', { start: true }, ({ actions }) => {
        actions.dispatchParallel({ tasks: [{ type: 'resize' }], aggregateInto: 'collect' })
      })
      .aggregator('collect', { end: true }, ({ branches }) => {
        if (isBroken) throw new Error('no luck')
        return { outs: branches.map(({ data }) => data) }
      })
    const engine = world.engine(blueprint)
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, blueprint)
    await worker.report(await worker.take(), { data: { out: 1 } })
    await world.clock.advance(10_000)
    expect(await world.job(jobId)).toMatchObject({ status: 'quarantined', state: 'collect' })
    isBroken = false
    await engine.desk.retry(jobId, null)
    await world.clock.advance(0)
    expect(await world.job(jobId)).toMatchObject({ result: { outs: [{ out: 1 }] } })
  })

  it('is not ended at once by deadlines that passed while the job lay there', async () => {
    const limits = { jobTimeoutMs: 60_000, resultTimeoutMs: 60_000, dispatchTimeoutMs: 60_000 }
    const { world, engine, worker, jobId } = await scene(limits)
    await world.pass(86_400_000, 3_600_000)
    await engine.desk.retry(jobId, null)
    await world.clock.advance(1_000)
    expect(await world.job(jobId)).toMatchObject({ status: 'waiting_for_worker' })
    const again = await Hand.hire(engine, worker.workerId)
    await again.report(await again.take())
    expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
  })

  it('takes no late result of the attempt that failed', async () => {
    const world = new World()
    const engine = world.engine(sized())
    const slow = await Hand.hire(engine, 'slow')
    const jobId = await create(engine, sized(), { initialData: { width: 1 } })
    for (let i = 1; i <= 4; i += 1) {
      await (i === 1 ? slow : await Hand.hire(engine, `w-${String(i)}`)).take()
      await world.clock.advance(2 * world.settings.workerHealthIntervalMs + 1_000)
    }
    expect(await world.job(jobId)).toMatchObject({ status: 'quarantined' })
    await engine.desk.retry(jobId, null)
    await world.clock.advance(0)
    const late = { jobId, taskId: `task-${jobId}-3-1` }
    expect(await slow.report(late)).toEqual({ kind: 'ignored', reason: 'stale_task' })
    expect(await world.job(jobId)).toMatchObject({ status: 'waiting_for_worker' })
  })

  it('is refused with data that the blueprint does not take, and changes nothing', async () => {
    const input = z.object({ width: z.number() })
    const { world, engine, jobId } = await scene({}, sizedBy(new Blueprint('order', { input })))
    const before = await world.job(jobId)
    await expect(engine.desk.retry(jobId, { width: 'wide' })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('initial_data.width: '),
    })
    expect(await world.job(jobId)).toEqual(before)
    await engine.desk.retry(jobId, { width: 3 })
    expect(await world.job(jobId)).toMatchObject({ initialData: { width: 3 } })
  })

  it('takes data that its schema has turned into something else', async () => {
    const input = z.object({ width: z.string().transform(Number) })
    const blueprint = sizedBy(new Blueprint('order', { input }))
    const { world, engine, worker, jobId } = await scene(
      { initialData: { width: '10' } },
      blueprint,
    )
    await engine.desk.retry(jobId, { width: 20 })
    await settled()
    expect((await worker.take()).params).toEqual({ width: 20 })
    expect(await world.job(jobId)).toMatchObject({ initialData: { width: 20 } })
  })

  it('is refused with data that are too large', async () => {
    const world = new World({ settings: { maxDataBytes: 100 } })
    const engine = world.engine(oneTask())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, oneTask())
    await worker.report(await worker.take(), PERMANENT)
    await expect(engine.desk.retry(jobId, { text: 'x'.repeat(100) })).rejects.toMatchObject({
      code: 'DATA_TOO_LARGE',
    })
    expect(await world.job(jobId)).toMatchObject({ status: 'quarantined' })
  })

  it('is for a quarantined job of one’s own, and happens once', async () => {
    const { engine, jobId } = await scene()
    const live = await create(engine, sized(), { initialData: { width: 1 } })
    const missing = { code: 'JOB_NOT_FOUND' }
    await expect(engine.desk.retry('none', null)).rejects.toMatchObject(missing)
    await expect(engine.desk.retry(jobId, null, STRANGER.clientId)).rejects.toMatchObject(missing)
    await expect(engine.desk.retry(live, null)).rejects.toMatchObject({
      code: 'NOT_QUARANTINED',
      message: expect.stringContaining('waiting_for_worker'),
    })
    const twice = await Promise.allSettled([1, 2].map(() => engine.desk.retry(jobId, null)))
    expect(twice.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
  })
})

describe('a job that is given up', () => {
  it('counts as failed, leaves the quarantine, and tells nobody a second time', async () => {
    const { world, engine, jobId } = await scene()
    await engine.desk.discard(jobId, OWNER.clientId)
    await world.clock.advance(60_000)
    expect(await world.job(jobId)).toMatchObject({
      status: 'failed',
      error: { code: 'PERMANENT_ERROR' },
    })
    expect(await engine.listQuarantined(10)).toEqual([])
    expect(world.calls(jobId)).toEqual([['job_quarantined', 'quarantined']])
    expect((await world.records(jobId)).at(-1)).toBe('job_discarded')
    for (const act of [engine.desk.discard(jobId), engine.desk.retry(jobId, null)]) {
      await expect(act).rejects.toMatchObject({ code: 'NOT_QUARANTINED' })
    }
  })

  it('is one’s own', async () => {
    const { world, engine, jobId } = await scene()
    await expect(engine.desk.discard(jobId, STRANGER.clientId)).rejects.toMatchObject({
      code: 'JOB_NOT_FOUND',
    })
    expect(await world.job(jobId)).toMatchObject({ status: 'quarantined' })
  })
})

// Worker data of any size made one job's document grow without bound.
describe('data that are too large', () => {
  const large = (bytes: number): object => ({ data: { text: 'x'.repeat(bytes) } })
  const refusal = {
    code: 'DATA_TOO_LARGE',
    message: expect.stringMatching(/limit is 1000 \(MAX_DATA_BYTES\).*into files/),
  }

  async function small(): Promise<Scene & { readonly blueprint: Blueprint }> {
    const blueprint = oneTask()
    const world = new World({ settings: { maxDataBytes: 1_000 } })
    const engine = world.engine(blueprint)
    const worker = await Hand.hire(engine)
    return { world, engine, worker, blueprint, jobId: await create(engine, blueprint) }
  }

  it('of a result are told to its worker, and set the job aside; sent again, it is answered', async () => {
    const { world, worker, jobId } = await small()
    const task = await worker.take()
    const said = large(1_000) as Record<string, unknown>
    await expect(worker.report(task, said)).rejects.toMatchObject(refusal)
    const aside = await world.job(jobId)
    expect(aside).toMatchObject({
      status: 'quarantined',
      stateHistory: {},
      error: { code: 'PERMANENT_ERROR', message: expect.stringContaining('MAX_DATA_BYTES') },
    })
    const answer = { taskId: task.taskId, transition: 'failure_handled' }
    expect(await worker.report(task, said)).toEqual({ kind: 'repeated', answer })
    expect(await worker.report(task)).toEqual({ kind: 'repeated', answer })
    expect(await world.job(jobId)).toEqual(aside)
  })

  it('are counted as they are written: in bytes, not in letters', async () => {
    const { world, worker, jobId } = await small()
    const task = await worker.take()
    await expect(worker.report(task, { data: { text: 'ä'.repeat(600) } })).rejects.toMatchObject(
      refusal,
    )
    expect(await world.job(jobId)).toMatchObject({ status: 'quarantined' })
  })

  it('of a result that fits exactly are taken', async () => {
    const { world, worker, jobId } = await small()
    const bytes = 1_000 - JSON.stringify({ text: '' }).length
    await worker.report(await worker.take(), large(bytes) as Record<string, unknown>)
    expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
  })

  it('of a result of a stranger, or too late, are ignored like any', async () => {
    const { world, engine, worker, jobId } = await small()
    const task = await worker.take()
    const thief = await Hand.hire(engine, 'thief')
    const said = large(1_000) as Record<string, unknown>
    expect(await thief.report(task, said)).toEqual({ kind: 'ignored', reason: 'worker_mismatch' })
    await engine.cancelJob(jobId)
    expect(await worker.report(task, said)).toEqual({ kind: 'ignored', reason: 'job_cancelled' })
    expect(await world.job(jobId)).toMatchObject({ status: 'cancelled' })
  })

  it('of a branch make a failed branch, which the aggregator sees', async () => {
    const world = new World({ settings: { maxDataBytes: 1_000 } })
    const blueprint = new Blueprint('fan')
      .state('start', { start: true }, ({ actions }) => {
        const tasks = [{ type: 'resize' }, { type: 'resize' }]
        actions.dispatchParallel({ tasks, aggregateInto: 'collect' })
      })
      .aggregator('collect', { end: true }, ({ branches }) => ({
        codes: branches.map(({ status, error }) => error?.code ?? status),
      }))
    const engine = world.engine(blueprint)
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, blueprint)
    const [one, two] = (await worker.poll(0, { max: 2 })).map(({ task }) => task)
    if (one === undefined || two === undefined) throw new Error('There are two branches.')
    const said = large(1_000) as Record<string, unknown>
    await expect(worker.report(one, said)).rejects.toMatchObject(refusal)
    await worker.report(two)
    expect(await world.job(jobId)).toMatchObject({
      status: 'finished',
      result: { codes: ['PERMANENT_ERROR', 'success'] },
    })
  })

  it('of a new job are refused, and no job is made', async () => {
    const { world, engine, blueprint } = await small()
    const { data } = large(1_000) as { data: object }
    await expect(create(engine, blueprint, { initialData: data })).rejects.toMatchObject(refusal)
    await expect(
      create(engine, blueprint, { metadata: { text: 'x'.repeat(1_000) } }),
    ).rejects.toMatchObject(refusal)
    expect(await world.storage.findJob('job-2')).toBeUndefined()
  })

  it('of all results of a job together set it aside, where an operator can look at it', async () => {
    const rules = { ...SETTINGS.rules, maxJobDataBytes: 2_500 }
    const world = new World({ settings: { rules } })
    const blueprint = new Blueprint('order')
      .state('start', { start: true, to: ['start'] }, ({ actions, stateHistory }) => {
        const n = Object.keys(stateHistory).length
        actions.dispatchTask({ type: 'resize', params: { n }, transitions: { success: 'start' } })
      })
      .state('never', { end: true })
    const engine = world.engine(blueprint)
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, blueprint)
    for (let i = 0; i < 3; i += 1) {
      expect(await world.job(jobId)).toMatchObject({ status: 'waiting_for_worker' })
      await worker.report(await worker.take(), {
        data: { [`text${String(i)}`]: 'x'.repeat(1_000) },
      })
    }
    const aside = await world.job(jobId)
    expect(aside).toMatchObject({
      status: 'quarantined',
      error: { code: 'DATA_TOO_LARGE', message: expect.stringContaining('maxJobDataBytes') },
    })
    expect(Object.keys(aside.stateHistory)).toEqual(['text0', 'text1'])
  })
})
