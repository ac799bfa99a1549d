/**
 * Statuses that workers promise for a skill, beside those that blueprints wait for. Where the two do not
 * meet, a transition never happens, or a result is not what its worker said it would be. Neither fails a
 * job, for a worker may come that is different; but a person wants to hear of it, once.
 */
import type { JsonValue } from '@avtomatika/protocol'
import type { Effect } from '../../job/effect.ts'
import type { Job } from '../../job/job.ts'
import type { EpochMs } from '../../job/vocabulary.ts'
import type { WorkerRecord } from '../../ports/worker-record.ts'
import type { EngineParts } from '../engine-parts.ts'
import { isList, machineOf } from './machine.ts'
import type { Roster } from './roster.ts'

/** Every worker may return these. */
const COMMON: ReadonlySet<string> = new Set(['success', 'failure', 'cancelled'])
/** Pairs of type and status that are kept in mind; names come from outside. */
const MAX_KNOWN = 1_000
/** A pair that was right is looked at again after this long: to ask all workers for each task costs. */
const LOOK_AGAIN_MS = 60_000

export class OutputStatuses {
  readonly #parts: Pick<EngineParts, 'clock' | 'log'>
  readonly #roster: Pick<Roster, 'all' | 'find'>
  /** Until when a pair needs no other look. */
  readonly #known = new Map<string, EpochMs>()

  constructor(parts: Pick<EngineParts, 'clock' | 'log'>, roster: Pick<Roster, 'all' | 'find'>) {
    this.#parts = parts
    this.#roster = roster
  }

  /** Looks at the transitions of a task that is about to be offered. */
  noteOffer({ job, effects }: { readonly job: Job; readonly effects: readonly Effect[] }): void {
    if (job.wait?.for !== 'task' || !effects.some(({ kind }) => kind === 'offer_task')) return
    const { type } = job.wait.spec.demand
    for (const status of Object.keys(job.wait.transitions)) {
      if (!COMMON.has(status)) this.#lookAt(type, status, job)
    }
  }

  /** Looks at a result that counts. Which skill it came of is not known here: any of the worker's will do. */
  noteResult(workerId: string, status: string): void {
    if (COMMON.has(status)) return
    const worker = this.#roster.find(workerId, this.#parts.clock.now())
    if (worker === undefined || worker.skills.length === 0) return
    const promises = worker.skills.map(({ name }) => promisedBy(worker, name))
    if (promises.some((promised) => promised?.has(status) !== false)) return
    if (!this.#isNew(`result\n${worker.workerType}\n${status}`, Infinity)) return
    const { workerType } = worker
    const message =
      'a worker returned a status that none of its skills declares in output_statuses; it counts all the same'
    this.#parts.log.warn({ workerId, workerType, status }, message)
  }

  #lookAt(type: string, status: string, { blueprint, state }: Job): void {
    const key = `offer\n${type}\n${status}`
    const now = this.#parts.clock.now()
    if ((this.#known.get(key) ?? 0) > now) return
    const declared = this.#declared(type, now)
    const isMistake = declared !== undefined && !declared.has(status)
    this.#isNew(key, isMistake ? Infinity : now + LOOK_AGAIN_MS)
    if (!isMistake) return
    const what = { blueprint: blueprint.name, state, type, status, declared: [...declared].sort() }
    const message =
      'a task has a transition for a status that no worker declares for it in output_statuses: it will never be taken'
    this.#parts.log.warn(what, message)
  }

  /** All that workers declare for a skill; `undefined` when there is none, or one that may return anything. */
  #declared(type: string, now: EpochMs): ReadonlySet<string> | undefined {
    const all = new Set<string>()
    let isOffered = false
    for (const worker of this.#roster.all()) {
      if (worker.expiresAt <= now || !worker.skills.some(({ name }) => name === type)) continue
      const promised = promisedBy(worker, type)
      if (promised === undefined) return undefined
      for (const status of promised) all.add(status)
      isOffered = true
    }
    return isOffered ? all : undefined
  }

  #isNew(key: string, until: EpochMs): boolean {
    const isNew = !this.#known.delete(key)
    this.#known.set(key, until)
    const [oldest] = this.#known.keys()
    if (this.#known.size > MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest)
    return isNew
  }
}

/** What a worker's descriptions of a skill promise together; `undefined` for one that promises nothing. */
function promisedBy(worker: WorkerRecord, type: string): ReadonlySet<string> | undefined {
  const described = machineOf(worker).skills.filter((skill) => skill.get('name') === type)
  const lists = described.map((skill) => skill.get('output_statuses'))
  if (lists.length === 0 || !lists.every(isList)) return undefined
  return new Set(lists.flat().filter(isText))
}

function isText(value: JsonValue): value is string {
  return typeof value === 'string'
}
