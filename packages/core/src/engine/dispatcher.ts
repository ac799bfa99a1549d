/** Hands tasks to the workers that poll for them. */
import { NotFoundError } from '@avtomatika/protocol'
import type { OfferedTask } from '../job/effect.ts'
import { find } from '../job/on-task.ts'
import type { TaskDemand } from '../job/task.ts'
import type { ClaimedTask, Hint } from '../ports/storage.ts'
import type { WorkerRecord } from '../ports/worker-record.ts'
import { fits, startable } from './eligibility.ts'
import type { EngineParts } from './engine-parts.ts'
import { TaskWaiters, type Call, type Waiting } from './task-waiters.ts'

/** A waiting poll looks by itself this often, in case a hint was lost. */
const SLOW_TICK_MS = 5_000
/** New classes are told by hints; a poll that has not heard of one asks at most this often. */
const REFRESH_MS = 1_000

export interface Poll {
  readonly workerId: string
  /** How long to wait for a task, in ms. */
  readonly waitMs: number
  /** Most tasks to hand over. */
  readonly max: number
  /** Names of the skills that the worker can start now. Default: all that it registered. */
  readonly availableSkills?: readonly string[] | undefined
  /** Aborted when the worker has gone away: what it was about to get is offered again. */
  readonly signal: AbortSignal
}

export interface HandedTask {
  readonly task: OfferedTask
  readonly leaseExpiresAt: number
  readonly deadlineAt: number
}

interface Look {
  readonly tasks: readonly HandedTask[]
  readonly waiting: Waiting
}

export class Dispatcher {
  readonly #parts: EngineParts
  readonly #leaseMs: number
  readonly #waiters = new TaskWaiters()
  readonly #classes = new Map<string, TaskDemand>()
  readonly #timers = new Set<() => void>()
  #refreshedAt = -Infinity
  #closed = false

  constructor(parts: EngineParts, leaseMs: number) {
    this.#parts = parts
    this.#leaseMs = leaseMs
  }

  get waitingPolls(): number {
    return this.#waiters.size
  }

  start(): void {
    this.#closed = false
  }

