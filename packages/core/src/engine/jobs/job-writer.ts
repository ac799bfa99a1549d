/** Read, decide, write, and again on a conflict: the only caller of `commit`. */
import { UnavailableError } from '@avtomatika/protocol'
import { advance } from '../../job/advance.ts'
import type { Decision } from '../../job/decision.ts'
import type { CreatedEvent, JobEvent } from '../../job/event.ts'
import { assertChange } from '../../job/invariants.ts'
import type { Job } from '../../job/job.ts'
import type { Rules } from '../../job/rules.ts'
import type { Withdrawal } from '../../ports/hint.ts'
import type { CommitEntry, CommitOutcome, Storage } from '../../ports/storage.ts'
import { Committer } from './committer.ts'
import type { HandedOff } from './handed-off.ts'
import { Lanes } from './lanes.ts'
import { mergeChanges, type Changed } from './merge-changes.ts'
import { RecentJobs } from './recent-jobs.ts'
import { withdrawnTasks } from './withdrawn-tasks.ts'

/** Each try means that another process changed the job in between; that many in a row is a fault. */
const MAX_CONFLICTS = 100

/** @param mayHandOver - whether tasks may go to polls that wait here. */
type Prepare = (change: Changed, mayHandOver: boolean) => HandedOff

export interface JobWriterOptions {
  readonly storage: Storage
  readonly rules: Rules
  /** What this process sees to itself of a change. Default: nothing. */
  readonly prepare?: Prepare
  /** Checks every change against the promises of `advance`. For tests and development. */
  readonly checkInvariants: boolean
}

/** @param job - as this process has just written it; left out, somebody else may have. */
type Watcher = (job?: Job) => void

/** What happens to a job that exists. */
export type LaterEvent = Exclude<JobEvent, CreatedEvent>

/** An event, or how to make it from the job as it is now. */
export type EventSource = LaterEvent | ((job: Job | undefined) => LaterEvent | Promise<LaterEvent>)

/** What somebody has to say about a job. */
interface Word {
  readonly source: EventSource
  /** The job as he has just read it. */
  readonly known: Job | undefined
}

interface Verdicts {
  /** All changes as one; `undefined` when there is none. */
  readonly change: Changed | undefined
  /** What the change is made of. */
  readonly events: readonly JobEvent[]
  readonly verdicts: readonly PromiseSettledResult<Decision>[]
}

export class JobWriter {
  readonly #storage: Storage
  readonly #rules: Rules
  readonly #prepare: Prepare
  readonly #recent = new RecentJobs()
  readonly #checkInvariants: boolean
  readonly #committer: Committer
  readonly #lanes = new Lanes<Word, Decision>((jobId, words) => this.#deal(jobId, words))
  readonly #watchers = new Map<string, Set<Watcher>>()
  /** Jobs that are being written. */
  readonly #writing = new Set<string>()

  constructor({ storage, rules, prepare, checkInvariants }: JobWriterOptions) {
    this.#storage = storage
    this.#rules = rules
    this.#prepare = prepare ?? asItIs
    this.#checkInvariants = checkInvariants
    this.#committer = new Committer(storage)
  }

  /**
   * Applies an event to a job, exactly once, whatever else happens to it meanwhile. Events of this
   * process for one job stand in line, and those that wait together are written together: a thousand
   * branches neither conflict with each other nor write a thousand documents.
   *
   * @param known - the job as the caller has just read it, which saves a read. What is decided on one
   *   that has changed since is not written, and decided anew.
   */
  apply(jobId: string, source: EventSource, known?: Job): Promise<Decision> {
    return this.#lanes.say(jobId, { source, known })
  }

