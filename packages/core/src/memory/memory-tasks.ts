/**
 * Tasks on offer, held by workers, or lost (S3 to S7, S10).
 *
 * A task is in exactly one of these: the queue of its class, the leases of a worker, the queue of
 * lost tasks. A lost one goes back to no queue of a class: its job must offer it as a new attempt.
 */
import type { OfferedTask } from '../job/effect.ts'
import type { EpochMs } from '../job/vocabulary.ts'
import {
  classIdOf,
  type ClaimedTask,
  type TaskClaim,
  type TaskClass,
  type TaskRenewal,
  type TaskStore,
} from '../ports/storage.ts'
import { Heap } from './heap.ts'
import { LeasedQueue, type QueueClaim } from './leased-queue.ts'
import type { Synchronous } from './synchronous.ts'
import { TaskLeases, type LeasedTask } from './task-leases.ts'

interface Offer {
  readonly task: OfferedTask
  readonly order: number
  readonly ofClass: OfferClass
}

interface OfferClass extends TaskClass {
  readonly offers: Heap<Offer>
}

interface LostTask {
  readonly taskId: string
  readonly jobId: string
  readonly rank: number
}

export class MemoryTasks implements Synchronous<TaskStore> {
  readonly #classes = new Map<string, OfferClass>()
  readonly #offers = new Map<string, Offer>()
  readonly #leases = new TaskLeases()
  readonly #lost = new LeasedQueue<LostTask>()
  #offersMade = 0

  /** Puts a task on offer; it replaces the task of the same id. */
  offer(task: OfferedTask): void {
    this.dropTask(task.taskId)
    this.#offersMade += 1
    const offer = { task, order: this.#offersMade, ofClass: this.#classOf(task) }
    this.#offers.set(task.taskId, offer)
    offer.ofClass.offers.add(offer)
  }

  listTaskClasses(): readonly TaskClass[] {
    return [...this.#classes.values()].map(({ classId, demand }) => ({ classId, demand }))
  }

  claimTasks(claim: TaskClaim): readonly ClaimedTask[] {
    const { workerId, now, capacity } = claim
    const free = capacity - this.#leases.countLive(workerId, now)
    const leaseExpiresAt = now + claim.leaseMs
    const claimed: ClaimedTask[] = []
    const passedOver: Offer[] = []
    while (claimed.length < Math.min(claim.limit, free)) {
      const task = this.#takeBest(claim, passedOver)
      if (task === undefined) break
      this.#leases.add({ task, workerId, givenAt: now }, leaseExpiresAt)
      claimed.push({ task, leaseExpiresAt })
    }
    // Back to their old places: what a worker is not given stands there for the others.
    for (const offer of passedOver) offer.ofClass.offers.add(offer)
    return claimed
  }

  renewTasks(renewal: TaskRenewal): readonly string[] {
    const { workerId, now, taskIds } = renewal
    const expiresAt = now + renewal.leaseMs
    if (taskIds === 'all') {
      for (const lease of this.#leases.liveOf(workerId, now)) this.#leases.move(lease, expiresAt)
      return []
    }
    const held = new Map(this.#leases.liveOf(workerId, now).map((l) => [l.task.taskId, l]))
    const notHeld: string[] = []
    for (const taskId of taskIds) {
      const lease = held.get(taskId)
      if (lease === undefined) notHeld.push(taskId)
      else this.#leases.move(lease, expiresAt)
    }
    this.#loseMissing(renewal, new Set(taskIds))
    return notHeld
  }

  claimLostTasks(
    claim: QueueClaim,
  ): readonly { readonly taskId: string; readonly jobId: string }[] {
    for (const { task, expiresAt } of this.#leases.takeExpired(claim.now)) {
      const { taskId, jobId } = task
      this.#lost.put(taskId, { taskId, jobId, rank: expiresAt })
    }
    return this.#lost.claim(claim).map(({ taskId, jobId }) => ({ taskId, jobId }))
  }

  loseTasksOf({ workerId, now }: { readonly workerId: string; readonly now: EpochMs }): void {
    for (const lease of this.#leases.liveOf(workerId, now)) this.#leases.move(lease, now)
  }

  dropTask(taskId: string): void {
    const offer = this.#offers.get(taskId)
    if (offer !== undefined) this.#takeOffer(offer)
    this.#leases.remove(taskId)
    this.#lost.remove(taskId)
  }

  countOfferedTasks(): number {
    return this.#offers.size
  }

  /** When the next lease of a task, lost ones included, becomes due. */
  nextDueAt(): EpochMs | undefined {
    const times = [
      this.#leases.firstExpiry(),
      this.#lost.firstReady()?.rank,
      this.#lost.firstExpiry(),
    ].filter((time) => time !== undefined)
    return times.length === 0 ? undefined : Math.min(...times)
  }

  #classOf({ demand }: OfferedTask): OfferClass {
    const classId = classIdOf(demand)
    const known = this.#classes.get(classId)
    if (known !== undefined) return known
    const created = { classId, demand, offers: new Heap<Offer>(isTakenBefore) }
    this.#classes.set(classId, created)
    return created
  }

  /** Takes the first task that does not avoid the worker; those before it are set aside. */
  #takeBest(claim: TaskClaim, passedOver: Offer[]): OfferedTask | undefined {
    for (;;) {
      const best = this.#bestOf(claim.classIds)
      if (best === undefined) return undefined
      if (!isAvoided(best.task, claim)) {
        this.#takeOffer(best)
        return best.task
      }
      best.ofClass.offers.remove(best)
      passedOver.push(best)
    }
  }

  /** Compares the heads of the classes, never what stands behind them. */
  #bestOf(classIds: readonly string[]): Offer | undefined {
    let best: Offer | undefined
    for (const classId of classIds) {
      const head = this.#classes.get(classId)?.offers.first()
      if (head !== undefined && (best === undefined || isTakenBefore(head, best))) best = head
    }
    return best
  }

  #takeOffer(offer: Offer): void {
    this.#offers.delete(offer.task.taskId)
    offer.ofClass.offers.remove(offer)
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
