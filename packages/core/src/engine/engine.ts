/** The orchestrator without its HTTP: jobs in, tasks out, everything else on its own. */
import { createHash } from 'node:crypto'
import {
  ConflictError,
  describeIssues,
  InputError,
  NotFoundError,
  UnavailableError,
  type JsonObject,
  type Result,
} from '@avtomatika/protocol'
import { startTarget, type BlueprintDefinition } from '../blueprint/definition.ts'
import { DispatchSettings } from '../blueprint/dispatch-settings.ts'
import type { BlueprintRegistry } from '../blueprint/registry.ts'
import { toJsonObject } from '../json/to-json.ts'
import type { Decision } from '../job/decision.ts'
import type { HistoryRecord } from '../job/effect.ts'
import type { Job, JobOwner } from '../job/job.ts'
import type { Clock } from '../ports/clock.ts'
import type { History } from '../ports/history.ts'
import type { Ids } from '../ports/ids.ts'
import type { Log } from '../ports/log.ts'
import type { CommitEntry, Hint, Storage } from '../ports/storage.ts'
import { Dispatcher } from './dispatcher.ts'
import type { EngineParts } from './engine-parts.ts'
import { Executor } from './executor.ts'
import { Fleet } from './fleet.ts'
import { JobWriter } from './job-writer.ts'
import { Outbox } from './outbox.ts'
import { workerTtlMs, type EngineSettings } from './settings.ts'
import { taskOutcome } from './task-outcome.ts'
import { Watcher } from './watcher.ts'

export interface EngineOptions {
  readonly storage: Storage
  readonly history: History
  readonly blueprints: BlueprintRegistry
  readonly settings: EngineSettings
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
  readonly instanceId: string
  readonly checkInvariants?: boolean
}

export interface NewJobRequest {
  readonly blueprint: BlueprintDefinition
  readonly initialData: unknown
  readonly owner: JobOwner
  readonly tracing?: Readonly<Record<string, string>>
  readonly metadata?: JsonObject
  readonly webhookUrl?: string | undefined
  readonly dispatchTimeoutMs?: number | undefined
  readonly resultTimeoutMs?: number | undefined
  /** The same key from the same owner creates one job, however often it is sent. */
  readonly idempotencyKey?: string | undefined
}

export interface ProgressReport {
  readonly jobId: string
  readonly taskId: string | null
  readonly workerId: string
  /** From 0 to 1. */
  readonly progress: number
  readonly message: string | null
}

export interface ChangeWait {
  /** Answer after this long in any case, in ms. */
  readonly waitMs: number
  readonly changedAfter?: number | undefined
  readonly signal: AbortSignal
}

/** How often a wait for a change looks by itself: another process may have made the change. */
const LOOK_AGAIN_MS = 1_000

export class Engine {
  readonly fleet: Fleet
  readonly dispatcher: Dispatcher
  readonly #parts: EngineParts
  readonly #history: History
  readonly #settings: EngineSettings
  readonly #executor: Executor
  readonly #watcher: Watcher
  readonly #outbox: Outbox
  #stopHints: (() => void) | undefined
  #isRunning = false

  constructor(options: EngineOptions) {
    const { storage, clock, ids, log, instanceId, settings, blueprints } = options
    const { rules, taskTimeoutMs, executorConcurrency: concurrency } = settings
    const checkInvariants = options.checkInvariants ?? false
    const writer = new JobWriter({ storage, rules, checkInvariants })
    this.#parts = { storage, writer, clock, ids, log, instanceId }
    this.#history = options.history
    this.#settings = settings
    this.fleet = new Fleet(this.#parts, workerTtlMs(settings))
    this.dispatcher = new Dispatcher(this.#parts, workerTtlMs(settings))
    const dispatch = new DispatchSettings(taskTimeoutMs)
    this.#executor = new Executor(this.#parts, { blueprints, settings: dispatch, concurrency })
    this.#watcher = new Watcher(this.#parts)
    this.#outbox = new Outbox(this.#parts, options.history)
  }

  /** Starts the loops; a second call changes nothing. */
  start(): void {
    this.#isRunning = true
    this.#stopHints ??= this.#parts.storage.onHint((hint) => {
      this.#follow(hint)
    })
    this.dispatcher.start()
    this.#executor.start()
    this.#watcher.start()
    this.#outbox.start()
  }

