/**
 * Hands tasks to the workers that poll for them.
 *
 * A poll that finds nothing waits in this process, and costs the store nothing meanwhile (W9): hints
 * wake it, and one look per second and orchestrator makes up for hints that were lost.
 */
import { NotFoundError } from '@avtomatika/protocol'
import type { TaskHint } from '../../ports/hint.ts'
import type { TaskClass } from '../../ports/task-store.ts'
import type { WorkerRecord } from '../../ports/worker-record.ts'
import { Backlog } from './backlog.ts'
import { startable } from '../matching/eligibility.ts'
import type { EngineParts } from '../engine-parts.ts'
import type { HandedTask } from './handed-task.ts'
import { isAlike } from '../workers/is-alike.ts'
import { Loop } from '../loop.ts'
import { RESERVATION_MS } from '../matching/matchmaker.ts'
import type { Poll } from './poll.ts'
import type { Roster } from '../workers/roster.ts'
import type { TakeBacks } from './take-backs.ts'
import type { TaskClaims } from './task-claims.ts'
import type { Call, Waiting, WaitingRoom, Wake } from './waiting-room.ts'

const LOOK_MS = 1_000
/** After so many polls that found nothing, the store is asked whether there is anything to find. */
const TRIES_PER_LOOK = 4

export interface DispatcherOptions {
  readonly roster: Roster
  readonly room: WaitingRoom
  readonly takeBacks: TakeBacks
  readonly claims: TaskClaims
  /** Workers that are trusted less get nothing. */
  readonly minReputation: number
}

interface Look {
  readonly tasks: readonly HandedTask[]
  readonly waiting: Waiting
}

export class Dispatcher {
  readonly #parts: EngineParts
  readonly #roster: Roster
  readonly #minReputation: number
  readonly #room: WaitingRoom
  readonly #takeBacks: TakeBacks
  readonly #claims: TaskClaims
  readonly #backlog = new Backlog()
  readonly #loop: Loop
  readonly #timers = new Set<() => void>()
  /** Workers for whom something was reserved while no poll of theirs was here, and until when. */
  readonly #expected = new Map<string, number>()
  #hasLooked = false
  #firstLook: Promise<unknown> | undefined
  #closed = false

  constructor(parts: EngineParts, options: DispatcherOptions) {
    const { roster, room, takeBacks, claims, minReputation } = options
    this.#parts = parts
    this.#roster = roster
    this.#room = room
    this.#takeBacks = takeBacks
    this.#claims = claims
    this.#minReputation = minReputation
    roster.onChange((workerId, change) => {
      if (!isAlike(change, minReputation)) room.recheck(workerId)
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
    await this.#takeBacks.retry()
  }

  /** A task is on offer: to all, to one worker first, or for now to all but one who failed it. */
  offered({ classId, demand, workerId, openToAllAt }: TaskHint): void {
    const { clock } = this.#parts
    const now = clock.now()
    this.learn({ classId, demand })
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

  /** Takes note of a class; one that is not heard of for long is forgotten. */
  learn(taskClass: TaskClass): void {
    this.#backlog.hear(taskClass.classId, this.#parts.clock.now())
    this.#room.learn(taskClass)
  }

  /**
   * Waits for tasks that a worker can take.
   * @throws NotFoundError `WORKER_NOT_FOUND` for a worker that must register (again).
   */
  async poll(poll: Poll): Promise<readonly HandedTask[]> {
    const { clock } = this.#parts
    const until = clock.now() + poll.waitMs
    this.#roster.noteAsking(poll.workerId)
    let call: Call | undefined
    // Nothing was hinted at before this orchestrator was there.
    if (!this.#hasLooked) await this.#lookFirst()
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
    await Promise.all(
      all.slice(kept.length).map(({ task }) => this.#takeBacks.take(task, workerId)),
    )
    return kept
  }

  /** Looks for tasks. If it fails, or finds none, the call that woke the poll goes to another. */
  async #look(poll: Poll, call: Call | undefined): Promise<Look> {
    let tasks: readonly HandedTask[] = []
    let waiting: Waiting | undefined
    let next = call
    try {
      const known = await this.#worker(poll.workerId)
      const worker = startable(known, poll.availableSkills, this.#minReputation)
      // Waiting begins before the look: a task offered in between must not go unnoticed.
      waiting = this.#room.wait({ worker, max: poll.max, tried: call?.number ?? 0 })
      // Who does not wait would not hear of a hint that is on its way.
      const looks = call !== undefined || poll.waitMs === 0 || this.#mayFind(worker)
      if (looks) tasks = await this.#claims.take(worker, poll)
      next = call && { ...call, tries: call.tries + 1 }
      return { tasks, waiting }
    } catch (error) {
      if (waiting !== undefined) {
        const late = await this.#leave(waiting)
        for (const { task } of late) this.#takeBacks.noteUncertain(task, poll.workerId)
      }
      throw error
    } finally {
      if (next !== undefined) await this.#answer(next, tasks.length > 0)
    }
  }

  /**
   * A poll has looked for what it was called for. Where it found nothing the next one looks; but not all
   * that wait, one after the other, for a task that another orchestrator was quicker to hand out (W9).
   */
  async #answer(call: Call, hasFound: boolean): Promise<void> {
    if (hasFound) {
      if (call.isOfMany) this.#room.callForMany(call.classId)
      return
    }
    const isToAsk = call.tries > 0 && call.tries % TRIES_PER_LOOK === 0
    if (isToAsk && !(await this.#isOnOffer(call.classId))) return
    this.#room.passOn(call)
  }

  async #isOnOffer(classId: string): Promise<boolean> {
    const { storage, log } = this.#parts
    try {
      const onOffer = await storage.listTaskClasses()
      return onOffer.some((each) => each.classId === classId)
    } catch (error) {
      log.warn({ err: error, classId }, 'what is on offer could not be read; looking again soon')
      return false
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
    await this.#roster.meet(worker, now)
    return this.#roster.find(workerId, now) ?? worker
  }

  /** One look for all polls that come before there was one: a thousand may come back at once. */
  #lookFirst(): Promise<unknown> {
    this.#firstLook ??= this.#refresh().finally(() => {
      this.#firstLook = undefined
    })
    return this.#firstLook
  }

  /** What all waiting polls together would have asked for, in two questions. */
  async #refresh(): Promise<number> {
    const { storage, clock } = this.#parts
    await this.#takeBacks.retry()
    await this.#roster.refresh(clock.now())
    const { mark } = this.#backlog
    const onOffer = await storage.listTaskClasses()
    const now = clock.now()
    this.#hasLooked = true
    for (const each of onOffer) this.#room.learn(each)
    for (const classId of this.#backlog.look(onOffer, mark, now)) this.#room.forget(classId)
    for (const { classId } of onOffer) this.#room.callForMany(classId)
    for (const [workerId, until] of this.#expected) {
      if (until <= now) this.#expected.delete(workerId)
    }
    return LOOK_MS
  }
}
