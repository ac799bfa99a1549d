/** The orchestrator without its HTTP: jobs in, tasks out, everything else on its own. */
import { LimitError, NotFoundError, type Result } from '@avtomatika/protocol'
import { DispatchSettings } from '../blueprint/dispatch-settings.ts'
import type { BlueprintRegistry } from '../blueprint/registry.ts'
import type { Decision } from '../job/decision.ts'
import type { HistoryRecord } from '../job/effect.ts'
import type { Job } from '../job/job.ts'
import type { Clock } from '../ports/clock.ts'
import type { History } from '../ports/history.ts'
import type { Ids } from '../ports/ids.ts'
import type { Log } from '../ports/log.ts'
import type { Notifier } from '../ports/notifier.ts'
import type { Hint } from '../ports/hint.ts'
import type { Storage } from '../ports/storage.ts'
import { Courier } from './outgoing/courier.ts'
import { Desk } from './jobs/desk.ts'
import { Dispatcher } from './dispatch/dispatcher.ts'
import type { EngineParts } from './engine-parts.ts'
import { EventIntake } from './jobs/event-intake.ts'
import { Executor } from './steps/executor.ts'
import { Fleet } from './workers/fleet.ts'
import type { Hooks } from './outgoing/hooks.ts'
import { InputSchemas } from './matching/input-schemas.ts'
import { JobCreation, type NewJobRequest } from './jobs/job-creation.ts'
import { JobReads } from './jobs/job-reads.ts'
import { JobWriter } from './jobs/job-writer.ts'
import { HandOff } from './dispatch/hand-off.ts'
import type { HandedOff } from './jobs/handed-off.ts'
import { Matchmaker } from './matching/matchmaker.ts'
import type { Changed } from './jobs/merge-changes.ts'
import { Metrics, type LocalFigures } from './metrics.ts'
import { Outbox } from './outgoing/outbox.ts'
import { ReadinessCheck } from './readiness.ts'
import { OutputStatuses } from './workers/output-statuses.ts'
import { verdictOn } from './workers/rating.ts'
import { Reputations } from './workers/reputations.ts'
import { Roster } from './workers/roster.ts'
import { workerTtlMs, type EngineSettings } from './settings.ts'
import { Shortages } from './matching/shortages.ts'
import type { Strategies } from './matching/strategies.ts'
import { Sweeper } from './steps/sweeper.ts'
import { TakeBacks } from './dispatch/take-backs.ts'
import { TaskClaims } from './dispatch/task-claims.ts'
import { readOutcome } from './jobs/task-outcome.ts'
import { WaitingRoom } from './dispatch/waiting-room.ts'
import { Watcher } from './steps/watcher.ts'
import { WorkerLines } from './lines/worker-lines.ts'

export interface EngineOptions {
  readonly storage: Storage
  readonly history: History
  readonly blueprints: BlueprintRegistry
  readonly settings: EngineSettings
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
  readonly instanceId: string
  /** Makes who calls the webhooks, once per start. */
  readonly notifier: () => Notifier
  readonly hooks?: Hooks
  /** The host's own strategies, by the name that dispatches use. */
  readonly strategies?: Strategies
  readonly checkInvariants?: boolean
}

export interface ProgressReport {
  readonly jobId: string
  readonly taskId: string | null
  readonly workerId: string
  /** From 0 to 1. */
  readonly progress: number
  readonly message: string | null
}

/** What storage and history get at a stop beyond the time of handlers. */
const LAST_WORDS_MS = 1_000

export class Engine {
  readonly fleet: Fleet
  /** What is thought of workers. */
  readonly reputations: Reputations
  /** Why tasks on offer are not taken. */
  readonly shortages: Shortages
  readonly dispatcher: Dispatcher
  /** Where tasks go that their worker was not there for. */
  readonly takeBacks: TakeBacks
  /** Where people act on jobs. */
  readonly desk: Desk
  readonly metrics: Metrics
  /** Whether requests can be served now. */
  readonly readiness: ReadinessCheck
  /** Where jobs are read, and waited for. */
  readonly reads: JobReads
  /** Where events come in. */
  readonly events: EventIntake
  /** What passes between workers and orchestrators beside tasks and results. */
  readonly lines: WorkerLines
  readonly #parts: EngineParts
  readonly #statuses: OutputStatuses
  readonly #history: History
  readonly #settings: EngineSettings
  readonly #blueprints: BlueprintRegistry
  readonly #creation: JobCreation
  readonly #courier: Courier
  readonly #executor: Executor
  readonly #handOff: HandOff
  readonly #watcher: Watcher
  readonly #sweeper: Sweeper
  readonly #outbox: Outbox
  #stopHints: (() => void) | undefined