  /**
   * Sends waiting polls and reads home, lets running handlers end and the outbox drain what it holds.
   * @param graceMs - how long handlers may take to end. Default: as long as it takes.
   */
  async stop(graceMs?: number): Promise<void> {
    this.#isRunning = false
    this.dispatcher.stop()
    this.#parts.writer.announceAll()
    await Promise.all([this.#executor.stop(graceMs), this.#watcher.stop()])
    await this.#outbox.stop()
    this.#stopHints?.()
    this.#stopHints = undefined
  }

  /**
   * Accepts a job.
   * @throws InputError `INVALID_INPUT` when the input does not match the blueprint's schema.
   * @throws ConflictError `IDEMPOTENCY_CONFLICT` when the key was used for another request.
   */
  async createJob(request: NewJobRequest): Promise<{ readonly jobId: string }> {
    const { blueprint, owner } = request
    const { clock, ids, writer } = this.#parts
    const initialData = await checkedInput(blueprint, request.initialData)
    const id = ids.jobId()
    const job = {
      id,
      blueprint: blueprint.ref,
      initialData,
      owner,
      tracing: request.tracing ?? {},
      metadata: request.metadata ?? {},
      webhookUrl: request.webhookUrl ?? null,
      parentId: null,
      dispatchTimeoutMs: request.dispatchTimeoutMs ?? null,
      resultTimeoutMs: request.resultTimeoutMs ?? null,
    }
    const at = clock.now()
    const event = { kind: 'created', at, job, start: startTarget(blueprint) } as const
    const idempotency = this.#idempotency(request, at)
    const outcome = await writer.create(event, idempotency)
    if (outcome.kind === 'duplicate') return sameJob(outcome, idempotency?.fingerprint)
    if (outcome.kind === 'committed') return { jobId: id }
    const message = `The id ${id} is taken by another job; create the job again.`
    throw new UnavailableError('STORAGE_UNAVAILABLE', { message })
  }

  /**
   * Reads a job.
   * @param ownerId - a job of another owner is as good as none; left out, all are seen.
   * @throws NotFoundError `JOB_NOT_FOUND`
   */
  async readJob(jobId: string, ownerId?: string): Promise<Job> {
    const job = await this.#parts.storage.findJob(jobId)
    const visible = job !== undefined && (ownerId === undefined || job.owner.clientId === ownerId)
    if (visible) return job
    throw new NotFoundError('JOB_NOT_FOUND', { message: 'Job not found' })
  }

  /**
   * Waits until a job has ended, and reads it again.
   * @param wait.changedAfter - also answers as soon as the job was changed after this moment.
   */
  async readChangedJob(job: Job, wait: ChangeWait): Promise<Job> {
    const until = this.#parts.clock.now() + wait.waitMs
    let latest = job
    while (latest.wait !== null && latest.updatedAt <= (wait.changedAfter ?? Infinity)) {
      const left = until - this.#parts.clock.now()
      if (left <= 0 || wait.signal.aborted || !this.#isRunning) break
      await this.#changeOf(latest, Math.min(left, LOOK_AGAIN_MS), wait.signal)
      latest = await this.readJob(job.id)
    }
    return latest
  }

  /**
   * Cancels a job at once.
   * @throws NotFoundError `JOB_NOT_FOUND`, or `JOB_ALREADY_TERMINAL` for one that has ended.
   */
  async cancelJob(jobId: string, ownerId?: string): Promise<void> {
    await this.readJob(jobId, ownerId)
    const { clock, writer } = this.#parts
    const decision = await writer.apply(jobId, { kind: 'cancel_requested', at: clock.now() })
    if (decision.kind === 'changed') return
    const message = 'Job not found or already terminal.'
    throw new NotFoundError('JOB_ALREADY_TERMINAL', { message })
  }

  /** Takes a worker's result; whatever comes of it is an answer, not an error. */
  reportResult(workerId: string, result: Result): Promise<Decision> {
    const { clock, ids, writer } = this.#parts
    return writer.apply(result.jobId, {
      kind: 'task_result',
      at: clock.now(),
      taskId: result.taskId,
      workerId,
      outcome: taskOutcome(result),
      chance: ids.chance(),
    })
  }

  /** Takes word of how far a task is. */
  reportProgress({ jobId, ...report }: ProgressReport): Promise<Decision> {
    const { clock, writer } = this.#parts
    return writer.apply(jobId, { kind: 'task_progress', at: clock.now(), ...report })
  }

  /** What happened to a job, oldest first. */
  async historyOf(jobId: string, ownerId?: string): Promise<readonly HistoryRecord[]> {
    await this.readJob(jobId, ownerId)
    return this.#history.ofJob(jobId)
  }

  /** Quarantined jobs, newest first. */
  listQuarantined(ownerId: string, limit: number): Promise<readonly Job[]> {
    return this.#parts.storage.listQuarantined({ ownerId, limit })
  }

  #follow(hint: Hint): void {
    if (hint.kind === 'step') this.#executor.wake()
    if (hint.kind === 'record') this.#outbox.wake()
    if (hint.kind === 'deadline') this.#watcher.expect(hint.at)
    if (hint.kind === 'job_ended') this.#parts.writer.announce(hint.jobId)
    if (hint.kind === 'task') {
      this.dispatcher.offered(hint.classId).catch((error: unknown) => {
        this.#parts.log.warn(
          { err: error },
          'a hint could not be followed; polls look by themselves',
        )
      })
    }
  }

  async #changeOf({ id }: Job, ms: number, signal: AbortSignal): Promise<void> {
    const { clock, writer } = this.#parts
    await new Promise<void>((resolve) => {
      const done = (): void => {
        stopWatching()
        cancel()
        signal.removeEventListener('abort', done)
        resolve()
      }
      const stopWatching = writer.onChange(id, done)
      const cancel = clock.after(ms, done)
      signal.addEventListener('abort', done, { once: true })
    })
  }

