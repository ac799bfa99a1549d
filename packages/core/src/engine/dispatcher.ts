/**
 * Hands tasks to the workers that poll for them.
 *
 * A poll that finds nothing waits in this process, and costs the store nothing meanwhile (W9): hints
 * wake it, and one look per second and orchestrator makes up for hints that were lost.
 */
import { isDeepStrictEqual } from 'node:util'
import { NotFoundError } from '@avtomatika/protocol'
import type { OfferedTask } from '../job/effect.ts'
import { find } from '../job/on-task.ts'
import type { TaskHint } from '../ports/hint.ts'
import type { ClaimedTask } from '../ports/task-store.ts'
import type { WorkerRecord } from '../ports/worker-record.ts'
import { Backlog } from './backlog.ts'
import { startable } from './eligibility.ts'
import type { EngineParts } from './engine-parts.ts'
import type { HandedTask } from './handed-task.ts'
import { Loop } from './loop.ts'
import { RESERVATION_MS } from './matchmaker.ts'
import type { Roster } from './roster.ts'
import type { Call, Waiting, WaitingRoom, Wake } from './waiting-room.ts'

const LOOK_MS = 1_000

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

export interface DispatcherOptions {
  readonly roster: Roster
  readonly room: WaitingRoom
  /** How long a worker may be silent before its tasks count as lost, in ms. */
  readonly leaseMs: number
}

interface Look {
  readonly tasks: readonly HandedTask[]
  readonly waiting: Waiting
}

export class Dispatcher {
  readonly #parts: EngineParts
  readonly #roster: Roster
  readonly #leaseMs: number
  readonly #room: WaitingRoom
  readonly #backlog = new Backlog()
  readonly #loop: Loop
  readonly #timers = new Set<() => void>()
  /** Workers for whom something was reserved while no poll of theirs was here, and until when. */
  readonly #expected = new Map<string, number>()
  /** Tasks that a worker may have been given without its knowing, with that worker. */
  readonly #uncertain = new Map<string, { readonly task: OfferedTask; readonly workerId: string }>()
  #hasLooked = false
  #closed = false

  constructor(parts: EngineParts, { roster, room, leaseMs }: DispatcherOptions) {
    this.#parts = parts
    this.#roster = roster
    this.#room = room
    this.#leaseMs = leaseMs
    roster.onChange((workerId, change) => {
      if (!isAlike(change)) room.recheck(workerId)
    })
    const { clock, log } = parts
    this.#loop = new Loop({ name: 'dispatcher', clock, log, round: () => this.#refresh() })
  }

  get waitingPolls(): number {
    return this.#room.size
  }

  start(): void {
    this.#closed = false
    this.#loop.start()
  }

