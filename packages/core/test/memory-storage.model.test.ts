/** Random histories on MemoryStorage, compared with a model that scans lists and is plainly right. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Effect, OfferedTask } from '../src/job/effect.ts'
import type { DeadlineKey } from '../src/job/event.ts'
import type { Job } from '../src/job/job.ts'
import { MemoryStorage } from '../src/memory/index.ts'
import type { CommitEntry } from '../src/ports/storage.ts'
import { aJob, aMessage, aTask, T0 } from '../src/testing/index.ts'

const LEASE_MS = 10
const HOLDERS = ['a', 'b', 'c']
const CLASSES = ['x', 'y']
const OWNERS = ['even', 'odd']

interface Item {
  readonly id: string
  readonly jobId: string
  readonly type: string
  readonly priority: number
  readonly order: number
  readonly avoid: OfferedTask['avoid']
  holder: string | null
  until: number
  isLost: boolean
}

interface Deadline {
  readonly jobId: string
  readonly key: DeadlineKey
  readonly at: number
  until: number
}

/** Steps, tasks, messages, deadlines and documents, kept in plain lists. */
class Model {
  jobs = new Map<string, Job>()
  steps: Item[] = []
  tasks: Item[] = []
  messages: { readonly id: string; until: number }[] = []
  deadlines: Deadline[] = []
  #orders = 0

  commit({ job, expectedVersion, effects }: CommitEntry): string {
    if (this.versionOf(job.id) !== expectedVersion) return 'conflict'
    // At the end of the map: of those that ended at the same moment the latest comes last.
    this.jobs.delete(job.id)
    this.jobs.set(job.id, job)
    for (const effect of effects) this.#apply(job.id, effect)
    return 'committed'
  }

  versionOf(jobId: string): number {
    return this.jobs.get(jobId)?.version ?? 0
  }

  /** Newest first. */
  quarantined(ownerId: string | null): string[] {
    return [...this.jobs.values()]
      .filter(({ status }) => status === 'quarantined')
      .filter(({ owner }) => ownerId === null || owner.clientId === ownerId)
      .toSorted((a, b) => (a.finishedAt ?? 0) - (b.finishedAt ?? 0))
      .map(({ id }) => id)
      .toReversed()
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
      .filter(({ avoid }) => avoid === null || avoid.workerId !== holder || avoid.until <= now)
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
    return due.map(nameOf)
  }

  /** Drops a deadline that somebody has claimed since it was set. */
  dropDeadline({ jobId, key, at }: Deadline): void {
    this.deadlines = this.deadlines.filter(
      (d) => d.jobId !== jobId || d.key !== key || d.at !== at || d.until === 0,
    )
  }

  claimMessages(now: number, limit: number): string[] {
    const free = this.messages.filter(({ until }) => until <= now).slice(0, limit)
    for (const message of free) message.until = now + LEASE_MS
    return free.map(({ id }) => id)
  }

  ackMessages(ids: readonly string[]): void {
    this.messages = this.messages.filter(({ id }) => !ids.includes(id))
  }

  #heldBy(holder: string, now: number): Item[] {
    return this.tasks.filter((t) => t.holder === holder && !t.isLost && t.until > now)
  }

  #apply(jobId: string, effect: Effect): void {
    this.#orders += 1
    const free = { jobId, order: this.#orders, avoid: null, holder: null, until: 0, isLost: false }
    if (effect.kind === 'run_step') {
      this.steps.push({ ...free, id: effect.stepId, type: '', priority: 0 })
    } else if (effect.kind === 'withdraw_step') {
      this.steps = this.steps.filter(({ id }) => id !== effect.stepId)
    } else if (effect.kind === 'offer_task') {
      const { taskId, demand, priority, avoid } = effect.task
      this.tasks.push({ ...free, id: taskId, type: demand.type, priority, avoid })
    } else if (effect.kind === 'withdraw_task') {
      this.tasks = this.tasks.filter(({ id }) => id !== effect.taskId)
    } else if (effect.kind === 'set_deadline') {
      this.#clearDeadline(jobId, effect.key)
      this.deadlines.push({ jobId, key: effect.key, at: effect.at, until: 0 })
    } else if (effect.kind === 'clear_deadline') {
      this.#clearDeadline(jobId, effect.key)
    } else if (effect.kind === 'send') {
      const { messageId } = effect.message
      const isThere = this.messages.some(({ id }) => id === messageId)
      if (!isThere) this.messages.push({ id: messageId, until: 0 })
    }
  }

  #clearDeadline(jobId: string, key: DeadlineKey): void {
    this.deadlines = this.deadlines.filter((d) => d.jobId !== jobId || d.key !== key)
  }
}

