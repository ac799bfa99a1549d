import { describe, expect, it } from 'vitest'
import { Blueprint } from '../src/blueprint/blueprint.ts'
import type { ApprovalOptions } from '../src/blueprint/actions.ts'
import { ApprovalLinks } from '../src/engine/jobs/approval-links.ts'
import type { Engine } from '../src/engine/engine.ts'
import type { Approval } from '../src/job/wait.ts'
import { create, Hand, oneTask, SETTINGS, World } from './support/engine-world.ts'
import { openStorage, overlay } from './support/storage-under-test.ts'

/** Asks whether to pay, and ends with what was said. */
function asking(options: Partial<ApprovalOptions> = {}): Blueprint {
  return new Blueprint('asking')
    .state('start', { start: true, to: ['paid', 'refused', 'late'] }, ({ actions }) => {
      const transitions = { approved: 'paid', rejected: 'refused' }
      actions.awaitHumanApproval({
        integration: 'mail',
        message: 'Pay 300?',
        transitions,
        ...options,
      })
    })
    .state('paid', { end: true }, ({ approval }) => ({ ...approval }))
    .state('refused', { end: 'failed' }, ({ approval }) => ({ ...approval }))
    .state('late', { end: 'failed' }, ({ approval }) => ({ approval: approval ?? null }))
}

const SAID: Omit<Approval, 'decidedAt'> = {
  decision: 'approved',
  actor: 'ann',
  comment: 'fine with me',
  data: { limit: 500 },
}

function decide(
  engine: Engine,
  jobId: string,
  said: Partial<typeof SAID> = {},
  approvalId?: string,
): Promise<void> {
  return engine.desk.decide({ jobId, approvalId, approval: { ...SAID, ...said } })
}

// D-33: no timeout, no actor, no comment, nobody was told, and two decisions raced.
describe('a decision', () => {
  it('moves the job on, with who took it, and stays in its history (D-33)', async () => {
    const world = new World()
    const engine = world.engine(asking())
    const jobId = await create(engine, asking(), { webhookUrl: 'https://host/hook' })
    expect(await world.job(jobId)).toMatchObject({ status: 'waiting_for_human', state: 'start' })
    await world.pass(3_600_000)
    const decidedAt = world.clock.now()
    await decide(engine, jobId)
    await world.clock.advance(0)
    expect(await world.job(jobId)).toMatchObject({
      status: 'finished',
      state: 'paid',
      result: { ...SAID, decidedAt },
    })
    const rows = await world.history.ofJob(jobId)
    expect(rows.filter(({ type }) => type.startsWith('approval_'))).toMatchObject([
      {
        type: 'approval_requested',
        details: { message: 'Pay 300?', decisions: ['approved', 'rejected'] },
      },
      { type: 'approval_decided', details: { ...SAID } },
    ])
    expect(world.calls(jobId)).toEqual([['job_finished', 'finished']])
  })

  it('is taken once: of two at the same time, one is refused (D-33)', async () => {
    const world = new World()
    const [one, two] = [world.engine(asking()), world.engine(asking())]
    const jobId = await create(one, asking())
    const fates = await Promise.allSettled([
      decide(one, jobId),
      decide(two, jobId, { decision: 'rejected' }),
    ])
    const refused = fates.flatMap((fate) => (fate.status === 'rejected' ? [fate.reason] : []))
    expect(refused).toMatchObject([{ code: 'NOT_APPROVABLE' }])
    await world.clock.advance(0)
    expect((await world.records(jobId)).filter((type) => type === 'approval_decided')).toHaveLength(
      1,
    )
  })

  it.each(['maybe', 'constructor', 'toString', ''])(
    'is refused when it is %j, which nobody declared; the job goes on waiting',
    async (decision) => {
      const world = new World()
      const engine = world.engine(asking())
      const jobId = await create(engine, asking())
      const before = await world.job(jobId)
      await expect(decide(engine, jobId, { decision })).rejects.toMatchObject({
        code: 'DECISION_INVALID',
        message: expect.stringContaining('possible are: approved, rejected'),
      })
      expect(await world.job(jobId)).toEqual(before)
    },
  )

  // D-33: a job that waited for a worker could be moved along that worker's transitions.
  it('is refused for a job that does not wait for a person (D-33)', async () => {
    const world = new World()
    const engine = world.engine(oneTask(), asking())
    await Hand.hire(engine)
    const working = await create(engine, oneTask())
    const ended = await create(engine, asking())
    await engine.cancelJob(ended)
    for (const jobId of [working, ended]) {
      await expect(decide(engine, jobId, { decision: 'success' })).rejects.toMatchObject({
        code: 'NOT_APPROVABLE',
      })
    }
    await expect(decide(engine, 'none')).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' })
    expect(await world.job(working)).toMatchObject({ status: 'waiting_for_worker' })
  })

  it('is refused when its data are too large', async () => {
    const world = new World({ settings: { maxDataBytes: 100 } })
    const engine = world.engine(asking())
    const jobId = await create(engine, asking())
    const data = { text: 'x'.repeat(100) }
    await expect(decide(engine, jobId, { data })).rejects.toMatchObject({ code: 'DATA_TOO_LARGE' })
    expect(await world.job(jobId)).toMatchObject({ status: 'waiting_for_human' })
  })

  it('that nobody takes in time leads where the request says, or fails the job (D-33)', async () => {
    const world = new World()
    const leading = asking({ timeout: 3_600, onTimeout: 'late' })
    const engine = world.engine(leading)
    const jobId = await create(engine, leading)
    await world.pass(3_599_999)
    expect(await world.job(jobId)).toMatchObject({ status: 'waiting_for_human' })
    await world.clock.advance(1)
    expect(await world.job(jobId)).toMatchObject({ state: 'late', result: { approval: null } })
    expect(await world.records(jobId)).toContain('approval_expired')
    await expect(decide(engine, jobId)).rejects.toMatchObject({ code: 'NOT_APPROVABLE' })
  })

  it('without a way for nobody to decide fails the job when time is up', async () => {
    const world = new World()
    const failing = asking({ timeout: 3_600 })
    const engine = world.engine(failing)
    const jobId = await create(engine, failing)
    await world.pass(3_600_000)
    expect(await world.job(jobId)).toMatchObject({
      status: 'failed',
      error: { code: 'TIMEOUT_ERROR', message: 'Nobody decided in time: Pay 300?' },
    })
  })
})

