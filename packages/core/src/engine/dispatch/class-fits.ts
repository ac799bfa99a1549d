/**
 * Which classes of tasks a worker fits: found out once per pair, until either changes (W9).
 *
 * A class is of one type, so what a worker fits is kept by skill: a poll that names the skills at hand
 * asks for those only.
 */
import type { JsonObject } from '@avtomatika/protocol'
import type { TaskClass } from '../../ports/task-store.ts'
import type { WorkerRecord, WorkerSkill } from '../../ports/worker-record.ts'
import { fits, isLeaving } from '../matching/eligibility.ts'

/** Open classes of one type, by the order in which they were learned. */
type Numbered<Class> = Map<number, Class>

interface JudgedSkill<Class> {
  /** Those of one name, as they were when they were judged. */
  readonly skills: readonly WorkerSkill[]
  readonly fitting: Set<Class>
  /** The number of the newest class that was judged. */
  judged: number
}

export class ClassFits<Class extends Pick<TaskClass, 'demand'>> {
  readonly #open = new Set<Class>()
  readonly #byType = new Map<string, { readonly classes: Numbered<Class>; newest: number }>()
  /** By what a worker says of itself, and by skill: it goes when the worker does. */
  readonly #judged = new WeakMap<JsonObject, Map<string, JudgedSkill<Class>>>()

  learn(one: Class): void {
    const { type } = one.demand
    const ofType = this.#byType.get(type) ?? { classes: new Map<number, Class>(), newest: 0 }
    ofType.newest += 1
    ofType.classes.set(ofType.newest, one)
    this.#byType.set(type, ofType)
    this.#open.add(one)
  }

  forget(one: Class): void {
    this.#open.delete(one)
    const { classes } = this.#byType.get(one.demand.type) ?? {}
    for (const [number, known] of classes ?? []) if (known === one) classes?.delete(number)
  }

  /** The open classes that a worker could take tasks of. */
  of(worker: WorkerRecord): readonly Class[] {
    if (isLeaving(worker)) return []
    const names = new Set(worker.skills.map(({ name }) => name))
    return [...names].flatMap((name) => this.#ofSkill(worker, name))
  }

  #ofSkill(worker: WorkerRecord, name: string): readonly Class[] {
    const ofType = this.#byType.get(name)
    if (ofType === undefined) return []
    const known = this.#judgedSkill(worker, name)
    for (let number = ofType.newest; number > known.judged; number -= 1) {
      const one = ofType.classes.get(number)
      if (one !== undefined && fits(worker, one.demand)) known.fitting.add(one)
    }
    known.judged = ofType.newest
    return [...known.fitting].filter((one) => this.#open.has(one) || !known.fitting.delete(one))
  }

  #judgedSkill({ registration, skills }: WorkerRecord, name: string): JudgedSkill<Class> {
    const named = skills.filter((skill) => skill.name === name)
    const bySkill = this.#judged.get(registration) ?? new Map<string, JudgedSkill<Class>>()
    this.#judged.set(registration, bySkill)
    const known = bySkill.get(name)
    const isSame = known?.skills.length === named.length
    if (isSame && named.every((skill, i) => skill === known.skills[i])) return known
    const anew = { skills: named, fitting: new Set<Class>(), judged: 0 }
    bySkill.set(name, anew)
    return anew
  }
}
