/** Which classes may have tasks on offer, as far as hints and looks tell. */
import type { EpochMs } from '../../job/vocabulary.ts'
import type { TaskClass } from '../../ports/task-store.ts'

/** A class of which nothing was heard for this long is forgotten. */
const FORGET_MS = 60_000

interface KnownClass {
  mayHaveTasks: boolean
  /** The number of the newest hint; a look that began before it does not know better. */
  hint: number
  heardAt: EpochMs
}

export class Backlog {
  readonly #classes = new Map<string, KnownClass>()
  #hints = 0

  /** Before a look at the store; what is hinted from now on outlasts its answer. */
  get mark(): number {
    return this.#hints
  }

  /** A task of the class was offered. */
  hint(classId: string, now: EpochMs): void {
    this.#hints += 1
    this.#classes.set(classId, { mayHaveTasks: true, hint: this.#hints, heardAt: now })
  }

  /** The class is in use, which says nothing of tasks on offer. */
  hear(classId: string, now: EpochMs): void {
    const known = this.#classes.get(classId)
    if (known === undefined) {
      this.#classes.set(classId, { mayHaveTasks: false, hint: 0, heardAt: now })
    } else known.heardAt = now
  }

  /**
   * Takes in what the store says is on offer.
   * @returns ids of classes to forget.
   */
  look(onOffer: readonly TaskClass[], mark: number, now: EpochMs): readonly string[] {
    const ids = new Set(onOffer.map(({ classId }) => classId))
    for (const [classId, known] of this.#classes) {
      if (!ids.has(classId) && known.hint <= mark) known.mayHaveTasks = false
    }
    for (const classId of ids) {
      const hint = this.#classes.get(classId)?.hint ?? 0
      this.#classes.set(classId, { mayHaveTasks: true, hint, heardAt: now })
    }
    const silent = [...this.#classes].filter(([, known]) => isSilent(known, now))
    for (const [classId] of silent) this.#classes.delete(classId)
    return silent.map(([classId]) => classId)
  }

  mayHaveTasks(classId: string): boolean {
    return this.#classes.get(classId)?.mayHaveTasks ?? false
  }
}

function isSilent({ mayHaveTasks, heardAt }: KnownClass, now: EpochMs): boolean {
  return !mayHaveTasks && heardAt <= now - FORGET_MS
}