describe('a link to decide with', () => {
  const links = new ApprovalLinks('secret')

  const asksTwice = (): Blueprint =>
    new Blueprint('twice')
      .state('start', { start: true }, ({ actions }) => {
        const transitions = { approved: 'second' }
        actions.awaitHumanApproval({ integration: 'mail', message: '?', transitions, timeout: 60 })
      })
      .state('second', ({ actions }) => {
        const transitions = { approved: 'done' }
        actions.awaitHumanApproval({ integration: 'mail', message: 'Sure?', transitions })
      })
      .state('done', { end: true })

  async function tokens(world: World, jobId: string): Promise<Readonly<Record<string, string>>> {
    const { wait } = await world.job(jobId)
    if (wait?.for !== 'approval') throw new Error(`Job ${jobId} waits for no person.`)
    return links.tokensOf(jobId, wait, world.clock.now())
  }

  it('stands for one decision of one request, so that it works once', async () => {
    const world = new World()
    const engine = world.engine(asksTwice())
    const jobId = await create(engine, asksTwice())
    const { approved = '' } = await tokens(world, jobId)
    const use = async (token: string): Promise<void> => {
      const { approvalId, decision } = links.open(token, jobId, world.clock.now())
      await decide(engine, jobId, { decision }, approvalId)
    }
    await use(approved)
    await world.clock.advance(0)
    expect(await world.job(jobId)).toMatchObject({ status: 'waiting_for_human', state: 'second' })
    await expect(use(approved)).rejects.toMatchObject({
      code: 'NOT_APPROVABLE',
      message: expect.stringContaining('earlier request'),
    })
    expect(await world.job(jobId)).toMatchObject({ state: 'second' })
    await use((await tokens(world, jobId))['approved'] ?? '')
    await world.clock.advance(0)
    expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
  })

  it('lives as long as its request, is for its job alone, and cannot be forged', async () => {
    const world = new World()
    const engine = world.engine(asksTwice())
    const jobId = await create(engine, asksTwice())
    const { approved = '' } = await tokens(world, jobId)
    const now = world.clock.now()
    const refused = expect.objectContaining({ code: 'INVALID_TOKEN' })
    const open =
      (token: string, job = jobId, at = now) =>
      () =>
        links.open(token, job, at)
    expect(open(approved, jobId, now + 59_999)()).toMatchObject({ jobId, decision: 'approved' })
    expect(open(approved, jobId, now + 60_000)).toThrow(refused)
    expect(open(approved, 'job-2')).toThrow(refused)
    const [said = '', signature = ''] = approved.split('.')
    const other = Buffer.from(said, 'base64url').toString().replace('approved', 'rejected')
    const forged = `${Buffer.from(other).toString('base64url')}.${signature}`
    for (const token of [forged, said, `${said}.`, '', '.', `.${signature}`]) {
      expect(open(token)).toThrow(refused)
    }
    const elsewhere = new ApprovalLinks('another secret')
    expect(() => elsewhere.open(approved, jobId, now)).toThrow(refused)
  })
})

