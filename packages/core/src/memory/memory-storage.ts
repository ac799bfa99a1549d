/**
 * The store of an embedded engine: everything in this process, nothing after it.
 *
 * It keeps S1 to S12 of the port by doing each call within one turn of the event loop: between two
 * calls nothing is half done, so there is nothing to lock. No call costs more because more jobs are
 * stored; what grows, grows with the logarithm of what waits.
 */
import type { Effect } from '../job/effect.ts'
import type { Job } from '../job/job.ts'
import type { TaskDemand } from '../job/task.ts'
import { unreachable } from '../job/unreachable.ts'
import type { Hint } from '../ports/hint.ts'
import { hintsOf } from '../ports/hints-of.ts'
import type { CommitEntry, CommitOutcome, Storage } from '../ports/storage.ts'
import { classIdOf } from '../ports/task-store.ts'
import { closedError } from './closed-error.ts'
import { Hints } from './hints.ts'
import { MemoryDeadlines } from './memory-deadlines.ts'
import { MemoryJobs } from './memory-jobs.ts'
import { MemoryLimits } from './memory-limits.ts'
import { MemoryLocks } from './memory-locks.ts'
import { MemoryMessages } from './memory-messages.ts'
import { MemoryOutbox } from './memory-outbox.ts'
import { MemoryReputations } from './memory-reputations.ts'
import { MemorySteps } from './memory-steps.ts'
import { MemoryTasks } from './memory-tasks.ts'
import { MemoryTokens } from './memory-tokens.ts'
import { MemoryWorkers } from './memory-workers.ts'

/** Limits of a {@link MemoryStorage}. */
export interface MemoryStorageOptions {
  /**
   * Jobs that finished, failed or were cancelled and can still be read; beyond that the one that
   * ended first is forgotten. Live and quarantined jobs are always kept. Default 10 000.
   */
  readonly retainTerminalJobs?: number
  /** Takes what a hint listener threw; listeners must not throw. Default: a process warning. */
  readonly onListenerError?: (error: unknown) => void
}

/** Storage in the memory of this process. */
export class MemoryStorage implements Storage {
  readonly #jobs: MemoryJobs
  readonly #hints: Hints
  readonly #outbox = new MemoryOutbox()
  readonly #steps = new MemorySteps()
  readonly #tasks = new MemoryTasks()
  readonly #deadlines = new MemoryDeadlines()
  readonly #workers = new MemoryWorkers()
  readonly #reputations = new MemoryReputations()
  readonly #messages = new MemoryMessages()
  readonly #locks = new MemoryLocks()
  readonly #limits = new MemoryLimits()
  readonly #tokens = new MemoryTokens()
  #isClosed = false

  constructor(options: MemoryStorageOptions = {}) {
    this.#jobs = new MemoryJobs(options.retainTerminalJobs ?? 10_000)
    this.#hints = new Hints(options.onListenerError ?? warnOfListener)
  }

  commit(entries: readonly CommitEntry[]): Promise<readonly CommitOutcome[]> {
    return this.#call(() => {
      const hints: Hint[] = []
      const outcomes = entries.map((entry) => {
        const outcome = this.#check(entry)
        if (outcome.kind === 'committed') hints.push(...hintsOf(entry, this.#write(entry)))
        return outcome
      })
      this.#hints.tell(hints)
      return outcomes
    })
  }

  findJob(...args: Parameters<Storage['findJob']>): ReturnType<Storage['findJob']> {
    return this.#call(() => this.#jobs.find(...args))
  }

  findCreated(...args: Parameters<Storage['findCreated']>): ReturnType<Storage['findCreated']> {
    return this.#call(() => this.#jobs.findCreated(...args))
  }

  listQuarantined(
    ...args: Parameters<Storage['listQuarantined']>
  ): ReturnType<Storage['listQuarantined']> {
    return this.#call(() => this.#jobs.listQuarantined(...args))
  }

