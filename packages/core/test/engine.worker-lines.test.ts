/** Hand-overs in two phases, and what is told between engines, under a clock that moves by hand. */
import { describe, expect, it } from 'vitest'
import type { Engine } from '../src/engine/engine.ts'
import type { HandedTask } from '../src/engine/dispatch/handed-task.ts'
import { JobReader } from '../src/engine/lines/job-reader.ts'
import type { LiveConnection } from '../src/engine/lines/live-connections.ts'
import type { Hint } from '../src/ports/hint.ts'
import { SimulatedClock } from '../src/testing/simulated-clock.ts'
import { aJob } from '../src/testing/builders.ts'
import { create, Hand, oneTask, World } from './support/engine-world.ts'
import { openStorage, overlay, settled } from './support/storage-under-test.ts'

/** A worker that acknowledges, and a task that has just left for it. */
async function handed(
  engine: Engine,
): Promise<{ readonly hand: Hand; readonly jobId: string; readonly tasks: readonly HandedTask[] }> {
  const hand = await Hand.hire(engine, 'w-1', { features: ['acks'] })
  const jobId = await create(engine, oneTask())
  const tasks = await hand.poll()
  await engine.lines.handed(tasks, 'w-1')
  expect(tasks).toHaveLength(1)
  return { hand, jobId, tasks }
}

const idOf = (tasks: readonly HandedTask[]): string => tasks[0]?.task.taskId ?? ''

describe('a task that was handed over', () => {
  it('and not acknowledged within 5 s is offered again and costs no retry (W8)', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const { hand, jobId, tasks } = await handed(engine)
    await world.clock.advance(4_900)
    expect(await hand.poll()).toEqual([])
    // For a second every other worker goes first.
    await world.clock.advance(1_200)
    const again = await hand.poll()
    expect(again).toMatchObject([{ task: { jobId } }])
    expect(idOf(again)).not.toBe(idOf(tasks))
    expect((await world.job(jobId)).wait).toMatchObject({ retries: 0 })
  })

  it.each(['ack', 'heartbeat', 'result'] as const)(
    'stays where it is after an %s',
    async (word) => {
      const world = new World()
      const engine = world.engine(oneTask())
      const { hand, jobId, tasks } = await handed(engine)
      const task = tasks[0]?.task ?? { jobId: '', taskId: '' }
      if (word === 'ack') expect(await engine.lines.acknowledge('w-1', [task.taskId])).toEqual([])
      if (word === 'heartbeat') await hand.beat({ current_tasks: [task.taskId] })
      if (word === 'result') await hand.report(task, { status: 'success' })
      await world.clock.advance(20_000)
      expect(await hand.poll()).toEqual([])
      const expected = word === 'result' ? 'finished' : 'waiting_for_worker'
      expect((await world.job(jobId)).status).toBe(expected)
      expect(world.warnings.filter((said) => said.includes('not acknowledged'))).toEqual([])
    },
  )

  it('may be acknowledged to another engine', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const other = world.engine(oneTask())
    const { hand, tasks } = await handed(engine)
    await other.lines.acknowledge('w-1', [idOf(tasks)])
    await world.clock.advance(20_000)
    expect(await hand.poll()).toEqual([])
  })

  it('is not acknowledged by a worker that does not hold it, whatever that says', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const { hand, jobId, tasks } = await handed(engine)
    const other = await Hand.hire(engine, 'w-2')
    const task = { jobId, taskId: idOf(tasks) }
    expect(await engine.lines.acknowledge('w-2', [task.taskId])).toEqual([task.taskId])
    await other.report(task, { data: {} })
    // 5 s, and one in which others would go first.
    await world.clock.advance(7_000)
    expect(await hand.poll()).toMatchObject([{ task: { jobId } }])
  })

  it('is taken back when the store, which was away, can be asked again', async () => {
    let isAway = false
    const inner = openStorage()
    const storage = overlay(inner, {
      findWorker: (query) => (isAway ? Promise.reject(new Error('away')) : inner.findWorker(query)),
    })
    const world = new World({ storage })
    const engine = world.engine(oneTask())
    const { hand, jobId } = await handed(engine)
    isAway = true
    await world.clock.advance(5_500)
    isAway = false
    await world.clock.advance(2_000)
    expect(await hand.poll()).toMatchObject([{ task: { jobId } }])
  })

  it('is offered again at no retry, too, when who handed it over is no more (W8)', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const other = world.engine(oneTask())
    const { jobId, tasks } = await handed(engine)
    const stopped = engine.stop(0)
    await world.clock.advance(9_000)
    await stopped
    const hand = new Hand(other, 'w-1')
    // It lives, and lists nothing; that acknowledges nothing.
    await hand.beat()
    expect(await hand.poll()).toEqual([])
    await world.clock.advance(3_000)
    const again = await hand.poll()
    expect(again).toMatchObject([{ task: { jobId } }])
    expect(idOf(again)).not.toBe(idOf(tasks))
    expect((await world.job(jobId)).wait).toMatchObject({ retries: 0 })
    expect((await other.fleet.list())[0]?.reputation).toBe(1)
    await hand.report(again[0]?.task ?? { jobId, taskId: '' }, { status: 'success' })
    expect((await world.job(jobId)).status).toBe('finished')
  })

  it('is offered again even if its job never heard of the hand-over', async () => {
    const inner = openStorage()
    let isCut = false
    const storage = overlay(inner, {
      claimTasks: async (claim) => {
        const claimed = await inner.claimTasks(claim)
        if (isCut) throw new Error('the process ends here')
        return claimed
      },
    })
    const dying = new World({ storage })
    const engine = dying.engine(oneTask())
    const hand = await Hand.hire(engine, 'w-1', { features: ['acks'] })
    const jobId = await create(engine, oneTask())
    isCut = true
    await expect(hand.poll()).rejects.toThrow('ends here')
    isCut = false
    await dying.clock.advance(12_000)
    expect(await hand.poll()).toMatchObject([{ task: { jobId } }])
    expect((await dying.job(jobId)).wait).toMatchObject({ retries: 0 })
  })

  it('is its worker’s for a full lease, once it is acknowledged', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const acking = await Hand.hire(engine, 'w-1', { features: ['acks'] })
    const plain = await Hand.hire(engine, 'w-2')
    const leases: number[] = []
    for (const hand of [acking, plain]) {
      await create(engine, oneTask())
      const [claimed] = await hand.poll()
      const waiting = hand.poll(60_000)
      await create(engine, oneTask())
      const [handedOver] = await waiting
      for (const each of [claimed, handedOver]) leases.push(each?.leaseExpiresAt ?? 0)
    }
    expect(new Set(leases).size).toBe(1)
    expect(leases[0]).toBeGreaterThan(world.clock.now() + 20_000)
  })

  it('to a worker that does not acknowledge is not waited for', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const hand = await Hand.hire(engine, 'w-1')
    await create(engine, oneTask())
    await engine.lines.handed(await hand.poll(), 'w-1')
    await world.clock.advance(20_000)
    expect(await hand.poll()).toEqual([])
  })
})