  #idempotency(request: NewJobRequest, now: number): CommitEntry['idempotency'] {
    const { idempotencyKey, owner, blueprint, initialData } = request
    if (idempotencyKey === undefined) return undefined
    const said = JSON.stringify([blueprint.name, blueprint.version, initialData])
    const fingerprint = createHash('sha256').update(said).digest('hex')
    const expiresAt = now + this.#settings.idempotencyTtlMs
    // As JSON, since a colon may stand in an id and in a key: nobody reaches another's keys.
    const key = JSON.stringify([owner.clientId, idempotencyKey])
    return { key, fingerprint, now, expiresAt }
  }
}

function sameJob(
  outcome: { readonly jobId: string; readonly fingerprint: string },
  fingerprint: string | undefined,
): { readonly jobId: string } {
  if (outcome.fingerprint === fingerprint) return { jobId: outcome.jobId }
  const message = 'This Idempotency-Key was used for another request. Use a new key for a new job.'
  throw new ConflictError('IDEMPOTENCY_CONFLICT', { message })
}

async function checkedInput(blueprint: BlueprintDefinition, given: unknown): Promise<JsonObject> {
  if (blueprint.input === null) return toJsonObject(given, 'initial_data')
  const parsed = await blueprint.input.safeParseAsync(given)
  if (parsed.success) return toJsonObject(parsed.data, 'initial_data')
  const issues = describeIssues(parsed.error).map(({ path, message }) => {
    const below = path === '' || path.startsWith('[') ? path : `.${path}`
    return { path: `initial_data${below}`, message }
  })
  const list = issues.map(({ path, message }) => `${path}: ${message}`).join('; ')
  const message = `Input validation failed for blueprint '${blueprint.name}': ${list}`
  throw new InputError('INVALID_INPUT', { message, details: { issues } })
}