  /** Decides on words in order, one upon the other, and writes what came of them at once. */
  async #deal(
    jobId: string,
    words: readonly Word[],
  ): Promise<readonly PromiseSettledResult<Decision>[]> {
    const known = words.length === 1 ? words[0]?.known : undefined
    let remembered = known ?? this.#recent.find(jobId)
    let mayHandOver = true
    for (let tries = 0; tries < MAX_CONFLICTS; tries += 1) {
      const job = remembered ?? (await this.#storage.findJob(jobId))
      const { change, events, verdicts } = await this.#decideAll(job, words)
      if (change === undefined) {
        const isSure = remembered === undefined || remembered === known
        if (isSure) return verdicts
        // Another process may know better: what is not written is not checked by the write.
        remembered = undefined
        continue
      }
      const handedOff = this.#prepare(change, mayHandOver)
      const withdrawn = withdrawnTasks(job, handedOff.change.job, events)
      const outcome = await this.#commit(telling(handedOff, withdrawn), job?.version ?? 0)
      if (outcome.kind === 'committed') return verdicts
      // Whoever waits here has no room after all: others may.
      if (outcome.kind === 'no_room') mayHandOver = false
      remembered = undefined
    }
    const message = `Job ${jobId} is being changed by too many at once; try again.`
    throw new UnavailableError('STORAGE_UNAVAILABLE', { message })
  }

  async #decideAll(job: Job | undefined, words: readonly Word[]): Promise<Verdicts> {
    const verdicts: PromiseSettledResult<Decision>[] = []
    const events: JobEvent[] = []
    const changes: Changed[] = []
    let latest = job
    for (const { source } of words) {
      try {
        const event = typeof source === 'function' ? await source(latest) : source
        const decision = this.decide(latest, event)
        if (decision.kind === 'changed') {
          changes.push(decision)
          events.push(event)
          latest = decision.job
        }
        verdicts.push({ status: 'fulfilled', value: decision })
      } catch (reason) {
        // The fault of one word is not the others'.
        verdicts.push({ status: 'rejected', reason })
      }
    }
    return { change: mergeChanges(changes), events, verdicts }
  }

  /** Writes the first document of a job. */
  async create(
    event: CreatedEvent,
    idempotency?: NonNullable<CommitEntry['idempotency']>,
  ): Promise<CommitOutcome> {
    const decision = this.decide(undefined, event)
    if (decision.kind !== 'changed') return { kind: 'conflict' }
    return this.#commit(this.#prepare(decision, true), 0, idempotency)
  }

  /** Calls back after each change that this process makes to a job. Returns the way to stop. */
  onChange(jobId: string, listener: Watcher): () => void {
    const listeners = this.#watchers.get(jobId) ?? new Set()
    this.#watchers.set(jobId, listeners.add(listener))
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0) this.#watchers.delete(jobId)
    }
  }

  /** A live job as this process wrote it last; there may be later ones by others. */
  findRecent(jobId: string): Job | undefined {
    return this.#recent.find(jobId)
  }

  /**
   * A job as this process has written it since, which saves a read; there may be later ones by others.
   * @returns `undefined` if there is none to be had here.
   */
  findNewer({ id, version }: Job): Job | undefined {
    const recent = this.#recent.find(id)
    return recent !== undefined && recent.version > version ? recent : undefined
  }

  /** A job has ended, here or elsewhere: what is remembered of it is past. */
  announceEnd(jobId: string): void {
    this.#recent.forget(jobId)
    // Whoever writes it here tells of it with the document, in a moment.
    if (!this.#writing.has(jobId)) this.announce(jobId)
  }

  /** Tells local watchers of a job that it changed. */
  announce(jobId: string, job?: Job): void {
    for (const listener of this.#watchers.get(jobId) ?? []) listener(job)
  }

  /** Makes all local watchers look again. */
  announceAll(): void {
    for (const jobId of [...this.#watchers.keys()]) this.announce(jobId)
  }

  /** What an event does to a job; nothing is written. */
  decide(job: Job | undefined, event: JobEvent): Decision {
    const decision = advance(job, event, this.#rules)
    if (this.#checkInvariants) assertChange(job, decision)
    return decision
  }

  async #commit(
    { change, entry: handed, settle }: HandedOff,
    expectedVersion: number,
    idempotency?: NonNullable<CommitEntry['idempotency']>,
  ): Promise<CommitOutcome> {
    const { job, effects } = change
    const entry = { job, expectedVersion, effects, ...handed, ...(idempotency && { idempotency }) }
    const outcome = await this.#tryCommit(entry, settle)
    const isWritten = outcome.kind === 'committed'
    if (isWritten) this.#recent.keep(job)
    else this.#recent.forget(job.id)
    settle(isWritten ? 'written' : 'not_written')
    // What was not written, somebody else may have changed.
    this.announce(job.id, isWritten ? job : undefined)
    return outcome
  }

  async #tryCommit(entry: CommitEntry, settle: HandedOff['settle']): Promise<CommitOutcome> {
    this.#writing.add(entry.job.id)
    try {
      return await this.#committer.commit(entry)
    } catch (error) {
      this.#recent.forget(entry.job.id)
      settle('unknown')
      throw error
    } finally {
      this.#writing.delete(entry.job.id)
    }
  }
}

function asItIs(change: Changed): HandedOff {
  return { change, entry: {}, settle: () => undefined }
}

/** The change, with what it says to workers. */
function telling(handedOff: HandedOff, withdrawn: readonly Withdrawal[]): HandedOff {
  if (withdrawn.length === 0) return handedOff
  return { ...handedOff, entry: { ...handedOff.entry, withdrawn } }
}
