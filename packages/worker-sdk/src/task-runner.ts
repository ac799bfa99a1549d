// Slot rules.  T1 A task holds a slot from its arrival until its handler really ends, aborted or not.
// T2 A result that waits for delivery holds no slot.  T3 A task that is delivered again while it runs
// runs once; its result answers for the newest attempt.  T4 Every task that arrives is answered for:
// run, handed back, or reported as malformed.
import {
  describeIssues,
  isIdentifier,
  isJsonObject,
  TASK_ERROR_CODES,
  taskPayloadSchema,
  type TaskPayload,
} from '@avtomatika/protocol'

import type { Admission } from './admission.ts'
import type { Clock } from './clock.ts'
import type { HotNames } from './hot-cache.ts'
import type { WorkerLogger } from './logger.ts'
import type { TaskMiddleware } from './middleware.ts'
import { runTask } from './run-task.ts'
import type { Skill, SkillRegistry } from './skill.ts'
import { TaskAborted, type AbortCause } from './task-abort.ts'
import type { EventChannel } from './task-events.ts'
import { failure, handedBack, type TaskOutcome } from './task-outcome.ts'
import { Wake } from './wake.ts'

/** Which task, and which try of it, a result is for. */
export interface TaskIdentity {
  readonly jobId: string
  readonly taskId: string
  readonly attempt?: number | undefined
}

/** Tells the progress of one task. */
export interface ProgressChannel {
  report(fraction: number, message?: string): void
  /** Resolves when the last report is out. */
  flush(): Promise<void>
}

/** Where a task came from; what becomes of it is told there. */
export interface TaskHome {
  readonly logger: WorkerLogger
  openProgress(task: TaskIdentity): ProgressChannel
  openEvents(task: TaskIdentity): EventChannel
  deliver(task: TaskIdentity, outcome: TaskOutcome, before?: Promise<void>): void
  /** Whether a result for exactly this task and attempt waits for delivery. */
  hasResult(task: TaskIdentity): boolean
  /** A task is about to begin. */
  noteStart(): void
  noteEnd(): void
}

/** What a runner needs. */
export interface TaskRunnerOptions {
  readonly admission: Admission
  readonly clock: Clock
  readonly skills: SkillRegistry
  readonly hotCache: HotNames
  readonly middleware: readonly TaskMiddleware[]
  readonly sendStacks: boolean
}

/** What is loaded, by name, and the tasks that it makes fast to start. */
export interface HotState {
  readonly cache: readonly string[]
  readonly skills: readonly string[]
}

/** What a poll may ask for. */
export interface PollScope {
  /** Most tasks. */
  readonly max: number
  /** Names of the only tasks that can be started now; absent = all that the worker has. */
  readonly only?: readonly string[]
}

interface RunningTask {
  readonly home: TaskHome
  readonly skill: Skill | undefined
  payload: TaskPayload
  readonly abort: AbortController
  /** Handed back while its handler still ran: what the handler returns is nobody's business now. */
  isReleased: boolean
  /** The same task, to be run when this run, which was told to stop, has ended. */
  successor?: TaskPayload
}

/** Runs tasks, as many at a time as there are slots. */
export class TaskRunner {
  /** Notified when more can be started than before. */
  readonly changed = new Wake()
  readonly #options: TaskRunnerOptions
  readonly #running = new Set<RunningTask>()
  #isDraining = false

  constructor(options: TaskRunnerOptions) {
    this.#options = options
  }

  /** How many tasks can be taken now, whichever of those that can be started they are. */
  get free(): number {
    return this.scope.max
  }

