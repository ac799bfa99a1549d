/** Random histories on MemoryStorage, compared with a model that scans lists and is plainly right. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Effect } from '../src/job/effect.ts'
import { MemoryStorage } from '../src/memory/index.ts'
import type { CommitEntry } from '../src/ports/storage.ts'
import { aJob, aTask, T0 } from '../src/testing/index.ts'

const LEASE_MS = 10
const HOLDERS = ['a', 'b', 'c']
const CLASSES = ['x', 'y']

interface Item {
  readonly id: string
  readonly jobId: string
  readonly type: string
  readonly priority: number
  readonly order: number
  holder: string | null
  until: number
  isLost: boolean
}

/** Steps, tasks, deadlines and versions, kept in plain lists. */
class Model {
  versions = new Map<string, number>()
  steps: Item[] = []
  tasks: Item[] = []
  deadlines: { jobId: string; at: number; until: number }[] = []
  #orders = 0

  commit({ job, expectedVersion, effects }: CommitEntry): string {
    if ((this.versions.get(job.id) ?? 0) !== expectedVersion) return 'conflict'
    this.versions.set(job.id, job.version)
    for (const effect of effects) this.#apply(job.id, effect)
    return 'committed'
  }

  claimSteps(holder: string, now: number, limit: number): string[] {
    const ready = this.steps.filter(({ holder: by, until }) => by === null || until <= now)
    return ready
      .toSorted((a, b) => a.order - b.order)
      .slice(0, limit)
      .map((step) => hold(step, holder, now))
  }

  renewStep(id: string, holder: string, now: number): boolean {
    const step = this.steps.find((s) => s.id === id && s.holder === holder && s.until > now)
    if (step !== undefined) step.until = now + LEASE_MS
    return step !== undefined
  }

  claimTasks(
    holder: string,
    now: number,
    claim: { classIds: string[]; limit: number; capacity: number },
  ): string[] {
    const free = claim.capacity - this.#heldBy(holder, now).length
    return this.tasks
      .filter((task) => task.holder === null && claim.classIds.includes(task.type))
      .toSorted((a, b) => b.priority - a.priority || a.order - b.order)
      .slice(0, Math.max(0, Math.min(free, claim.limit)))
      .map((task) => hold(task, holder, now))
  }

  renewTasks(holder: string, now: number, ids: readonly string[] | 'all'): string[] {
    const held = this.#heldBy(holder, now)
    const renewed = held.filter(({ id }) => ids === 'all' || ids.includes(id))
    for (const task of renewed) task.until = now + LEASE_MS
    return ids === 'all' ? [] : ids.filter((id) => !renewed.some((task) => task.id === id))
  }

  loseTasksOf(holder: string, now: number): void {
    for (const task of this.#heldBy(holder, now)) task.until = now
  }

  claimLost(now: number): string[] {
    const lost = this.tasks.filter(({ holder, until }) => holder !== null && until <= now)
    for (const task of lost) {
      task.isLost = true
      task.until = now + LEASE_MS
    }
    return lost.map(({ id }) => id)
  }

  claimDue(now: number): string[] {
    const due = this.deadlines.filter(({ at, until }) => at <= now && until <= now)
    for (const deadline of due) deadline.until = now + LEASE_MS
    return due.map(({ jobId, at }) => `${jobId}@${String(at)}`)
  }

  #heldBy(holder: string, now: number): Item[] {
    return this.tasks.filter((t) => t.holder === holder && !t.isLost && t.until > now)
  }

  #apply(jobId: string, effect: Effect): void {
    this.#orders += 1
    const free = { jobId, order: this.#orders, holder: null, until: 0, isLost: false }
    if (effect.kind === 'run_step') {
      this.steps.push({ ...free, id: effect.stepId, type: '', priority: 0 })
    } else if (effect.kind === 'withdraw_step') {
      this.steps = this.steps.filter(({ id }) => id !== effect.stepId)
    } else if (effect.kind === 'offer_task') {
      const { taskId, demand, priority } = effect.task
      this.tasks.push({ ...free, id: taskId, type: demand.type, priority })
    } else if (effect.kind === 'withdraw_task') {
      this.tasks = this.tasks.filter(({ id }) => id !== effect.taskId)
    } else if (effect.kind === 'set_deadline') {
      this.deadlines = this.deadlines.filter((d) => d.jobId !== jobId)
      this.deadlines.push({ jobId, at: effect.at, until: 0 })
    } else if (effect.kind === 'clear_deadline') {
      this.deadlines = this.deadlines.filter((d) => d.jobId !== jobId)
    }
  }
}

function hold(item: Item, holder: string, now: number): string {
  item.holder = holder
  item.until = now + LEASE_MS
  return item.id
}

const job = fc.constantFrom('j1', 'j2', 'j3', 'j4')
const holder = fc.constantFrom(...HOLDERS)
const wants = fc.record({
  step: fc.boolean(),
  task: fc.boolean(),
  deadline: fc.constantFrom(null, 0, 5, 25),
  type: fc.constantFrom(...CLASSES),
  priority: fc.integer({ min: 0, max: 2 }),
  isStale: fc.constantFrom(false, false, false, true),
})
const command = fc.oneof(
  fc.record({ kind: fc.constant('commit' as const), job, wants }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 12 }) }),
  fc.record({
    kind: fc.constant('claimSteps' as const),
    holder,
    limit: fc.integer({ min: 0, max: 3 }),
  }),
  fc.record({ kind: fc.constant('renewStep' as const), holder, pick: fc.nat() }),
  fc.record({
    kind: fc.constant('claimTasks' as const),
    holder,
    claim: fc.record({
      classIds: fc.subarray(CLASSES),
      limit: fc.integer({ min: 0, max: 3 }),
      capacity: fc.integer({ min: 0, max: 3 }),
    }),
  }),
  fc.record({
    kind: fc.constant('renewTasks' as const),
    holder,
    picks: fc.option(fc.array(fc.nat(), { maxLength: 3 }), { nil: null }),
  }),
  fc.record({ kind: fc.constant('loseTasksOf' as const), holder }),
  fc.record({ kind: fc.constant('claimLost' as const) }),
  fc.record({ kind: fc.constant('claimDue' as const) }),
)
type Command = typeof command extends fc.Arbitrary<infer C> ? C : never

