/**
 * Tasks on offer, reserved, held by workers, or lost (S3 to S7, S10, S12).
 *
 * A task is in exactly one of these: the queue of its class, the reservations of a worker, the leases
 * of a worker, the queue of lost tasks. A lost one goes back to no queue of a class: its job must offer it as a new attempt.
 */
import type { OfferedTask } from '../job/effect.ts'
import type { TaskDemand } from '../job/task.ts'
import { unreachable } from '../job/unreachable.ts'
import type { EpochMs } from '../job/vocabulary.ts'
import {
  classIdOf,
  type EndedReservation,
  type ClaimedTask,
  type HandOver,
  type LostTask,
  type Reservation,
  type TaskClaim,
  type TaskClass,
  type TaskRenewal,
  type TaskStore,
} from '../ports/task-store.ts'
import { Heap } from './heap.ts'
import { LeasedQueue, type QueueClaim } from './leased-queue.ts'
import type { Synchronous } from './synchronous.ts'
import { TaskLeases, type LeasedTask } from './task-leases.ts'
import { TaskReservations } from './task-reservations.ts'

/** Types of tasks whose turns are remembered; one that is forgotten begins anew. */
const MAX_TURNS = 1_000

interface Offer {
  readonly task: OfferedTask
  readonly order: number
  readonly classId: string
}

interface OfferClass extends TaskClass {
  readonly offers: Heap<Offer>
}

interface RankedTask extends LostTask {
  readonly rank: number
}

export class MemoryTasks implements Synchronous<TaskStore> {
  readonly #classes = new Map<string, OfferClass>()
  readonly #offers = new Map<string, Offer>()
  readonly #reserved = new TaskReservations<Offer>()
  readonly #leases = new TaskLeases()
  /** The number of the last turn, by type of task; the type that was used last stands at the end. */
  readonly #turns = new Map<string, number>()
  readonly #lost = new LeasedQueue<RankedTask>()
  #offersMade = 0

  /**
   * Puts a task on offer; it replaces the task of the same id.
   * @returns the worker that it is reserved for, if any.
   */
  offer(task: OfferedTask, reservation?: Reservation): string | undefined {
    this.dropTask(task.taskId)
    this.#offersMade += 1
    const classId = classIdOf(task.demand)
    const offer = { task, order: this.#offersMade, classId }
    this.#offers.set(task.taskId, offer)
    const chosen = reservation && this.#choose(task.demand, reservation)
    if (chosen === undefined) this.#open(offer)
    else this.#reserved.add(offer, chosen, reservation?.until ?? 0)
    return chosen
  }

  /** Whether the workers have room for what they should be handed (S4). */
  haveRoom(handOvers: readonly HandOver[]): boolean {
    const wanted = new Map<string, number>()
    return handOvers.every(({ workerId, capacity, now }) => {
      const more = (wanted.get(workerId) ?? 0) + 1
      wanted.set(workerId, more)
      return this.#heldBy(workerId, now) + more <= capacity
    })
  }

  /** Gives a task to a worker without offering it to others. */
  handOver(
    task: OfferedTask,
    { workerId, now, leaseMs, isToAcknowledge: isUnreceived = false }: HandOver,
  ): void {
    this.dropTask(task.taskId)
    this.#leases.add({ task, workerId, givenAt: now, isUnreceived }, now + leaseMs)
  }

  listTaskClasses(): readonly TaskClass[] {
    return [...this.#classes.values()].map(({ classId, demand }) => ({ classId, demand }))
  }

  endReservations({
    now,
    limit,
  }: Parameters<TaskStore['endReservations']>[0]): readonly EndedReservation[] {
    return this.#reserved.takeEnded(now, limit).map(({ item, workerId }) => {
      this.#open(item)
      return { taskId: item.task.taskId, workerId, classId: item.classId }
    })
  }

  /** Whether a task is on offer, held or lost. */
  has(taskId: string): boolean {
    const isLost = this.#lost.find(taskId) !== undefined
    return isLost || this.#offers.has(taskId) || this.#leases.has(taskId)
  }