  constructor(options: EngineOptions) {
    const { storage, clock, ids, log, instanceId, settings, blueprints } = options
    const { rules, executorConcurrency: concurrency } = settings
    const checkInvariants = options.checkInvariants ?? false
    const roster = new Roster(storage)
    const { minReputation } = settings
    const { strategies = new Map(), history, hooks = {} } = options
    const onStrategyError = (error: unknown): void => {
      log.warn(
        { err: error },
        'a strategy failed, and nobody is preferred; strategies must not throw',
      )
    }
    const choosing = { roster, clock, minReputation, strategies, onStrategyError }
    const matchmaker = new Matchmaker(choosing)
    const inputs = new InputSchemas(roster)
    const room = new WaitingRoom()
    this.#statuses = new OutputStatuses({ clock, log }, roster)
    const prepare = this.#preparation(inputs)
    const writer = new JobWriter({ storage, rules, prepare, checkInvariants })
    const parts = { storage, writer, clock, ids, log, instanceId }
    this.#parts = parts
    this.#history = options.history
    this.#settings = settings
    this.#blueprints = blueprints
    const { maxDataBytes, idempotencyTtlMs } = settings
    this.#creation = new JobCreation({ parts, blueprints, idempotencyTtlMs, maxDataBytes })
    this.reads = new JobReads(parts)
    this.desk = new Desk(parts, { blueprints, maxDataBytes })
    this.events = new EventIntake(parts, blueprints, maxDataBytes)
    const ttlMs = workerTtlMs(settings)
    this.reputations = new Reputations(parts, roster)
    this.fleet = new Fleet(parts, { roster, reputations: this.reputations, ttlMs, minReputation })
    const takeBacks = new TakeBacks(parts)
    this.takeBacks = takeBacks
    this.lines = new WorkerLines(parts, { roster, takeBacks, leaseMs: ttlMs })
    const claims = new TaskClaims(parts, { room, takeBacks, inputs, leaseMs: ttlMs })
    this.dispatcher = new Dispatcher(parts, { roster, room, takeBacks, claims, minReputation })
    this.#executor = new Executor(parts, { blueprints, tools: this.#tools(), concurrency })
    this.#handOff = new HandOff({
      clock,
      executor: this.#executor,
      matchmaker,
      room,
      leaseMs: ttlMs,
      decide: (job, event) => writer.decide(job, event),
      takeBacks,
      learn: (taskClass) => this.dispatcher.learn(taskClass),
    })
    this.shortages = new Shortages(parts, { roster, inputs, minReputation })
    const { reputations, shortages } = this
    const isWaiting = room.isWaiting.bind(room)
    this.#watcher = new Watcher(parts, { roster, reputations, shortages, isWaiting })
    this.#courier = new Courier(parts, { notifier: options.notifier, events: this.events })
    this.metrics = new Metrics({ storage, clock, local: this.#localFigures(roster) })
    this.readiness = new ReadinessCheck(parts)
    this.#sweeper = new Sweeper(parts, this.metrics)
    const { maxOutboxRecords: maxRecords } = settings
    this.#outbox = new Outbox(parts, { history, hooks, metrics: this.metrics, maxRecords })
  }

  /**
   * Starts the loops; a second call changes nothing.
   * @throws BlueprintError `BLUEPRINT_INVALID` for a child blueprint that is not registered.
   */
  start(): void {
    this.#blueprints.assertComplete()
    this.reads.open()
    this.#stopHints ??= this.#parts.storage.onHint((hint) => {
      this.#follow(hint)
    })
    this.dispatcher.start()
    this.#executor.start()
    this.reputations.start()
    this.#watcher.start()
    this.#sweeper.start()
    this.#courier.start()
    this.#outbox.start()
  }

  /**
   * Sends waiting polls and reads home, lets running handlers end and the outbox drain what it holds.
   * @param graceMs - how long handlers may take to end; storage and history get a second more, and are
   *   not waited for any longer then. What is left over is leased: another engine takes it up.
   *   Default: as long as it takes.
   */
  async stop(graceMs?: number): Promise<void> {
    const ended = this.#end(graceMs)
    if (graceMs === undefined) return ended
    const { clock, log } = this.#parts
    const limit = new AbortController()
    const late = new Promise<void>((resolve) => {
      const cancel = clock.after(graceMs + LAST_WORDS_MS, () => {
        log.error(
          {},
          'stopped while storage or history did not answer; the leases of what is left run out',
        )
        resolve()
      })
      limit.signal.addEventListener('abort', cancel)
    })
    await Promise.race([ended, late]).finally(() => {
      limit.abort()
    })
  }

  async #end(graceMs: number | undefined): Promise<void> {
    this.reads.close()
    const pollsAreHome = this.dispatcher.stop()
    await Promise.all([
      pollsAreHome,
      this.lines.stop(),
      this.#executor.stop(graceMs),
      this.#watcher.stop(),
      this.#sweeper.stop(),
      this.#courier.stop(),
    ])
    await this.reputations.stop()
    await this.#outbox.stop()
    this.#stopHints?.()
    this.#stopHints = undefined
  }

  /**
   * Accepts a job.
   * @throws InputError `INVALID_INPUT` when the input does not match the blueprint's schema.
   * @throws ConflictError `IDEMPOTENCY_CONFLICT` when the key was used for another request.
   * @throws LimitError `DATA_TOO_LARGE` for initial data or metadata that are; `QUOTA_EXCEEDED`.
   */
  createJob(request: NewJobRequest): Promise<{ readonly jobId: string }> {
    return this.#creation.create(request)
  }

  /**
   * Cancels a job at once.
   * @throws NotFoundError `JOB_NOT_FOUND`, or `JOB_ALREADY_TERMINAL` for one that has ended.
   */
  async cancelJob(jobId: string, ownerId?: string): Promise<void> {
    await this.reads.read(jobId, ownerId)
    const { clock, writer } = this.#parts
    const reason = 'The job was cancelled by its client.'
    const decision = await writer.apply(jobId, {
      kind: 'cancel_requested',
      at: clock.now(),
      reason,
    })
    if (decision.kind === 'changed') return
    const message = 'Job not found or already terminal.'
    throw new NotFoundError('JOB_ALREADY_TERMINAL', { message })
  }

  /**
   * Takes a worker's result; whatever comes of it is an answer, not an error.
   * @throws LimitError `DATA_TOO_LARGE` for data that the job did not take; it was told, and is
   *   quarantined.
   */
  async reportResult(workerId: string, result: Result): Promise<Decision> {
    const { clock, ids, writer } = this.#parts
    const { outcome, problem } = readOutcome(result, this.#settings.maxDataBytes)
    const decision = await writer.apply(result.jobId, {
      kind: 'task_result',
      at: clock.now(),
      taskId: result.taskId,
      ...(result.attempt !== undefined && { attempt: result.attempt }),
      workerId,
      outcome,
      chance: ids.chance(),
    })
    if (decision.kind === 'changed') {
      this.lines.noteResult({ jobId: result.jobId, taskId: result.taskId, workerId })
      this.reputations.note(workerId, problem === undefined ? verdictOn(outcome) : 'permanent')
      this.dispatcher.freed(workerId)
      this.#statuses.noteResult(workerId, result.status)
    }
    if (problem === undefined || decision.kind !== 'changed') return decision
    throw new LimitError('DATA_TOO_LARGE', { message: problem })
  }

  /** Takes word of how far a task is. */
  reportProgress({ jobId, ...report }: ProgressReport): Promise<Decision> {
    const { clock, writer } = this.#parts
    return writer.apply(jobId, { kind: 'task_progress', at: clock.now(), ...report })
  }

  /** What happened to a job, oldest first. */
  async historyOf(jobId: string, ownerId?: string): Promise<readonly HistoryRecord[]> {
    await this.reads.read(jobId, ownerId)
    return this.#history.ofJob(jobId)
  }

  /**
   * Quarantined jobs, newest first.
   * @param ownerId - left out, those of all owners.
   */
  listQuarantined(limit: number, ownerId?: string): Promise<readonly Job[]> {
    return this.#parts.storage.listQuarantined({ ...(ownerId !== undefined && { ownerId }), limit })
  }

  /** Who calls the webhooks, and keeps the calls that were given up. */
  get courier(): Courier {
    return this.#courier
  }

  /** What is done with each change right before it is written. */
  #preparation(inputs: InputSchemas): (change: Changed, mayHandOver: boolean) => HandedOff {
    return (change, mayHandOver) => {
      this.#statuses.noteOffer(change)
      return this.#handOff.prepare(inputs.address(change), mayHandOver)
    }
  }

  #localFigures(roster: Roster): LocalFigures {
    return {
      workers: () => roster.count(this.#parts.clock.now()),
      connections: () => this.lines.connections.size,
      streams: () => this.lines.streams.size,
    }
  }

  /** What handlers are run with. */
  #tools(): ConstructorParameters<typeof Executor>[1]['tools'] {
    const { rules, taskTimeoutMs } = this.#settings
    const settings = new DispatchSettings({ taskTimeoutMs, retry: rules.retry })
    return { settings, child: this.#creation.child.bind(this.#creation) }
  }

  #follow(hint: Hint): void {
    if (hint.kind === 'step') this.#executor.wake()
    if (hint.kind === 'record') this.#outbox.wake()
    if (hint.kind === 'message') this.#courier.wake()
    if (hint.kind === 'deadline') this.#watcher.expect(hint.at)
    if (hint.kind === 'job_ended') this.#parts.writer.announceEnd(hint.jobId)
    if (hint.kind === 'task') this.dispatcher.offered(hint)
    if (hint.kind === 'lowered') this.reputations.hear(hint)
    this.lines.hear(hint)
  }
}
