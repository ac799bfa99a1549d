/** Read, decide, write, and again on a conflict: the only caller of `commit`. */
import { UnavailableError } from '@avtomatika/protocol'
import { advance } from '../job/advance.ts'
import type { Decision } from '../job/decision.ts'
import type { CreatedEvent, JobEvent } from '../job/event.ts'
import { assertChange } from '../job/invariants.ts'
import type { Job } from '../job/job.ts'
import type { Rules } from '../job/rules.ts'
import type { CommitEntry, CommitOutcome, Storage } from '../ports/storage.ts'
import { Committer } from './committer.ts'
import { Lanes } from './lanes.ts'

/** Each try means that another process changed the job in between; that many in a row is a fault. */
const MAX_CONFLICTS = 100

export interface JobWriterOptions {
  readonly storage: Storage
  readonly rules: Rules
  /** Checks every change against the promises of `advance`. For tests and development. */
  readonly checkInvariants: boolean
}

/** What happens to a job that exists. */
export type LaterEvent = Exclude<JobEvent, CreatedEvent>

/** An event, or how to make it from the job as it is now. */
export type EventSource = LaterEvent | ((job: Job | undefined) => LaterEvent | Promise<LaterEvent>)

export class JobWriter {
  readonly #storage: Storage
  readonly #rules: Rules
  readonly #checkInvariants: boolean
  readonly #committer: Committer
  readonly #lanes = new Lanes()
  readonly #watchers = new Map<string, Set<() => void>>()

  constructor({ storage, rules, checkInvariants }: JobWriterOptions) {
    this.#storage = storage
    this.#rules = rules
    this.#checkInvariants = checkInvariants
    this.#committer = new Committer(storage)
  }

  /**
   * Applies an event to a job, exactly once, whatever else happens to it meanwhile. Events of this
   * process for one job stand in line, so that a thousand branches do not conflict with each other.
   *
   * @param known - the job as the caller has just read it, which saves a read. What is decided on one
   *   that has changed since is not written, and decided anew.
   */
  apply(jobId: string, source: EventSource, known?: Job): Promise<Decision> {
    return this.#lanes.run(jobId, () => this.#apply(jobId, source, known))
  }

  async #apply(jobId: string, source: EventSource, known?: Job): Promise<Decision> {
    for (let tries = 0; tries < MAX_CONFLICTS; tries += 1) {
      const job = tries === 0 && known ? known : await this.#storage.findJob(jobId)
      const event = typeof source === 'function' ? await source(job) : source
      const decision = this.#decide(job, event)
      if (decision.kind !== 'changed') return decision
      const outcome = await this.#commit(decision, job?.version ?? 0)
      if (outcome.kind === 'committed') return decision
    }
    const message = `Job ${jobId} is being changed by too many at once; try again.`
    throw new UnavailableError('STORAGE_UNAVAILABLE', { message })
  }

  /** Writes the first document of a job. */
  async create(
    event: CreatedEvent,
    idempotency?: NonNullable<CommitEntry['idempotency']>,
  ): Promise<CommitOutcome> {
    const decision = this.#decide(undefined, event)
    if (decision.kind !== 'changed') return { kind: 'conflict' }
    return this.#commit(decision, 0, idempotency)
  }

  /** Calls back after each change that this process makes to a job. Returns the way to stop. */
  onChange(jobId: string, listener: () => void): () => void {
    const listeners = this.#watchers.get(jobId) ?? new Set()
    this.#watchers.set(jobId, listeners.add(listener))
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0) this.#watchers.delete(jobId)
    }
  }

  /** Tells local watchers of a job that it changed. */
  announce(jobId: string): void {
    for (const listener of this.#watchers.get(jobId) ?? []) listener()
  }

  /** Makes all local watchers look again. */
  announceAll(): void {
    for (const jobId of [...this.#watchers.keys()]) this.announce(jobId)
  }

  #decide(job: Job | undefined, event: JobEvent): Decision {
    const decision = advance(job, event, this.#rules)
    if (this.#checkInvariants) assertChange(job, decision)
    return decision
  }

  async #commit(
    { job, effects }: Extract<Decision, { kind: 'changed' }>,
    expectedVersion: number,
    idempotency?: NonNullable<CommitEntry['idempotency']>,
  ): Promise<CommitOutcome> {
    const entry = { job, expectedVersion, effects, ...(idempotency && { idempotency }) }
    const outcome = await this.#committer.commit(entry)
    if (outcome.kind === 'committed') this.announce(job.id)
    return outcome
  }
}