describe('a sleep', () => {
  const sleeper = (): Blueprint =>
    new Blueprint('sleeper')
      .state('start', { start: true, to: ['done'] }, ({ actions, until }) => {
        if (typeof until === 'number') actions.sleep({ until: new Date(until), next: 'done' })
        else actions.sleep({ seconds: 3_600, next: 'done' })
      })
      .state('done', { end: true })

  it('ends at its time, not before, and costs no retry and no step meanwhile', async () => {
    const world = new World()
    const engine = world.engine(sleeper())
    const jobId = await create(engine, sleeper())
    const asleep = await world.job(jobId)
    expect(asleep).toMatchObject({ status: 'sleeping', wait: { for: 'sleep' } })
    await world.pass(3_599_999)
    expect(await world.job(jobId)).toEqual(asleep)
    await world.clock.advance(1)
    expect(await world.job(jobId)).toMatchObject({
      status: 'finished',
      finishedAt: world.clock.now(),
    })
  })

  it('survives the engine: a new one on the same storage wakes the job in time', async () => {
    const world = new World()
    const engine = world.engine(sleeper())
    const jobId = await create(engine, sleeper())
    await world.clock.advance(600_000)
    await engine.stop()
    await world.clock.advance(600_000)
    world.engine(sleeper())
    await world.clock.advance(2_399_999)
    expect(await world.job(jobId)).toMatchObject({ status: 'sleeping' })
    await world.clock.advance(1)
    expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
  })

  it('that ended while no engine was there ends with the next one', async () => {
    const world = new World()
    const engine = world.engine(sleeper())
    const jobId = await create(engine, sleeper())
    await engine.stop()
    await world.clock.advance(86_400_000)
    world.engine(sleeper())
    await world.clock.advance(0)
    expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
  })

  it('until a moment that has passed is none', async () => {
    const world = new World()
    const engine = world.engine(sleeper())
    const until = world.clock.now() - 60_000
    const jobId = await create(engine, sleeper(), { initialData: { until } })
    await world.clock.advance(0)
    expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
  })

  it('that begins while the watcher looks ends in time all the same', async () => {
    const inner = openStorage()
    let goOn = (): void => undefined
    const held = new Promise<void>((resolve) => (goOn = resolve))
    const storage = overlay(inner, {
      nextDueAt: async () => {
        const due = await inner.nextDueAt()
        await held
        return due
      },
    })
    const world = new World({ storage })
    const engine = world.engine(sleeper())
    const until = world.clock.now() + 200
    const jobId = await create(engine, sleeper(), { initialData: { until } })
    goOn()
    await world.clock.advance(200)
    expect(await world.job(jobId)).toMatchObject({ status: 'finished' })
  })

  it('ends with its job, and leaves no timer behind', async () => {
    const world = new World()
    const engine = world.engine(sleeper())
    const jobId = await create(engine, sleeper())
    await engine.cancelJob(jobId)
    expect(await world.storage.nextDueAt()).toBeUndefined()
    await world.pass(3_600_000)
    expect(await world.job(jobId)).toMatchObject({ status: 'cancelled', state: 'start' })
  })
})

