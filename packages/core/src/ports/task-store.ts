/** Tasks: on offer, reserved, with a worker, or lost. */
import { createHash } from 'node:crypto'
import { isJsonObject, type JsonValue } from '@avtomatika/protocol'
import type { OfferedTask } from '../job/effect.ts'
import type { TaskDemand } from '../job/task.ts'
import type { EpochMs } from '../job/vocabulary.ts'
import type { Lease } from './lease.ts'

/** One literal demand that tasks on offer have in common. */
export interface TaskClass {
  readonly classId: string
  readonly demand: TaskDemand
}

export interface ClaimedTask {
  readonly task: OfferedTask
  readonly leaseExpiresAt: EpochMs
}

export interface TaskClaim extends Lease {
  readonly workerId: string
  /** Only tasks of these classes are taken. */
  readonly classIds: readonly string[]
  readonly limit: number
  /** The worker never holds more leases than this. */
  readonly capacity: number
  /** Nor more of some types than these. Default: no such limits. */
  readonly limits?: readonly TypeLimit[]
  /** As in {@link HandOver}. */
  readonly isToAcknowledge?: boolean
}

/** Of one type of tasks, a worker is to hold no more than some: what it holds by earlier claims counts. */
export interface TypeLimit {
  readonly type: string
  readonly most: number
  /** Those of the claim's classes that are of this type. */
  readonly classIds: readonly string[]
}

/**
 * A wish for the worker of a task that is offered. The store takes the candidate who has room (leases
 * and reservations are fewer than its capacity); if nobody has, all may have the task at once.
 */
export interface Reservation {
  readonly taskId: string
  /** Best first, at most a few dozen. */
  readonly candidates: readonly { readonly workerId: string; readonly capacity: number }[]
  /** `best`: the first with room. `least_held`: who has least. `turn`: one after the other. */
  readonly choose: 'best' | 'least_held' | 'turn'
  readonly now: EpochMs
  /** From then on all may have it. */
  readonly until: EpochMs
}

/** A task that is in the hands of a waiting worker with the very write that offers it. */
export interface HandOver extends Lease {
  readonly taskId: string
  readonly workerId: string
  /** The worker never holds more leases and reservations than this. */
  readonly capacity: number
  /**
   * The worker will say that it has got the task: until it lists it in a renewal, it has not received
   * it (W8). Default false.
   */
  readonly isToAcknowledge?: boolean
}

/** A task whose lease has run out. */
export interface LostTask {
  readonly taskId: string
  readonly jobId: string
  /** The worker that it was given to, if that was to acknowledge it, and never did (W8). */
  readonly unreceivedBy?: string
}

export interface TaskRenewal extends Lease {
  readonly workerId: string
  /**
   * Tasks the worker says it has; `all` when it does not list any (older workers): then those that it
   * has not received stay as they are.
   */
  readonly taskIds: readonly string[] | 'all'
  /**
   * With a list: leases of this worker that it does not list, and that it was given before this
   * moment, are due at once (its answer to the claim was lost). `null` keeps them.
   */
  readonly missingSince: EpochMs | null
}

/** A task that its worker did not come for. */
export interface EndedReservation {
  readonly taskId: string
  readonly workerId: string
  readonly classId: string
}

export interface TaskStore {
  /** Every class that has tasks on offer which anybody may have. */
  listTaskClasses(): Promise<readonly TaskClass[]>
  /** Takes the best tasks (S7) among those reserved for the worker and those of its classes. */
  claimTasks(claim: TaskClaim): Promise<readonly ClaimedTask[]>
  /** Opens to all what was reserved until `now` or earlier (S12); answers whose chance it was. */
  endReservations(query: {
    readonly now: EpochMs
    readonly limit: number
  }): Promise<readonly EndedReservation[]>
  /** Extends leases; returns the listed ids that this worker does not hold (it may drop them). */
  renewTasks(renewal: TaskRenewal): Promise<readonly string[]>
  /** Takes tasks whose lease has run out (S5), for somebody to tell their jobs (S10). */
  claimLostTasks(claim: Lease & { readonly limit: number }): Promise<readonly LostTask[]>
  /** Makes all leases of a worker due now, and opens to all what was reserved for it (W7). */
  loseTasksOf(worker: { readonly workerId: string; readonly now: EpochMs }): Promise<void>
  /** Drops a task that no job waits for any more. */
  dropTask(taskId: string): Promise<void>
  /** Tasks on offer and not claimed. */
  countOfferedTasks(): Promise<number>
}

/** The class of a demand: equal demands, equal ids; others, others. */
export function classIdOf(demand: TaskDemand): string {
  const { type, skillVersion, skillType, resources, maxCost, misfits } = demand
  const isSimple = [skillType, resources, maxCost, misfits].every((part) => part === undefined)
  // The marks below must not come from a name: `a@1` is a type that a worker may offer.
  if (isSimple && !/[@#]/.test(`${type}${skillVersion ?? ''}`)) {
    return skillVersion === undefined ? type : `${type}@${skillVersion}`
  }
  const known = hashedIds.get(demand)
  if (known !== undefined) return known
  const classId = `${type}#${hashOf(demand)}`
  hashedIds.set(demand, classId)
  return classId
}

/** A demand never changes, and is asked about several times on its way to a worker. */
const hashedIds = new WeakMap<TaskDemand, string>()

function hashOf({
  type,
  skillVersion,
  skillType,
  resources,
  maxCost,
  misfits,
}: TaskDemand): string {
  const rest: JsonValue[] = [
    type,
    skillVersion ?? null,
    skillType ?? null,
    resources ?? null,
    maxCost ?? null,
  ]
  if (misfits !== undefined) rest.push(misfits)
  const hash = createHash('sha256').update(canonical(rest)).digest('hex')
  return hash.slice(0, 16)
}

/** JSON that does not depend on the order of keys. */
function canonical(value: JsonValue): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    isJsonObject(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