function nameOf({ jobId, key, at }: { jobId: string; key: DeadlineKey; at: number }): string {
  return `${jobId} ${key}@${String(at)}`
}

function hold(item: Item, holder: string, now: number): string {
  item.holder = holder
  item.until = now + LEASE_MS
  return item.id
}

const job = fc.constantFrom('j1', 'j2', 'j3', 'j4')
const holder = fc.constantFrom(...HOLDERS)
/** From now, in ms; `null` clears it, `undefined` leaves it as it is. */
const deadline = fc.constantFrom(undefined, null, 0, 5, 25)
const task = fc.record({
  type: fc.constantFrom(...CLASSES),
  priority: fc.integer({ min: 0, max: 1 }),
  avoid: fc.option(fc.record({ workerId: holder, ms: fc.constantFrom(0, 5, 25) }), { nil: null }),
})
const wants = fc.record({
  status: fc.constantFrom('running', 'running', 'quarantined', 'failed'),
  step: fc.boolean(),
  tasks: fc.array(task, { maxLength: 3 }),
  wait: deadline,
  job: deadline,
  messages: fc.constantFrom('none', 'none', 'one', 'two', 'one again'),
  isStale: fc.constantFrom(false, false, false, true),
})
const commit = fc.record({ kind: fc.constant('commit' as const), job, wants })
const claimTasks = fc.record({
  kind: fc.constant('claimTasks' as const),
  holder,
  claim: fc.record({
    classIds: fc.oneof(fc.subarray(CLASSES), fc.constant(CLASSES)),
    limit: fc.integer({ min: 0, max: 3 }),
    capacity: fc.integer({ min: 0, max: 4 }),
  }),
})
const command = fc.oneof(
  { arbitrary: commit, weight: 3 },
  // Who is given which task has the most rules.
  { arbitrary: claimTasks, weight: 4 },
  fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 12 }) }),
  fc.record({
    kind: fc.constant('claimSteps' as const),
    holder,
    limit: fc.integer({ min: 0, max: 3 }),
  }),
  fc.record({ kind: fc.constant('renewStep' as const), holder, pick: fc.nat() }),
  fc.record({
    kind: fc.constant('renewTasks' as const),
    holder,
    picks: fc.option(fc.array(fc.nat(), { maxLength: 3 }), { nil: null }),
  }),
  fc.record({ kind: fc.constant('loseTasksOf' as const), holder }),
  fc.record({ kind: fc.constant('claimLost' as const) }),
  fc.record({ kind: fc.constant('claimDue' as const) }),
  fc.record({ kind: fc.constant('dropDeadline' as const), pick: fc.nat(), isMoved: fc.boolean() }),
  fc.record({ kind: fc.constant('claimMessages' as const), limit: fc.integer({ min: 0, max: 3 }) }),
  fc.record({
    kind: fc.constant('ackMessages' as const),
    picks: fc.array(fc.nat(), { maxLength: 2 }),
  }),
)
type Command = typeof command extends fc.Arbitrary<infer C> ? C : never
type Wants = Extract<Command, { kind: 'commit' }>['wants']

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
        expect(due.map(nameOf).toSorted()).toEqual(model.claimDue(now).toSorted())
        return
      }
      case 'dropDeadline': {
        const known = model.deadlines[c.pick % Math.max(1, model.deadlines.length)]
        if (known === undefined) return
        // What a watcher claimed a while ago may be another moment than that which is set now.
        const dropped = { ...known, at: known.at - (c.isMoved ? 1 : 0) }
        await storage.dropDeadline({ jobId: dropped.jobId, key: dropped.key, at: dropped.at })
        model.dropDeadline(dropped)
        return
      }
      case 'claimMessages': {
        const messages = await storage.claimMessages({ ...lease, limit: c.limit })
        expect(messages.map(({ messageId }) => messageId)).toEqual(
          model.claimMessages(now, c.limit),
        )
        return
      }
      case 'ackMessages': {
        const ids = c.picks.map((n) => pick(model.messages, n))
        await storage.ackMessages(ids)
        model.ackMessages(ids)
      }
    }
  }

  /** What must hold between any two commands. */
  async check(): Promise<void> {
    for (const ownerId of [null, ...OWNERS]) {
      const query = { ...(ownerId !== null && { ownerId }), limit: 100 }
      const found = await this.#storage.listQuarantined(query)
      expect(found.map(({ id }) => id)).toEqual(this.#model.quarantined(ownerId))
    }
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

  #entry(id: string, wants: Wants): CommitEntry {
    const known = this.#model.versionOf(id)
    const expectedVersion = wants.isStale ? Math.abs(known - 1) : known
    this.#ids += 1
    const n = String(this.#ids)
    const out = (items: readonly Item[]): readonly Item[] => items.filter((i) => i.jobId === id)
    const effects: Effect[] = [
      ...out(this.#model.steps).map((s): Effect => ({ kind: 'withdraw_step', stepId: s.id })),
      ...out(this.#model.tasks).map((t): Effect => ({ kind: 'withdraw_task', taskId: t.id })),
      ...this.#deadline('wait', wants.wait),
      ...this.#deadline('job', wants.job),
      ...this.#messages(wants.messages, n),
    ]
    if (wants.step) effects.push({ kind: 'run_step', stepId: `s${n}` })
    for (const [place, task] of wants.tasks.entries()) {
      const taskId = `t${n}.${String(place)}`
      effects.push({ kind: 'offer_task', task: this.#task(id, taskId, task) })
    }
    return { job: this.#job(id, expectedVersion + 1, wants.status), expectedVersion, effects }
  }

  #job(id: string, version: number, status: Wants['status']): Job {
    const over = status === 'running' ? {} : { wait: null, finishedAt: this.#now }
    const clientId = id === 'j2' || id === 'j4' ? 'even' : 'odd'
    const owner = { clientId, plan: null, params: {} }
    return aJob({ id, version, status, owner, ...over })
  }

  #task(jobId: string, taskId: string, wanted: Wants['tasks'][number]): OfferedTask {
    const { type, priority, avoid: avoided } = wanted
    const avoid =
      avoided === null ? null : { workerId: avoided.workerId, until: this.#now + avoided.ms }
    return aTask({ taskId, jobId, demand: { type }, priority, avoid })
  }

  #deadline(key: DeadlineKey, ms: number | null | undefined): readonly Effect[] {
    if (ms === undefined) return []
    if (ms === null) return [{ kind: 'clear_deadline', key }]
    return [{ kind: 'set_deadline', key, at: this.#now + ms }]
  }

  /** New messages, or one whose id stands there already. */
  #messages(which: Wants['messages'], n: string): readonly Effect[] {
    const ids = {
      none: [],
      one: [`m${n}`],
      two: [`m${n}b`, `m${n}a`],
      'one again': this.#model.messages.slice(0, 1).map(({ id }) => id),
    }
    return ids[which].map((messageId) => ({ kind: 'send', message: aMessage({ messageId }) }))
  }
}

function pick(items: readonly { readonly id: string }[], n: number): string {
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