  /** Sends all waiting polls home empty. */
  stop(): void {
    this.#closed = true
    for (const cancel of this.#timers) cancel()
    this.#timers.clear()
    this.#waiters.wakeAll()
  }

  /** A task is on offer: to all, or for now to all but the worker that has just failed it. */
  async offered({ classId, openToAllAt }: Extract<Hint, { kind: 'task' }>): Promise<void> {
    if (!this.#classes.has(classId)) await this.#refreshClasses()
    const demand = this.#classes.get(classId)
    if (demand === undefined) return
    this.#waiters.call(demand)
    if (openToAllAt === undefined) return
    const { clock } = this.#parts
    const cancel = clock.after(openToAllAt - clock.now(), () => {
      this.#timers.delete(cancel)
      this.#waiters.call(demand)
    })
    this.#timers.add(cancel)
  }

  /**
   * Waits for tasks that a worker can take.
   * @throws NotFoundError `WORKER_NOT_FOUND` for a worker that must register (again).
   */
  async poll(poll: Poll): Promise<readonly HandedTask[]> {
    const { clock } = this.#parts
    const until = clock.now() + poll.waitMs
    let call: Call | undefined
    if (clock.now() - this.#refreshedAt >= REFRESH_MS) await this.#refreshClasses()
    for (;;) {
      const { tasks, waiting } = await this.#look(poll, call)
      const left = until - clock.now()
      if (tasks.length > 0 || left <= 0 || this.#closed || poll.signal.aborted) {
        await this.#leave(waiting)
        return tasks
      }
      call = await this.#woken(waiting, poll.signal, Math.min(left, SLOW_TICK_MS))
      if (call === undefined) await this.#refreshClasses()
    }
  }

  /** Looks for tasks. If it fails, or finds none, the call that woke the poll goes to another. */
  async #look(poll: Poll, call: Call | undefined): Promise<Look> {
    let tasks: readonly HandedTask[] = []
    let waiting: Waiting | undefined
    try {
      const worker = startable(await this.#worker(poll.workerId), poll.availableSkills)
      // Waiting begins before the look: a task offered in between must not go unnoticed.
      waiting = this.#waiters.wait((demand) => fits(worker, demand), call?.number ?? 0)
      tasks = await this.#take(worker, poll)
      return { tasks, waiting }
    } catch (error) {
      if (waiting !== undefined) await this.#leave(waiting)
      throw error
    } finally {
      if (tasks.length === 0 && call !== undefined) this.#waiters.passOn(call)
    }
  }

  /** Ends a wait; a call that reached it meanwhile goes to another. */
  async #leave(waiting: Waiting): Promise<void> {
    waiting.leave()
    const unused = await waiting.woken
    if (unused !== undefined) this.#waiters.passOn(unused)
  }

  async #take(worker: WorkerRecord, poll: Poll): Promise<readonly HandedTask[]> {
    while (!poll.signal.aborted) {
      const claims = await this.#claim(worker, poll.max)
      const handed = await Promise.all(claims.map((claim) => this.#handOver(worker, claim)))
      const tasks = handed.filter((task) => task !== undefined)
      // What was claimed may be wanted no more; behind it may stand a task that is.
      if (poll.signal.aborted) {
        await Promise.all(tasks.map(({ task }) => this.takeBack(task, worker.workerId)))
      } else if (tasks.length > 0 || claims.length === 0) return tasks
    }
    return []
  }

  #claim(worker: WorkerRecord, limit: number): Promise<readonly ClaimedTask[]> {
    const { storage, clock } = this.#parts
    const classes = [...this.#classes].filter(([, demand]) => fits(worker, demand))
    if (classes.length === 0) return Promise.resolve([])
    return storage.claimTasks({
      workerId: worker.workerId,
      classIds: classes.map(([classId]) => classId),
      limit,
      capacity: worker.maxConcurrentTasks,
      now: clock.now(),
      leaseMs: this.#leaseMs,
    })
  }

  /** The claim becomes true in the job, or the task turns out to be wanted no more. */
  async #handOver(worker: WorkerRecord, claim: ClaimedTask): Promise<HandedTask | undefined> {
    const { storage, clock, writer } = this.#parts
    const { task, leaseExpiresAt } = claim
    const { workerId } = worker
    const event = { kind: 'task_claimed', at: clock.now(), taskId: task.taskId, workerId } as const
    const decision = await writer.apply(task.jobId, event)
    const run = decision.kind === 'changed' ? find(decision.job, task.taskId)?.run : undefined
    if (run?.phase.kind === 'claimed') {
      return { task, leaseExpiresAt, deadlineAt: run.phase.deadlineAt }
    }
    await storage.dropTask(task.taskId)
    return undefined
  }

  /** Offers a task again that never reached its worker; costs no retry (W8). */
  async takeBack(task: OfferedTask, workerId: string): Promise<void> {
    const { clock, writer } = this.#parts
    await writer.apply(task.jobId, {
      kind: 'task_result',
      at: clock.now(),
      taskId: task.taskId,
      workerId,
      outcome: { kind: 'handed_back' },
      chance: 0,
    })
  }

  /** The call that woke the poll; `undefined` when it should look by itself. */
  async #woken(waiting: Waiting, signal: AbortSignal, ms: number): Promise<Call | undefined> {
    const cancel = this.#parts.clock.after(ms, waiting.leave)
    signal.addEventListener('abort', waiting.leave, { once: true })
    if (signal.aborted || this.#closed) waiting.leave()
    try {
      return await waiting.woken
    } finally {
      cancel()
      signal.removeEventListener('abort', waiting.leave)
    }
  }

  async #worker(workerId: string): Promise<WorkerRecord> {
    const { storage, clock } = this.#parts
    const worker = await storage.findWorker({ workerId, now: clock.now() })
    if (worker !== undefined) return worker
    const message = `Worker not found: '${workerId}' is not registered (any more). Register again.`
    throw new NotFoundError('WORKER_NOT_FOUND', { message })
  }

  async #refreshClasses(): Promise<void> {
    this.#refreshedAt = this.#parts.clock.now()
    for (const { classId, demand } of await this.#parts.storage.listTaskClasses()) {
      this.#classes.set(classId, demand)
    }
  }
}