  /** What to ask for now. */
  get scope(): PollScope {
    if (this.#isDraining) return { max: 0 }
    const { admission, skills } = this.#options
    const startable = admission.startable()
    const max = admission.roomForAny(startable)
    return startable.length === skills.all.length ? { max } : { max, only: startable }
  }

  /** What is loaded; `undefined` when nothing ever was. */
  get hot(): HotState | undefined {
    const { hotCache, skills } = this.#options
    if (!hotCache.isInUse) return undefined
    return { cache: hotCache.all, skills: skills.hot((name) => hotCache.has(name)) }
  }

  /** How many tasks run. */
  get load(): number {
    return this.#running.size
  }

  /** Whether new tasks are handed back. */
  get isDraining(): boolean {
    return this.#isDraining
  }

  /** Ids of the tasks from one home that run and were not handed back. */
  taskIds(home: TaskHome): string[] {
    return [...this.#running]
      .filter((task) => task.home === home && !task.isReleased)
      .map(({ payload }) => payload.task_id)
  }

  /** Takes a task as it came from the wire. */
  admit(raw: unknown, home: TaskHome): void {
    const parsed = taskPayloadSchema.safeParse(raw)
    if (!parsed.success) {
      rejectMalformed(raw, describeIssues(parsed.error), home)
      return
    }
    const payload = byOwnClock(parsed.data, this.#options.clock.now())
    const running = this.#find(payload.task_id, home)
    if (running !== undefined) {
      this.#admitAgain(running, payload)
    } else if (home.hasResult(identityOf(payload))) {
      home.logger.info({ taskId: payload.task_id }, 'the task came again; its result is on the way')
    } else if (this.#isDraining) {
      home.deliver(identityOf(payload), handedBack())
    } else {
      this.#startOrHandBack(payload, home)
    }
  }

  /** Tells these tasks to stop. */
  cancel(taskIds: readonly string[], home: TaskHome): void {
    for (const taskId of taskIds) {
      this.#find(taskId, home)?.abort.abort(new TaskAborted('cancelled'))
    }
  }

  /** From now on new tasks are handed back. */
  drain(): void {
    this.#isDraining = true
  }

  /** Tells all tasks to stop. */
  abortAll(cause: AbortCause): void {
    for (const { abort } of this.#running) abort.abort(new TaskAborted(cause))
  }

  /** Gives all tasks back whose handlers still run; what these return later is dropped. */
  handBackAll(): void {
    for (const task of this.#running) {
      if (task.isReleased) continue
      task.isReleased = true
      task.home.logger.warn(
        { taskId: task.payload.task_id },
        'the task did not stop, handing it back',
      )
      task.home.deliver(identityOf(task.payload), handedBack())
    }
  }

  /** Waits until tasks can be started that are not in this scope, or the abort. */
  async whenWider({ only }: PollScope, signal: AbortSignal): Promise<void> {
    await this.changed.until(() => only !== undefined && this.#isWiderThan(only), signal)
  }

  /** Waits until no task runs, or the abort. */
  async whenIdle(signal: AbortSignal): Promise<void> {
    await this.changed.until(() => this.#running.size === 0, signal)
  }

  #find(taskId: string, home: TaskHome): RunningTask | undefined {
    return [...this.#running].find(
      (task) => task.home === home && task.payload.task_id === taskId && !task.isReleased,
    )
  }

  #admitAgain(running: RunningTask, payload: TaskPayload): void {
    const { home, abort } = running
    const isSame =
      running.payload.attempt === payload.attempt && running.payload.type === payload.type
    home.logger.info(
      { taskId: payload.task_id, attempt: payload.attempt },
      'the task came again while it runs',
    )
    if (this.#isDraining && !isSame) home.deliver(identityOf(payload), handedBack())
    else if (isSame) return
    else if (abort.signal.aborted || running.payload.type !== payload.type)
      running.successor = payload
    else running.payload = payload
  }

  #isWiderThan(only: readonly string[]): boolean {
    const { max, only: now = this.#options.skills.all.map(({ name }) => name) } = this.scope
    return max > 0 && now.some((name) => !only.includes(name))
  }

  #startOrHandBack(payload: TaskPayload, home: TaskHome): void {
    const { admission, skills } = this.#options
    const skill = skills.find(payload.type)
    if (!admission.admits(skill)) {
      home.deliver(identityOf(payload), handedBack('no room'))
      return
    }
    const abort = new AbortController()
    const task: RunningTask = { home, skill, payload, abort, isReleased: false }
    this.#running.add(task)
    admission.enter(skill)
    home.noteStart()
    void this.#run(task)
  }

  /** Never rejects. */
  async #run(task: RunningTask): Promise<void> {
    const { home, abort, payload, skill } = task
    const { admission, clock, hotCache, middleware, sendStacks } = this.#options
    const progress = home.openProgress(identityOf(payload))
    const events = home.openEvents(identityOf(payload))
    const outcome = await runTask({
      payload,
      skill,
      abort,
      clock,
      logger: loggerFor(home, payload),
      hotCache,
      middleware,
      sendStacks,
      progress: (fraction, message) => {
        if (!task.isReleased) progress.report(fraction, message)
      },
      emit: (event, eventPayload) => events.emit(event, eventPayload),
      stream: (chunk) => events.stream(chunk),
    })
    this.#running.delete(task)
    admission.leave(skill)
    const flushed = Promise.all([progress.flush(), events.flush()]).then(() => undefined)
    // `task.payload`: the attempt may have changed while the handler ran (T3).
    if (!task.isReleased) home.deliver(identityOf(task.payload), outcome, flushed)
    if (task.successor !== undefined) this.admit(task.successor, home)
    home.noteEnd()
    this.changed.notify()
  }
}

/** With the deadline as this machine's clock will show it; older orchestrators tell theirs only. */
function byOwnClock(payload: TaskPayload, now: number): TaskPayload {
  const { deadline_in: secondsLeft } = payload
  return secondsLeft == null ? payload : { ...payload, deadline: now / 1000 + secondsLeft }
}

function identityOf({ job_id: jobId, task_id: taskId, attempt }: TaskPayload): TaskIdentity {
  return { jobId, taskId, ...(attempt != null && { attempt }) }
}

function loggerFor({ logger }: TaskHome, payload: TaskPayload): WorkerLogger {
  const { task_id: taskId, job_id: jobId, type: taskType, attempt } = payload
  return logger.child({ taskId, jobId, taskType, ...(attempt != null && { attempt }) })
}

function rejectMalformed(
  raw: unknown,
  issues: readonly { readonly path: string; readonly message: string }[],
  home: TaskHome,
): void {
  home.logger.error({ issues }, 'the orchestrator sent a task that cannot be read')
  if (!isJsonObject(raw)) return
  const { job_id: jobId, task_id: taskId, attempt } = raw
  if (!isIdentifier(jobId) || typeof taskId !== 'string' || taskId === '') return
  const message = `Invalid task: ${issues.map(({ path, message }) => `${path}: ${message}`).join('; ')}`
  const identity = { jobId, taskId, ...(isAttempt(attempt) && { attempt }) }
  home.deliver(identity, failure(TASK_ERROR_CODES.invalidInput, message, { issues }))
}

function isAttempt(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0
}
