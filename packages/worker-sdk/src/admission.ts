// Admission rules.  A1 No more tasks run than there are slots, and of one name, type or the threads no
// more than their limit.  A2 One poll asks for so many tasks that whichever of the named skills they are
// for, A1 holds: nothing has to be handed back because of this poll.
import type { WorkerLogger } from './logger.ts'
import type { Skill } from './skill.ts'

/** What the worker can take. */
export interface AdmissionOptions {
  /** Tasks at a time. */
  readonly slots: number
  /** Tasks at a time by type; the type of a task that names none is its name. */
  readonly typeLimits: Readonly<Record<string, number>>
  /** Tasks at a time in threads. */
  readonly maxThreads: number
  readonly skills: () => readonly Skill[]
  /** Whether a task of this name can be started now; asked each time. Absent = always. */
  readonly capacity: ((task: string) => boolean) | undefined
  readonly logger: WorkerLogger
}

/** Knows what runs and says what else can be started. */
export class Admission {
  readonly #options: AdmissionOptions
  readonly #counts = new Map<string, number>()
  #total = 0

  constructor(options: AdmissionOptions) {
    this.#options = options
  }

  /** Names of the tasks that can be started now. */
  startable(): string[] {
    if (this.#total >= this.#options.slots) return []
    return this.#options
      .skills()
      .filter((skill) => this.#roomFor(skill) > 0 && this.#hasCapacity(skill.name))
      .map(({ name }) => name)
  }

  /** How many tasks of these names can be taken, whichever they are (A2). */
  roomForAny(names: readonly string[]): number {
    const skills = this.#options.skills().filter(({ name }) => names.includes(name))
    if (skills.length === 0) return 0
    const slots = this.#options.slots - this.#total
    return Math.max(0, Math.min(slots, ...skills.map((skill) => this.#roomFor(skill))))
  }

  /** Whether the limits let a task in that came; `undefined`: one that this worker does not know. */
  admits(skill: Skill | undefined): boolean {
    if (this.#total >= this.#options.slots) return false
    return skill === undefined || this.#roomFor(skill) > 0
  }

  /** Most tasks of one name at a time, where that is less than there are slots. */
  limitOf(skill: Skill): number | undefined {
    const most = Math.min(Infinity, ...this.#limitsOf(skill).map((limit) => limit.most))
    return most < this.#options.slots ? most : undefined
  }

  /** A task begins. */
  enter(skill: Skill | undefined): void {
    this.#count(skill, 1)
  }

  /** A task ended. */
  leave(skill: Skill | undefined): void {
    this.#count(skill, -1)
  }

  #count(skill: Skill | undefined, step: number): void {
    this.#total += step
    if (skill === undefined) return
    for (const { key } of this.#limitsOf(skill)) {
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + step)
    }
  }

  #roomFor(skill: Skill): number {
    const rooms = this.#limitsOf(skill).map(({ key, most }) => most - (this.#counts.get(key) ?? 0))
    return Math.min(Infinity, ...rooms)
  }

  #limitsOf(skill: Skill): { readonly key: string; readonly most: number }[] {
    const { typeLimits, maxThreads } = this.#options
    const type = skill.info.type ?? skill.name
    const ofType = typeLimits[type]
    return [
      ...(skill.concurrency === undefined
        ? []
        : [{ key: `name:${skill.name}`, most: skill.concurrency }]),
      ...(ofType === undefined ? [] : [{ key: `type:${type}`, most: ofType }]),
      ...(skill.isThreaded ? [{ key: 'threads', most: maxThreads }] : []),
    ]
  }

  #hasCapacity(task: string): boolean {
    const { capacity, logger } = this.#options
    if (capacity === undefined) return true
    try {
      return capacity(task)
    } catch (error) {
      // Nobody waits for this answer; a task that cannot be asked about is not taken.
      logger.error({ err: error, task }, 'the capacity callback failed; the task is not asked for')
      return false
    }
  }
}
