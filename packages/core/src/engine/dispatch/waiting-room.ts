/** The long polls that wait at this orchestrator, by the classes of tasks that they could take. */
import type { TaskClass } from '../../ports/task-store.ts'
import type { WorkerRecord } from '../../ports/worker-record.ts'
import { fits } from '../matching/eligibility.ts'
import { ClassFits } from './class-fits.ts'
import type { HandedTask } from './handed-task.ts'

/** A task that somebody should look for. */
export interface Call {
  /** Calls are numbered, so that each poll tries for each one once. */
  readonly number: number
  readonly classId: string
  /** Polls that have looked for it in vain. */
  readonly tries: number
  /** There may be more of them than this one; who finds one calls the next. */
  readonly isOfMany: boolean
}

/** Makes a poll look once more; it is passed on to nobody. */
export const LOOK_AGAIN: Call = { number: 0, classId: '', tries: 0, isOfMany: false }

/** What ends a wait: a call to look, tasks that are there already, or nothing. */
export type Wake = Call | { readonly tasks: readonly HandedTask[] } | undefined

/** A poll that is about to wait. */
export interface Waiter {
  readonly worker: WorkerRecord
  /** Most tasks to hand over. */
  readonly max: number
  /** The newest call that this poll has had its try for. */
  readonly tried: number
}

export interface Waiting {
  readonly woken: Promise<Wake>
  /** Ends the wait, unless it is about to be ended by tasks. */
  readonly leave: () => void
}

/** A poll that was taken out of the room: nobody else wakes it, and it must be answered. */
export interface Guest {
  readonly worker: WorkerRecord
  readonly max: number
  readonly answer: (wake: Wake) => void
}

interface Entry extends Guest {
  readonly classes: Set<OpenClass>
  tried: number
}

interface OpenClass extends TaskClass {
  /** Polls that could take a task of it, longest waiting first. */
  readonly entries: Set<Entry>
}

export class WaitingRoom {
  readonly #byWorker = new Map<string, Set<Entry>>()
  readonly #classes = new Map<string, OpenClass>()
  readonly #fits = new ClassFits<OpenClass>()
  #size = 0
  #calls = 0

  /** Polls that wait. */
  get size(): number {
    return this.#size
  }

  /** Takes note of a class; polls that wait already may fit it. */
  learn({ classId, demand }: TaskClass): void {
    if (this.#classes.has(classId)) return
    const made = { classId, demand, entries: new Set<Entry>() }
    this.#classes.set(classId, made)
    this.#fits.learn(made)
    for (const entries of this.#byWorker.values()) {
      for (const entry of entries) {
        if (fits(entry.worker, demand)) join(entry, made)
      }
    }
  }

  forget(classId: string): void {
    const known = this.#classes.get(classId)
    if (known === undefined) return
    this.#classes.delete(classId)
    this.#fits.forget(known)
    for (const { classes } of known.entries) classes.delete(known)
  }

  /** The classes that a worker could take tasks of. */
  classesFor(worker: WorkerRecord): readonly string[] {
    return this.#fits.of(worker).map(({ classId }) => classId)
  }

  /** Those of some classes that are of a type of tasks. */
  classesOf(type: string, classIds: readonly string[]): readonly string[] {
    return classIds.filter((classId) => this.#classes.get(classId)?.demand.type === type)
  }

  wait({ worker, max, tried }: Waiter): Waiting {
    let leave = (): void => undefined
    const woken = new Promise<Wake>((answer) => {
      const entry: Entry = { worker, max, tried, answer, classes: new Set() }
      this.#enter(entry)
      leave = () => {
        if (this.#depart(entry)) answer(undefined)
      }
    })
    return { woken, leave }
  }

  /** Wakes the poll that has waited longest of those that fit: one per task, so that no herd runs. */
  call(classId: string): void {
    this.passOn(this.#newCall(classId))
  }

  /** Wakes one poll for tasks of unknown number, which wakes the next if it finds one. */
  callForMany(classId: string): void {
    this.passOn({ ...this.#newCall(classId), isOfMany: true })
  }

  /** A woken poll could not take the task (it left, or was full): the next one gets a try. */
  passOn(call: Call): void {
    for (const entry of this.#classes.get(call.classId)?.entries ?? []) {
      if (entry.tried < call.number) {
        this.#wake(entry, call)
        return
      }
    }
  }

  /** Wakes a poll of one worker; `false` if it has none here. */
  callWorker(workerId: string, classId: string): boolean {
    const [entry] = this.#byWorker.get(workerId) ?? []
    if (entry === undefined) return false
    this.#wake(entry, this.#newCall(classId))
    return true
  }

  /** Whether a worker waits here for tasks of a class. */
  isWaiting(workerId: string, classId: string): boolean {
    const openClass = this.#classes.get(classId)
    if (openClass === undefined) return false
    for (const { classes } of this.#byWorker.get(workerId) ?? []) {
      if (classes.has(openClass)) return true
    }
    return false
  }

  /** Makes the polls of a worker look again: it is not what it was when they began. */
  recheck(workerId: string): void {
    for (const entry of [...(this.#byWorker.get(workerId) ?? [])]) {
      this.#depart(entry)
      entry.answer({ ...LOOK_AGAIN, number: entry.tried })
    }
  }

  /**
   * Takes out the poll that has waited longest of those that fit, and that `isWanted` says yes of.
   * @param workerId - of this worker alone; it is found without a look at the others.
   */
  take(
    classId: string,
    isWanted: (worker: WorkerRecord) => boolean,
    workerId?: string,
  ): Guest | undefined {
    const openClass = this.#classes.get(classId)
    if (openClass === undefined) return undefined
    const entries = workerId === undefined ? openClass.entries : this.#byWorker.get(workerId)
    for (const entry of entries ?? []) {
      if (!entry.classes.has(openClass) || !isWanted(entry.worker)) continue
      this.#depart(entry)
      return entry
    }
    return undefined
  }

  /** Sends everybody home. */
  wakeAll(): void {
    for (const entries of [...this.#byWorker.values()]) {
      for (const entry of entries) {
        this.#depart(entry)
        entry.answer(undefined)
      }
    }
  }

  #newCall(classId: string): Call {
    this.#calls += 1
    return { number: this.#calls, classId, tries: 0, isOfMany: false }
  }

  #wake(entry: Entry, call: Call): void {
    entry.tried = call.number
    this.#depart(entry)
    entry.answer(call)
  }

  #enter(entry: Entry): void {
    const { workerId } = entry.worker
    this.#byWorker.set(workerId, (this.#byWorker.get(workerId) ?? new Set()).add(entry))
    this.#size += 1
    for (const each of this.#fits.of(entry.worker)) join(entry, each)
  }

  #depart(entry: Entry): boolean {
    const { workerId } = entry.worker
    const ofWorker = this.#byWorker.get(workerId)
    if (ofWorker?.delete(entry) !== true) return false
    if (ofWorker.size === 0) this.#byWorker.delete(workerId)
    this.#size -= 1
    for (const { entries } of entry.classes) entries.delete(entry)
    return true
  }
}

function join(entry: Entry, openClass: OpenClass): void {
  openClass.entries.add(entry)
  entry.classes.add(openClass)
}