/** Runs each command on both and compares the answers. */
class Run {
  readonly #storage = new MemoryStorage()
  readonly #model = new Model()
  #now = T0
  #ids = 0

  async do(c: Command): Promise<void> {
    const { now, storage, model } = { now: this.#now, storage: this.#storage, model: this.#model }
    const lease = { now, leaseMs: LEASE_MS }
    const all = { ...lease, limit: 100 }
    switch (c.kind) {
      case 'wait':
        this.#now += c.ms
        return
      case 'commit': {
        const entry = this.#entry(c.job, c.wants)
        const [outcome] = await storage.commit([entry])
        expect(outcome?.kind).toBe(model.commit(entry))
        return
      }
      case 'claimSteps': {
        const steps = await storage.claimSteps({ ...lease, holder: c.holder, limit: c.limit })
        expect(steps.map(({ stepId }) => stepId)).toEqual(model.claimSteps(c.holder, now, c.limit))
        return
      }
      case 'renewStep': {
        const stepId = pick(model.steps, c.pick)
        const renewed = await storage.renewStep({ ...lease, stepId, holder: c.holder })
        expect(renewed).toBe(model.renewStep(stepId, c.holder, now))
        return
      }
      case 'claimTasks': {
        const tasks = await storage.claimTasks({ ...lease, workerId: c.holder, ...c.claim })
        expect(tasks.map(({ task }) => task.taskId)).toEqual(
          model.claimTasks(c.holder, now, c.claim),
        )
        return
      }
      case 'renewTasks': {
        const taskIds =
          c.picks === null ? 'all' : [...new Set(c.picks.map((n) => pick(model.tasks, n)))]
        const dropped = await storage.renewTasks({
          ...lease,
          workerId: c.holder,
          taskIds,
          missingSince: null,
        })
        expect(dropped).toEqual(model.renewTasks(c.holder, now, taskIds))
        return
      }
      case 'loseTasksOf':
        await storage.loseTasksOf({ workerId: c.holder, now })
        model.loseTasksOf(c.holder, now)
        return
      case 'claimLost': {
        const lost = await storage.claimLostTasks(all)
        expect(lost.map(({ taskId }) => taskId).toSorted()).toEqual(model.claimLost(now).toSorted())
        return
      }
      case 'claimDue': {
        const due = await storage.claimDueDeadlines(all)
        const ids = due.map(({ jobId, at }) => `${jobId}@${String(at)}`)
        expect(ids.toSorted()).toEqual(model.claimDue(now).toSorted())
      }
    }
  }

  /** What must hold between any two commands. */
  async check(): Promise<void> {
    const { tasks, deadlines } = this.#model
    expect(await this.#storage.countOfferedTasks()).toBe(
      tasks.filter((t) => t.holder === null).length,
    )
    const times = [
      ...tasks.filter((t) => t.holder !== null).map((t) => t.until),
      ...deadlines.map(({ at, until }) => Math.max(at, until)),
    ]
    const next = times.length === 0 ? undefined : Math.min(...times)
    // A lease on a lost task or deadline that has run out is due now, at whatever moment before.
    const found = await this.#storage.nextDueAt()
    expect(found === undefined ? undefined : Math.max(found, this.#now)).toBe(
      next === undefined ? undefined : Math.max(next, this.#now),
    )
  }

  #entry(id: string, wants: Extract<Command, { kind: 'commit' }>['wants']): CommitEntry {
    const known = this.#model.versions.get(id) ?? 0
    const expectedVersion = wants.isStale ? Math.abs(known - 1) : known
    this.#ids += 1
    const n = String(this.#ids)
    const out = (items: readonly Item[]): readonly Item[] => items.filter((i) => i.jobId === id)
    const effects: Effect[] = [
      ...out(this.#model.steps).map((s): Effect => ({ kind: 'withdraw_step', stepId: s.id })),
      ...out(this.#model.tasks).map((t): Effect => ({ kind: 'withdraw_task', taskId: t.id })),
    ]
    if (wants.step) effects.push({ kind: 'run_step', stepId: `s${n}` })
    if (wants.task) {
      const { type, priority } = wants
      const task = aTask({ taskId: `t${n}`, jobId: id, demand: { type }, priority })
      effects.push({ kind: 'offer_task', task })
    }
    effects.push(
      wants.deadline === null
        ? { kind: 'clear_deadline', key: 'wait' }
        : { kind: 'set_deadline', key: 'wait', at: this.#now + wants.deadline },
    )
    return { job: aJob({ id, version: expectedVersion + 1 }), expectedVersion, effects }
  }
}

function pick(items: readonly Item[], n: number): string {
  return items[n % Math.max(1, items.length)]?.id ?? 'unknown'
}

describe('MemoryStorage', () => {
  it('does what a plain model does, whatever the order of calls (S2 to S8, S10)', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(command, { minLength: 5, maxLength: 80, size: 'max' }),
        async (commands) => {
          const run = new Run()
          for (const c of commands) {
            await run.do(c)
            await run.check()
          }
        },
      ),
      { numRuns: 300 },
    )
  })
})
