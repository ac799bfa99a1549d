/**
 * The store of an embedded engine: everything in this process, nothing after it.
 *
 * It keeps S1 to S11 of the port by doing each call within one turn of the event loop: between two
 * calls nothing is half done, so there is nothing to lock. No call costs more because more jobs are
 * stored; what grows, grows with the logarithm of what waits.
 */
import type { Effect } from '../job/effect.ts'
import { unreachable } from '../job/unreachable.ts'
import type { CommitEntry, CommitOutcome, Hint, Storage } from '../ports/storage.ts'
import { closedError } from './closed-error.ts'
import { Hints, hintsOf } from './hints.ts'
import { MemoryDeadlines } from './memory-deadlines.ts'
import { MemoryJobs } from './memory-jobs.ts'
import { MemoryMessages } from './memory-messages.ts'
import { MemoryOutbox } from './memory-outbox.ts'
import { MemorySteps } from './memory-steps.ts'
import { MemoryTasks } from './memory-tasks.ts'
import { MemoryWorkers } from './memory-workers.ts'

/** Limits of a {@link MemoryStorage}. */
export interface MemoryStorageOptions {
  /** Records that may wait in the outbox; beyond that the oldest are dropped. Default 100 000. */
  readonly maxOutboxRecords?: number
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
  readonly #outbox: MemoryOutbox
  readonly #hints: Hints
  readonly #steps = new MemorySteps()
  readonly #tasks = new MemoryTasks()
  readonly #deadlines = new MemoryDeadlines()
  readonly #workers = new MemoryWorkers()
  readonly #messages = new MemoryMessages()
  #isClosed = false

  constructor(options: MemoryStorageOptions = {}) {
    const { maxOutboxRecords = 100_000, retainTerminalJobs = 10_000 } = options
    this.#jobs = new MemoryJobs(retainTerminalJobs)
    this.#outbox = new MemoryOutbox(maxOutboxRecords)
    this.#hints = new Hints(options.onListenerError ?? warnOfListener)
  }

  /** Records dropped so far because the outbox was full. */
  get droppedRecords(): number {
    return this.#outbox.dropped
  }

  commit(entries: readonly CommitEntry[]): Promise<readonly CommitOutcome[]> {
    return this.#call(() => {
      const hints: Hint[] = []
      const outcomes = entries.map((entry) => {
        const outcome = this.#jobs.check(entry)
        if (outcome.kind === 'committed') {
          this.#write(entry)
          hints.push(...hintsOf(entry))
        }
        return outcome
      })
      this.#hints.tell(hints)
      return outcomes
    })
  }

  findJob(...args: Parameters<Storage['findJob']>): ReturnType<Storage['findJob']> {
    return this.#call(() => this.#jobs.find(...args))
  }

  listQuarantined(
    ...args: Parameters<Storage['listQuarantined']>
  ): ReturnType<Storage['listQuarantined']> {
    return this.#call(() => this.#jobs.listQuarantined(...args))
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

  listTaskClasses(): ReturnType<Storage['listTaskClasses']> {
    return this.#call(() => this.#tasks.listTaskClasses())
  }

  claimTasks(...args: Parameters<Storage['claimTasks']>): ReturnType<Storage['claimTasks']> {
    return this.#call(() => this.#tasks.claimTasks(...args))
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
      this.#losing(args[0].now, () => {
        this.#tasks.loseTasksOf(...args)
      })
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

  claimRecords(...args: Parameters<Storage['claimRecords']>): ReturnType<Storage['claimRecords']> {
    return this.#call(() => this.#outbox.claimRecords(...args))
  }

  ackRecords(...args: Parameters<Storage['ackRecords']>): ReturnType<Storage['ackRecords']> {
    return this.#call(() => {
      this.#outbox.ackRecords(...args)
    })
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

  /** @throws UnavailableError `STORAGE_CLOSED` after `close`. */
  onHint(listener: (hint: Hint) => void): () => void {
    if (this.#isClosed) throw closedError('memory storage')
    return this.#hints.listen(listener)
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

  /** Makes an accepted entry true. Runs to its end within this turn, which is what S1 rests on. */
  #write(entry: CommitEntry): void {
    this.#jobs.put(entry)
    for (const effect of entry.effects) this.#apply(entry.job.id, effect)
  }

  #apply(jobId: string, effect: Effect): void {
    switch (effect.kind) {
      case 'run_step':
        return this.#steps.put(effect.stepId, jobId)
      case 'withdraw_step':
        return this.#steps.dropStep(effect.stepId)
      case 'offer_task':
        return this.#tasks.offer(effect.task)
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