  /** Whether a worker was given a task before a moment, and still has it. */
  wasGiven(taskId: string, before: EpochMs): boolean {
    return (this.#leases.givenAt(taskId) ?? Infinity) < before
  }

  /** The demand of a task that is on offer. */
  demandOf(taskId: string): TaskDemand | undefined {
    return this.#offers.get(taskId)?.task.demand
  }

  claimTasks(claim: TaskClaim): readonly ClaimedTask[] {
    const { workerId, now, capacity, isToAcknowledge: isUnreceived = false } = claim
    const free = capacity - this.#leases.countLive(workerId, now)
    const leaseExpiresAt = now + claim.leaseMs
    const claimed: ClaimedTask[] = []
    const passedOver: Offer[] = []
    while (claimed.length < Math.min(claim.limit, free)) {
      const task = this.#takeBest(this.#withinLimits(claim), passedOver)
      if (task === undefined) break
      this.#leases.add({ task, workerId, givenAt: now, isUnreceived }, leaseExpiresAt)
      claimed.push({ task, leaseExpiresAt })
    }
    // Back to their old places: what a worker is not given stands there for the others.
    for (const offer of passedOver) this.#open(offer)
    return claimed
  }

  renewTasks(renewal: TaskRenewal): readonly string[] {
    const { workerId, now, taskIds } = renewal
    const expiresAt = now + renewal.leaseMs
    if (taskIds === 'all') {
      for (const lease of this.#leases.liveOf(workerId, now)) {
        if (!lease.isUnreceived) this.#leases.move(lease, expiresAt)
      }
      return []
    }
    const held = new Map(this.#leases.liveOf(workerId, now).map((l) => [l.task.taskId, l]))
    const notHeld: string[] = []
    for (const taskId of taskIds) {
      const lease = held.get(taskId)
      if (lease === undefined) {
        notHeld.push(taskId)
        continue
      }
      this.#leases.move(lease, expiresAt)
      this.#leases.noteReceived(lease)
    }
    this.#loseMissing(renewal, new Set(taskIds))
    return notHeld
  }

  claimLostTasks(claim: QueueClaim): readonly LostTask[] {
    for (const lease of this.#leases.takeExpired(claim.now)) {
      const { task, expiresAt, workerId, isUnreceived } = lease
      const { taskId, jobId } = task
      const unreceived = isUnreceived && { unreceivedBy: workerId }
      this.#lost.put(taskId, { taskId, jobId, ...unreceived, rank: expiresAt })
    }
    return this.#lost.claim(claim).map(({ rank: _rank, ...lost }) => lost)
  }

  /** @returns what was reserved for the worker, and is open to all now. */
  loseTasksOf({
    workerId,
    now,
  }: {
    readonly workerId: string
    readonly now: EpochMs
  }): readonly OfferedTask[] {
    for (const lease of this.#leases.liveOf(workerId, now)) this.#leases.move(lease, now)
    const reserved = this.#reserved.of(workerId)
    for (const offer of reserved) {
      this.#reserved.remove(offer)
      this.#open(offer)
    }
    return reserved.map(({ task }) => task)
  }

  dropTask(taskId: string): void {
    const offer = this.#offers.get(taskId)
    if (offer !== undefined) this.#takeOffer(offer)
    this.#leases.remove(taskId)
    this.#lost.remove(taskId)
  }

  /** Tasks on offer, reserved ones too, the longest waiting first. */
  *offered(): Iterable<OfferedTask> {
    for (const { task } of this.#offers.values()) yield task
  }

  countOfferedTasks(): number {
    return this.#offers.size
  }

  /** When the next lease of a task, lost ones included, or reservation becomes due. */
  nextDueAt(): EpochMs | undefined {
    const times = [
      this.#leases.firstExpiry(),
      this.#reserved.firstEnd(),
      this.#lost.firstReady()?.rank,
      this.#lost.firstExpiry(),
    ].filter((time) => time !== undefined)
    return times.length === 0 ? undefined : Math.min(...times)
  }

  /** Lets all have a task. */
  #open(offer: Offer): void {
    const { classId, task } = offer
    let ofClass = this.#classes.get(classId)
    if (ofClass === undefined) {
      ofClass = { classId, demand: task.demand, offers: new Heap<Offer>(isTakenBefore) }
      this.#classes.set(classId, ofClass)
    }
    ofClass.offers.add(offer)
  }

  /** Takes a task out of its class, which is forgotten with its last one. */
  #close(offer: Offer): void {
    const ofClass = this.#classes.get(offer.classId)
    ofClass?.offers.remove(offer)
    if (ofClass?.offers.size === 0) this.#classes.delete(offer.classId)
  }

  #choose({ type }: TaskDemand, { candidates, choose, now }: Reservation): string | undefined {
    const withRoom = candidates
      .map(({ workerId, capacity }) => ({ workerId, capacity, held: this.#heldBy(workerId, now) }))
      .filter(({ held, capacity }) => held < capacity)
    if (withRoom.length === 0) return undefined
    switch (choose) {
      case 'best':
        return withRoom[0]?.workerId
      case 'least_held': {
        const least = Math.min(...withRoom.map(({ held }) => held))
        return withRoom.find(({ held }) => held === least)?.workerId
      }
      case 'turn': {
        const turn = (this.#turns.get(type) ?? -1) + 1
        this.#turns.delete(type)
        this.#turns.set(type, turn)
        const [oldest = type] = this.#turns.keys()
        if (this.#turns.size > MAX_TURNS) this.#turns.delete(oldest)
        return withRoom[turn % withRoom.length]?.workerId
      }
      default:
        return unreachable(choose)
    }
  }

  #heldBy(workerId: string, now: EpochMs): number {
    return this.#leases.countLive(workerId, now) + this.#reserved.count(workerId)
  }

  /** The claim without the classes that the worker holds enough of. */
  #withinLimits(claim: TaskClaim): TaskClaim {
    const { limits = [], workerId, now } = claim
    if (limits.length === 0) return claim
    const held = this.#leases.liveOf(workerId, now).map(({ task }) => task.demand.type)
    const reached = limits.filter(({ type, most }) => held.filter((t) => t === type).length >= most)
    const closed = new Set(reached.flatMap(({ classIds }) => classIds))
    return { ...claim, classIds: claim.classIds.filter((classId) => !closed.has(classId)) }
  }

  /** Takes the first task that does not avoid the worker; those before it are set aside. */
  #takeBest(claim: TaskClaim, passedOver: Offer[]): OfferedTask | undefined {
    for (;;) {
      const best = this.#bestOf(claim)
      if (best === undefined) return undefined
      if (!isAvoided(best.task, claim)) {
        this.#takeOffer(best)
        return best.task
      }
      this.#close(best)
      passedOver.push(best)
    }
  }

  /** Compares what is reserved with the heads of the classes, never what stands behind them. */
  #bestOf(claim: TaskClaim): Offer | undefined {
    const { workerId, classIds } = claim
    let best: Offer | undefined
    const consider = (offer: Offer | undefined): void => {
      if (offer !== undefined && (best === undefined || isTakenBefore(offer, best))) best = offer
    }
    for (const offer of this.#reserved.of(workerId)) {
      if (classIds.includes(offer.classId) && !isAvoided(offer.task, claim)) consider(offer)
    }
    for (const classId of classIds) consider(this.#classes.get(classId)?.offers.first())
    return best
  }

  #takeOffer(offer: Offer): void {
    this.#offers.delete(offer.task.taskId)
    if (!this.#reserved.remove(offer)) this.#close(offer)
  }

  /** What the worker should have and does not list never reached it (D-12). */
  #loseMissing({ workerId, now, missingSince }: TaskRenewal, listed: ReadonlySet<string>): void {
    if (missingSince === null) return
    const isMissing = ({ task, givenAt }: LeasedTask): boolean =>
      givenAt < missingSince && !listed.has(task.taskId)
    const missing = this.#leases.liveOf(workerId, now).filter(isMissing)
    for (const lease of missing) this.#leases.move(lease, now)
  }
}

/** Whether the task is not for this worker yet. */
function isAvoided({ avoid }: OfferedTask, { workerId, now }: TaskClaim): boolean {
  return avoid?.workerId === workerId && now < avoid.until
}

function isTakenBefore(a: Offer, b: Offer): boolean {
  const difference = a.task.priority - b.task.priority
  return difference === 0 ? a.order < b.order : difference > 0
}