  /** Sends all waiting polls home empty. */
  async stop(): Promise<void> {
    this.#closed = true
    for (const cancel of this.#timers) cancel()
    this.#timers.clear()
    this.#room.wakeAll()
    await this.#loop.stop()
  }

  /** A task is on offer: to all, to one worker first, or for now to all but one who failed it. */
  offered({ classId, demand, workerId, openToAllAt }: TaskHint): void {
    const { clock } = this.#parts
    const now = clock.now()
    this.#room.learn({ classId, demand })
    if (workerId !== undefined) {
      if (this.#room.callWorker(workerId, classId)) return
      this.#expected.set(workerId, now + RESERVATION_MS)
      return
    }
    this.#backlog.hint(classId, now)
    this.#room.call(classId)
    if (openToAllAt === undefined) return
    const cancel = clock.after(openToAllAt - now, () => {
      this.#timers.delete(cancel)
      this.#room.call(classId)
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
    // Nothing was hinted at before this orchestrator was there.
    if (!this.#hasLooked) await this.#refresh()
    for (;;) {
      const { tasks, waiting } = await this.#look(poll, call)
      const left = until - clock.now()
      if (tasks.length > 0 || left <= 0 || this.#closed || poll.signal.aborted) {
        return this.#withLate(tasks, await this.#leave(waiting), poll)
      }
      const wake = await this.#woken(waiting, poll.signal, left)
      if (wake !== undefined && 'tasks' in wake) return this.#withLate([], wake.tasks, poll)
      call = wake
    }
  }

  /** Tasks that were found, and tasks that came while the poll was about to leave. */
  async #withLate(
    found: readonly HandedTask[],
    late: readonly HandedTask[],
    { max, signal, workerId }: Poll,
  ): Promise<readonly HandedTask[]> {
    const all = [...found, ...late]
    const kept = signal.aborted ? [] : all.slice(0, max)
    await Promise.all(all.slice(kept.length).map(({ task }) => this.takeBack(task, workerId)))
    return kept
  }

  /** Looks for tasks. If it fails, or finds none, the call that woke the poll goes to another. */
  async #look(poll: Poll, call: Call | undefined): Promise<Look> {
    let tasks: readonly HandedTask[] = []
    let waiting: Waiting | undefined
    try {
      const worker = startable(await this.#worker(poll.workerId), poll.availableSkills)
      // Waiting begins before the look: a task offered in between must not go unnoticed.
      waiting = this.#room.wait({ worker, max: poll.max, tried: call?.number ?? 0 })
      // Who does not wait would not hear of a hint that is on its way.
      const looks = call !== undefined || poll.waitMs === 0 || this.#mayFind(worker)
      if (looks) tasks = await this.#take(worker, poll)
      return { tasks, waiting }
    } catch (error) {
      if (waiting !== undefined) {
        const late = await this.#leave(waiting)
        for (const { task } of late) this.giveUp(task, poll.workerId)
      }
      throw error
    } finally {
      if (tasks.length === 0 && call !== undefined) this.#room.passOn(call)
    }
  }

  /** A worker has a hand free again: a poll of its that found it full is to look once more. */
  freed(workerId: string): void {
    const worker = this.#roster.find(workerId, this.#parts.clock.now())
    if (worker !== undefined && this.#mayFind(worker)) this.#room.recheck(workerId)
  }

  /** Whether a look in the store is worth its price. */
  #mayFind(worker: WorkerRecord): boolean {
    if (this.#expected.delete(worker.workerId)) return true
    return this.#room.classesFor(worker).some((classId) => this.#backlog.mayHaveTasks(classId))
  }

  /** Ends a wait; a call that reached it meanwhile goes to another, tasks are its. */
  async #leave(waiting: Waiting): Promise<readonly HandedTask[]> {
    waiting.leave()
    const wake = await waiting.woken
    if (wake === undefined) return []
    if ('tasks' in wake) return wake.tasks
    this.#room.passOn(wake)
    return []
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
    const { workerId, maxConcurrentTasks: capacity } = worker
    const classIds = this.#room.classesFor(worker)
    if (classIds.length === 0) return Promise.resolve([])
    const claim = { workerId, classIds, limit, capacity, now: clock.now(), leaseMs: this.#leaseMs }
    return storage.claimTasks(claim)
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

  /**
   * A worker may have been given a task without its knowing: it is offered again as soon as the store
   * answers.
   */
  giveUp(task: OfferedTask, workerId: string): void {
    this.#uncertain.set(task.taskId, { task, workerId })
  }

  /** What ended the wait; `undefined` when its time is up. */
  async #woken(waiting: Waiting, signal: AbortSignal, ms: number): Promise<Wake> {
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
    const now = clock.now()
    const known = this.#roster.find(workerId, now)
    if (known !== undefined) return known
    const worker = await storage.findWorker({ workerId, now })
    if (worker === undefined) {
      const message = `Worker not found: '${workerId}' is not registered (any more). Register again.`
      throw new NotFoundError('WORKER_NOT_FOUND', { message })
    }
    this.#roster.put(worker)
    return worker
  }

  /** What all waiting polls together would have asked for, in two questions. */
  async #refresh(): Promise<number> {
    const { storage, clock } = this.#parts
    for (const [taskId, { task, workerId }] of this.#uncertain) {
      await this.takeBack(task, workerId)
      this.#uncertain.delete(taskId)
    }
    await this.#roster.refresh(clock.now())
    const { mark } = this.#backlog
    const onOffer = await storage.listTaskClasses()
    const now = clock.now()
    this.#hasLooked = true
    for (const each of onOffer) this.#room.learn(each)
    for (const classId of this.#backlog.look(onOffer, mark, now)) this.#room.forget(classId)
    for (const { classId } of onOffer) this.#room.call(classId)
    for (const [workerId, until] of this.#expected) {
      if (until <= now) this.#expected.delete(workerId)
    }
    return LOOK_MS
  }
}

/** Whether a worker can do what it could do before. */
function isAlike({
  before,
  now,
}: {
  readonly before: WorkerRecord | undefined
  readonly now: WorkerRecord | undefined
}): boolean {
  if (before === undefined || now === undefined) return false
  const { status, registeredAt, maxConcurrentTasks } = before
  return (
    now.registeredAt === registeredAt &&
    now.maxConcurrentTasks === maxConcurrentTasks &&
    now.status === status &&
    isDeepStrictEqual(now.skills, before.skills)
  )
}