// D-37: there was no deadline for a job as a whole.
describe('a job’s own timeout', () => {
  const pauses = {
    maxRetries: 3,
    backoff: { initialMs: 3.6e6, factor: 1, maxMs: 3.6e6, jitter: 0 },
  }
  const ways: [string, (blueprint: Blueprint) => Blueprint][] = [
    [
      'waits for a worker',
      (b) =>
        b.state('start', { start: true }, ({ actions }) => {
          actions.dispatchTask({ type: 'crop', transitions: { success: 'done' } })
        }),
    ],
    [
      'waits for branches',
      (b) =>
        b.state('start', { start: true }, ({ actions }) => {
          actions.dispatchParallel({ tasks: [{ type: 'crop' }], aggregateInto: 'done' })
        }),
    ],
    [
      'waits for a person',
      (b) =>
        b.state('start', { start: true }, ({ actions }) => {
          const transitions = { yes: 'done' }
          actions.awaitHumanApproval({ integration: 'mail', message: '?', transitions })
        }),
    ],
    [
      'waits for a child',
      (b) =>
        b.state('start', { start: true }, ({ actions }) => {
          actions.runBlueprint({ name: 'order', transitions: { success: 'done' } })
        }),
    ],
    [
      'waits for an event',
      (b) =>
        b.state('start', { start: true }, ({ actions }) => {
          actions.waitForEvent({ name: 'paid', transitions: { received: 'done' } })
        }),
    ],
    [
      'sleeps',
      (b) =>
        b.state('start', { start: true }, ({ actions }) => {
          actions.sleep({ seconds: 3_600, next: 'done' })
        }),
    ],
    [
      'is about to be tried again',
      (b) =>
        b.state('start', { start: true, to: ['done'] }, () => {
          throw new Error('no luck')
        }),
    ],
    [
      'runs its handler',
      (b) => b.state('start', { start: true, to: ['done'] }, () => new Promise(() => undefined)),
    ],
  ]

  it.each(ways)(
    'fails it while it %s, at its time and not before (D-37)',
    async (_what, declare) => {
      const world = new World({ settings: { rules: { ...SETTINGS.rules, retry: pauses } } })
      const blueprint = declare(new Blueprint('b', { timeout: 60 })).state('done', { end: true })
      const engine = world.engine(blueprint, oneTask())
      const jobId = await create(engine, blueprint, { webhookUrl: 'https://host/hook' })
      await world.clock.advance(59_999)
      const before = await world.job(jobId)
      expect(before.finishedAt).toBeNull()
      await world.clock.advance(1)
      expect(await world.job(jobId)).toMatchObject({
        status: 'failed',
        state: 'start',
        error: {
          code: 'TIMEOUT_ERROR',
          message:
            'The job did not end within 60 s of its creation (job timeout); it was in state ' +
            `'start' with status ${before.status}.`,
        },
      })
      expect(world.calls(jobId)).toEqual([['job_failed', 'failed']])
      expect(await world.storage.countOfferedTasks()).toBe(0)
      expect(await world.storage.nextDueAt()).toBeUndefined()
    },
  )

  it('is what its creator says, before what its blueprint says', async () => {
    const world = new World()
    const blueprint = new Blueprint('b', { timeout: 60 })
      .state('start', { start: true }, ({ actions }) => {
        actions.sleep({ seconds: 3_600, next: 'done' })
      })
      .state('done', { end: true })
    const engine = world.engine(blueprint)
    const jobId = await create(engine, blueprint, { jobTimeoutMs: 10_000 })
    await world.clock.advance(10_000)
    expect(await world.job(jobId)).toMatchObject({ status: 'failed' })
  })

  it('does not touch a job that ended before, and leaves no timer', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, oneTask(), { jobTimeoutMs: 60_000 })
    await worker.report(await worker.take())
    const ended = await world.job(jobId)
    expect(await world.storage.nextDueAt()).toBeUndefined()
    await world.clock.advance(60_000)
    expect(await world.job(jobId)).toEqual(ended)
  })

  it('tells the worker of the task with its next heartbeat, whose result is late', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const worker = await Hand.hire(engine)
    const jobId = await create(engine, oneTask(), { jobTimeoutMs: 60_000 })
    const task = await worker.take()
    await world.clock.advance(60_000)
    expect(await worker.beat({ current_tasks: [task.taskId] })).toEqual([task.taskId])
    expect(await worker.report(task)).toEqual({ kind: 'ignored', reason: 'deadline_exceeded' })
    expect(await world.job(jobId)).toMatchObject({ status: 'failed' })
  })
})