describe('workers are told to stop', () => {
  it('when a task is cancelled, times out or is lost, and not when it is done', async () => {
    const storage = openStorage()
    const world = new World({ storage })
    const hints: Hint[] = []
    storage.onHint((hint) => void (hint.kind === 'withdrawn' && hints.push(hint)))
    const engine = world.engine(oneTask())
    const hand = await Hand.hire(engine, 'w-1', { max_concurrent_tasks: 10 })
    const withdrawn = (): unknown[] => hints.splice(0)
    const take = async (): Promise<HandedTask['task']> => {
      await create(engine, oneTask())
      return hand.take()
    }
    await hand.report(await take(), { status: 'success' })
    await hand.report(await take(), { status: 'failure', error: { code: 'PERMANENT_ERROR' } })
    expect(withdrawn()).toEqual([])
    const cancelled = await take()
    await engine.cancelJob(cancelled.jobId)
    await settled()
    const told = { kind: 'withdrawn', workerId: 'w-1' }
    expect(withdrawn()).toMatchObject([
      { ...told, taskId: cancelled.taskId, jobId: cancelled.jobId },
    ])
    const lost = await take()
    await hand.beat({ status: 'offline' })
    await world.clock.advance(10)
    expect(withdrawn()).toMatchObject([{ ...told, taskId: lost.taskId }])
  })
})

describe('connections', () => {
  class Line implements LiveConnection {
    isReplaced = false
    readonly withdrawn: string[] = []
    withdraw({ taskId }: { readonly taskId: string }): void {
      this.withdrawn.push(taskId)
    }
    replace(): void {
      this.isReplaced = true
    }
  }

  it('that are opened at two engines at the same time: one of them stays', async () => {
    const world = new World()
    const engines = [world.engine(oneTask()), world.engine(oneTask())]
    const lines = engines.map(({ lines: { connections } }) => {
      const line = new Line()
      connections.add('w-1', line)
      return line
    })
    await settled()
    expect(lines.filter(({ isReplaced }) => !isReplaced)).toHaveLength(1)
    expect(engines.map(({ lines: each }) => each.connections.size).toSorted()).toEqual([0, 1])
  })
})

describe('a reader of a stream', () => {
  it('that has too much unread is told so last, and cut off when it does not even read that', async () => {
    const clock = new SimulatedClock()
    let closed = 0
    const reader = new JobReader(clock, () => void (closed += 1))
    for (let n = 0; n < 600; n += 1) reader.push({ kind: 'status', job: aJob() })
    expect(closed).toBe(1)
    await clock.advance(9_999)
    expect(reader.cut.aborted).toBe(false)
    await clock.advance(1)
    expect(reader.cut.aborted).toBe(true)
    let last
    while (!reader.isDone) last = await reader.next(0)
    expect(last).toEqual({ kind: 'end', reason: 'too_slow' })
  })
})