  listJobsOnOffer({
    ownerId,
    limit,
  }: Parameters<Storage['listJobsOnOffer']>[0]): ReturnType<Storage['listJobsOnOffer']> {
    return this.#call(() => {
      const found = new Map<string, Job>()
      for (const { jobId } of this.#tasks.offered()) {
        const job = this.#jobs.find(jobId)
        const isSought = ownerId === undefined || job?.owner.clientId === ownerId
        if (job !== undefined && isSought) found.set(jobId, job)
        if (found.size >= limit) break
      }
      return [...found.values()]
    })
  }

  removeEndedJobs(
    ...args: Parameters<Storage['removeEndedJobs']>
  ): ReturnType<Storage['removeEndedJobs']> {
    return this.#call(() => this.#jobs.removeEndedJobs(...args))
  }

  claimQuietJobs(
    ...args: Parameters<Storage['claimQuietJobs']>
  ): ReturnType<Storage['claimQuietJobs']> {
    return this.#call(() => this.#jobs.claimQuietJobs(...args))
  }

  findMissing(
    ...[reasons, givenBefore]: Parameters<Storage['findMissing']>
  ): ReturnType<Storage['findMissing']> {
    const { steps, tasks, offered, deadlines } = reasons
    return this.#call(() => ({
      steps: steps.filter((id) => !this.#steps.has(id)),
      tasks: tasks.filter((id) => !this.#tasks.has(id)),
      offered: offered.filter((id) => this.#tasks.wasGiven(id, givenBefore)),
      deadlines: deadlines.filter((deadline) => !this.#deadlines.has(deadline)),
    }))
  }

  claimSteps(...args: Parameters<Storage['claimSteps']>): ReturnType<Storage['claimSteps']> {
    return this.#call(() => this.#steps.claimSteps(...args))
  }

  renewStep(...args: Parameters<Storage['renewStep']>): ReturnType<Storage['renewStep']> {
    return this.#call(() => this.#steps.renewStep(...args))
  }

  releaseStep(...args: Parameters<Storage['releaseStep']>): ReturnType<Storage['releaseStep']> {
    return this.#call(() => {
      const isReleased = this.#steps.releaseStep(...args)
      if (isReleased) this.#hints.tell([{ kind: 'step' }])
      return isReleased
    })
  }

  dropStep(...args: Parameters<Storage['dropStep']>): ReturnType<Storage['dropStep']> {
    return this.#call(() => {
      this.#steps.dropStep(...args)
    })
  }

  countSteps(): ReturnType<Storage['countSteps']> {
    return this.#call(() => this.#steps.countSteps())
  }

  listTaskClasses(): ReturnType<Storage['listTaskClasses']> {
    return this.#call(() => this.#tasks.listTaskClasses())
  }

  claimTasks(...args: Parameters<Storage['claimTasks']>): ReturnType<Storage['claimTasks']> {
    return this.#call(() => this.#tasks.claimTasks(...args))
  }

  endReservations(
    ...args: Parameters<Storage['endReservations']>
  ): ReturnType<Storage['endReservations']> {
    return this.#call(() => {
      const ended = this.#tasks.endReservations(...args)
      for (const { taskId } of ended) this.#tellOfTask(this.#tasks.demandOf(taskId))
      return ended
    })
  }

  renewTasks(...args: Parameters<Storage['renewTasks']>): ReturnType<Storage['renewTasks']> {
    return this.#call(() => this.#losing(args[0].now, () => this.#tasks.renewTasks(...args)))
  }

  claimLostTasks(
    ...args: Parameters<Storage['claimLostTasks']>
  ): ReturnType<Storage['claimLostTasks']> {
    return this.#call(() => this.#tasks.claimLostTasks(...args))
  }

  loseTasksOf(...args: Parameters<Storage['loseTasksOf']>): ReturnType<Storage['loseTasksOf']> {
    return this.#call(() => {
      const opened = this.#losing(args[0].now, () => this.#tasks.loseTasksOf(...args))
      for (const { demand } of opened) this.#tellOfTask(demand)
    })
  }

  dropTask(...args: Parameters<Storage['dropTask']>): ReturnType<Storage['dropTask']> {
    return this.#call(() => {
      this.#tasks.dropTask(...args)
    })
  }

  countOfferedTasks(): ReturnType<Storage['countOfferedTasks']> {
    return this.#call(() => this.#tasks.countOfferedTasks())
  }

  claimDueDeadlines(
    ...args: Parameters<Storage['claimDueDeadlines']>
  ): ReturnType<Storage['claimDueDeadlines']> {
    return this.#call(() => this.#deadlines.claimDueDeadlines(...args))
  }

  dropDeadline(...args: Parameters<Storage['dropDeadline']>): ReturnType<Storage['dropDeadline']> {
    return this.#call(() => {
      this.#deadlines.dropDeadline(...args)
    })
  }

  /**
   * The earliest of deadlines, task leases and the leases of what the watcher claimed. Leases of
   * steps, messages and records are left out: whoever claims those takes them back by claiming.
   */
  nextDueAt(): ReturnType<Storage['nextDueAt']> {
    return this.#call(() => {
      const deadline = this.#deadlines.nextDueAt()
      const task = this.#tasks.nextDueAt()
      return deadline === undefined || task === undefined
        ? (deadline ?? task)
        : Math.min(deadline, task)
    })
  }

  putWorker(...args: Parameters<Storage['putWorker']>): ReturnType<Storage['putWorker']> {
    return this.#call(() => {
      this.#workers.putWorker(...args)
    })
  }

  updateWorker(...args: Parameters<Storage['updateWorker']>): ReturnType<Storage['updateWorker']> {
    return this.#call(() => this.#workers.updateWorker(...args))
  }

  findWorker(...args: Parameters<Storage['findWorker']>): ReturnType<Storage['findWorker']> {
    return this.#call(() => this.#workers.findWorker(...args))
  }

  listWorkers(...args: Parameters<Storage['listWorkers']>): ReturnType<Storage['listWorkers']> {
    return this.#call(() => this.#workers.listWorkers(...args))
  }

  removeWorker(...args: Parameters<Storage['removeWorker']>): ReturnType<Storage['removeWorker']> {
    return this.#call(() => {
      this.#workers.removeWorker(...args)
    })
  }

  changedWorkers(
    ...args: Parameters<Storage['changedWorkers']>
  ): ReturnType<Storage['changedWorkers']> {
    return this.#call(() => this.#workers.changedWorkers(...args))
  }

  claimRecords(...args: Parameters<Storage['claimRecords']>): ReturnType<Storage['claimRecords']> {
    return this.#call(() => this.#outbox.claimRecords(...args))
  }

  ackRecords(...args: Parameters<Storage['ackRecords']>): ReturnType<Storage['ackRecords']> {
    return this.#call(() => {
      this.#outbox.ackRecords(...args)
    })
  }

  countRecords(): ReturnType<Storage['countRecords']> {
    return this.#call(() => this.#outbox.countRecords())
  }

  oldestRecordAt(): ReturnType<Storage['oldestRecordAt']> {
    return this.#call(() => this.#outbox.oldestRecordAt())
  }

  dropOldestRecords(
    ...args: Parameters<Storage['dropOldestRecords']>
  ): ReturnType<Storage['dropOldestRecords']> {
    return this.#call(() => this.#outbox.dropOldestRecords(...args))
  }

  claimMessages(
    ...args: Parameters<Storage['claimMessages']>
  ): ReturnType<Storage['claimMessages']> {
    return this.#call(() => this.#messages.claimMessages(...args))
  }

  ackMessages(...args: Parameters<Storage['ackMessages']>): ReturnType<Storage['ackMessages']> {
    return this.#call(() => {
      this.#messages.ackMessages(...args)
    })
  }

  acquireLock(...args: Parameters<Storage['acquireLock']>): ReturnType<Storage['acquireLock']> {
    return this.#call(() => this.#locks.acquireLock(...args))
  }

  renewLock(...args: Parameters<Storage['renewLock']>): ReturnType<Storage['renewLock']> {
    return this.#call(() => this.#locks.renewLock(...args))
  }

  releaseLock(...args: Parameters<Storage['releaseLock']>): ReturnType<Storage['releaseLock']> {
    return this.#call(() => this.#locks.releaseLock(...args))
  }

  hit(...args: Parameters<Storage['hit']>): ReturnType<Storage['hit']> {
    return this.#call(() => this.#limits.hit(...args))
  }

  takeQuota(...args: Parameters<Storage['takeQuota']>): ReturnType<Storage['takeQuota']> {
    return this.#call(() => this.#limits.takeQuota(...args))
  }

  readQuota(...args: Parameters<Storage['readQuota']>): ReturnType<Storage['readQuota']> {
    return this.#call(() => this.#limits.readQuota(...args))
  }

  giveBackQuota(
    ...args: Parameters<Storage['giveBackQuota']>
  ): ReturnType<Storage['giveBackQuota']> {
    return this.#call(() => {
      this.#limits.giveBackQuota(...args)
    })
  }

  issueTokens(...args: Parameters<Storage['issueTokens']>): ReturnType<Storage['issueTokens']> {
    return this.#call(() => {
      this.#tokens.issueTokens(...args)
    })
  }

  findAccessToken(
    ...args: Parameters<Storage['findAccessToken']>
  ): ReturnType<Storage['findAccessToken']> {
    return this.#call(() => this.#tokens.findAccessToken(...args))
  }

  rotateTokens(...args: Parameters<Storage['rotateTokens']>): ReturnType<Storage['rotateTokens']> {
    return this.#call(() => this.#tokens.rotateTokens(...args))
  }

  endTokenFamily(
    ...args: Parameters<Storage['endTokenFamily']>
  ): ReturnType<Storage['endTokenFamily']> {
    return this.#call(() => {
      this.#tokens.endTokenFamily(...args)
    })
  }

  rateWorkers(...args: Parameters<Storage['rateWorkers']>): ReturnType<Storage['rateWorkers']> {
    return this.#call(() => this.#reputations.rateWorkers(...args))
  }

  readReputations(
    ...args: Parameters<Storage['readReputations']>
  ): ReturnType<Storage['readReputations']> {
    return this.#call(() => this.#reputations.readReputations(...args))
  }

  /** @throws UnavailableError `STORAGE_CLOSED` after `close`. */
  onHint(listener: (hint: Hint) => void): () => void {
    if (this.#isClosed) throw closedError('memory storage')
    return this.#hints.listen(listener)
  }

  tell(...args: Parameters<Storage['tell']>): ReturnType<Storage['tell']> {
    return this.#call(() => {
      this.#hints.tell(...args)
    })
  }

  ping(): Promise<void> {
    return this.#call(() => undefined)
  }

  /** Ends the store; a second call does nothing. */
  close(): Promise<void> {
    this.#isClosed = true
    this.#hints.stop()
    return Promise.resolve()
  }

  #check(entry: CommitEntry): CommitOutcome {
    const outcome = this.#jobs.check(entry)
    if (outcome.kind !== 'committed' || this.#tasks.haveRoom(entry.handOvers ?? [])) return outcome
    return { kind: 'no_room' }
  }

  /**
   * Makes an accepted entry true. Runs to its end within this turn, which is what S1 rests on.
   * @returns the workers that its tasks are reserved for, by task id.
   */
  #write(entry: CommitEntry): ReadonlyMap<string, string> {
    const reservedFor = new Map<string, string>()
    const { effects, reservations = [], handOvers = [] } = entry
    const handed = new Map(handOvers.map((each) => [each.taskId, each]))
    const wishes = new Map(reservations.map((each) => [each.taskId, each]))
    this.#jobs.put(entry)
    for (const effect of effects) {
      if (effect.kind !== 'offer_task') {
        this.#apply(entry, effect)
        continue
      }
      const { task } = effect
      const handOver = handed.get(task.taskId)
      if (handOver !== undefined) {
        this.#tasks.handOver(task, handOver)
        continue
      }
      const workerId = this.#tasks.offer(task, wishes.get(task.taskId))
      if (workerId !== undefined) reservedFor.set(task.taskId, workerId)
    }
    return reservedFor
  }

  #apply(
    { job: { id: jobId }, stepLease }: CommitEntry,
    effect: Exclude<Effect, { kind: 'offer_task' }>,
  ): void {
    switch (effect.kind) {
      case 'run_step':
        return this.#steps.put(effect.stepId, jobId, stepLease)
      case 'withdraw_step':
        return this.#steps.dropStep(effect.stepId)
      case 'withdraw_task':
        return this.#tasks.dropTask(effect.taskId)
      case 'set_deadline':
        return this.#deadlines.set({ jobId, key: effect.key, at: effect.at })
      case 'clear_deadline':
        return this.#deadlines.clear(jobId, effect.key)
      case 'send':
        return this.#messages.put(effect.message)
      case 'record':
        return this.#outbox.put(effect.record)
      default:
        return unreachable(effect)
    }
  }

  #tellOfTask(demand: TaskDemand | undefined): void {
    if (demand === undefined) return
    this.#hints.tell([{ kind: 'task', classId: classIdOf(demand), demand }])
  }

  /** Tells the watcher when an operation made leases due that had time left. */
  #losing<T>(now: number, operation: () => T): T {
    const before = this.#tasks.nextDueAt()
    const answer = operation()
    const after = this.#tasks.nextDueAt()
    if (after !== before && after !== undefined && after <= now) {
      this.#hints.tell([{ kind: 'deadline', at: after }])
    }
    return answer
  }

  #call<T>(operation: () => T): Promise<T> {
    if (this.#isClosed) return Promise.reject(closedError('memory storage'))
    // Runs now; what it throws becomes the rejection.
    return new Promise((resolve) => {
      resolve(operation())
    })
  }
}

function warnOfListener(error: unknown): void {
  process.emitWarning('A listener for storage hints threw; listeners must not throw.', {
    type: 'AvtomatikaWarning',
    detail: error instanceof Error ? (error.stack ?? error.message) : String(error),
  })
}
