/** One job of a test: where it is, and the ways to move it. */
import { isDeepStrictEqual } from 'node:util'
import type { JobStatus, JsonObject, JsonValue } from '@avtomatika/protocol'
import { toJsonObject } from '../../json/to-json.ts'
import type { HistoryRecord } from '../../job/effect.ts'
import type { Job } from '../../job/job.ts'
import type { JobError } from '../../job/vocabulary.ts'
import type { Bench } from './bench.ts'
import { failure } from './failure.ts'

/** What a job that has ended should look like; what is left out may be anything. */
export interface ExpectedEnd {
  readonly status?: JobStatus
  readonly state?: string
  readonly result?: JsonValue
  /** Part of the error's message, or its code. */
  readonly error?: string
}

/** What a person says with a decision. */
export interface SaidWithDecision {
  readonly actor?: string
  readonly comment?: string
  readonly data?: object
}

/**
 * A job under test. Each way to move it resolves when everything has happened that needs neither
 * time nor a person; what it tells is as of then.
 */
export class TestJob {
  readonly id: string
  readonly #bench: Bench
  #job: Job | undefined
  #rows: readonly HistoryRecord[] = []
  #events = 0

  constructor(id: string, bench: Bench) {
    this.id = id
    this.#bench = bench
    bench.watch(this)
  }

  /** The whole document, for whatever the shortcuts below do not show. */
  get document(): Job {
    if (this.#job === undefined) throw new Error(`Job ${this.id} was not read yet.`)
    return this.#job
  }

  /** Where the job is in its life, such as `waiting_for_human`. */
  get status(): JobStatus {
    return this.document.status
  }

  /** The state of the blueprint that the job is in. */
  get state(): string {
    return this.document.state
  }

  get result(): JsonValue {
    return this.document.result
  }

  get error(): JobError | null {
    return this.document.error
  }

  /** What workers returned and handlers noted so far. */
  get stateHistory(): JsonObject {
    return this.document.stateHistory
  }

  /** The states that the job went through, in order, the present one included. */
  get visited(): readonly string[] {
    const entered = this.#rows.flatMap(({ type, nextState }) =>
      type === 'state_finished' && nextState !== undefined ? [nextState] : [],
    )
    const first = this.#rows.find(({ type }) => type === 'job_created')
    return first === undefined ? entered : [first.state, ...entered]
  }

  /** The history rows, oldest first. */
  get history(): readonly HistoryRecord[] {
    return this.#rows
  }

  /** Lets everything happen that needs neither time nor a person. */
  async settle(): Promise<this> {
    await this.#bench.settle()
    return this
  }

  /**
   * Skips time until the job has ended.
   * @throws AssertionError when it waits for something that time does not bring: a decision, an
   *   event, a worker without a script.
   */
  async untilEnded(): Promise<this> {
    while (this.document.wait !== null) await this.#skipToNext()
    return this
  }

  /**
   * Skips time until the job has this status, such as `waiting_for_human`.
   * @throws AssertionError when it ends, or waits for something that time does not bring, before.
   */
  async until(status: JobStatus): Promise<this> {
    while (this.status !== status) {
      if (this.document.wait === null) this.#fail(`it ended before it was ${status}`)
      await this.#skipToNext()
    }
    return this
  }

  /** Lets this much time pass, and everything happen that it brings. */
  async skip(seconds: number): Promise<this> {
    await this.#bench.skip(seconds * 1000)
    return this
  }

  /**
   * Decides for the person that the job waits for.
   * @throws ConflictError `NOT_APPROVABLE` when it waits for nobody; InputError `DECISION_INVALID`.
   */
  async decide(decision: string, said: SaidWithDecision = {}): Promise<this> {
    const { actor = null, comment = null } = said
    const data = said.data === undefined ? null : toJsonObject(said.data, 'data')
    const approval = { decision, actor, comment, data }
    await this.#bench.parts.engine.desk.decide({ jobId: this.id, approval })
    return this.settle()
  }

  /**
   * Sends the job an event; one that it does not wait for yet is kept until it does.
   * @throws ConflictError `JOB_ENDED`; InputError `INVALID_INPUT` for data that the blueprint refuses.
   */
  async sendEvent(name: string, data: object = {}): Promise<this> {
    this.#events += 1
    const eventId = `test-event-${String(this.#events)}`
    const event = { jobId: this.id, eventId, name, data: toJsonObject(data, 'data') }
    await this.#bench.parts.engine.events.receive(event)
    return this.settle()
  }

  /** @throws NotFoundError `JOB_ALREADY_TERMINAL` when it has ended. */
  async cancel(): Promise<this> {
    await this.#bench.parts.engine.cancelJob(this.id)
    return this.settle()
  }

  /**
   * Lets the job go on from quarantine, with `data` laid over its own.
   * @throws ConflictError `NOT_QUARANTINED`
   */
  async retry(data?: object): Promise<this> {
    const patch = data === undefined ? null : toJsonObject(data, 'data')
    await this.#bench.parts.engine.desk.retry(this.id, patch)
    return this.settle()
  }

  /**
   * Gives a quarantined job up.
   * @throws ConflictError `NOT_QUARANTINED`
   */
  async discard(): Promise<this> {
    await this.#bench.parts.engine.desk.discard(this.id)
    return this.settle()
  }

  /**
   * The child that the job waits for; it stays readable after its end.
   * @throws AssertionError when the job does not wait for one.
   */
  async child(): Promise<TestJob> {
    const { wait } = this.document
    if (wait?.for !== 'child') this.#fail('it does not wait for a child')
    const child = new TestJob(wait.childId, this.#bench)
    await child.settle()
    return child
  }

  /** @throws AssertionError that tells what the job did instead. */
  assertEnded(expected: ExpectedEnd = {}): this {
    const { status, state, result, error } = expected
    if (this.document.wait !== null) this.#fail('it has not ended')
    if (status !== undefined && this.status !== status) this.#fail(`its status is not ${status}`)
    if (state !== undefined && this.state !== state) this.#fail(`its state is not '${state}'`)
    if (result !== undefined && !isDeepStrictEqual(this.result, result)) {
      this.#fail(`its result is ${JSON.stringify(this.result)}, not ${JSON.stringify(result)}`)
    }
    if (error !== undefined && !this.#hasError(error)) {
      this.#fail(`its error does not say '${error}'`)
    }
    return this
  }

  /** @throws AssertionError when the job went through other states than these. */
  assertVisited(...states: readonly string[]): this {
    if (!isDeepStrictEqual([...this.visited], [...states])) {
      this.#fail(`it did not go ${states.join(' -> ')}`)
    }
    return this
  }

  /** Reads the job again; whoever moves time does this for all jobs of the test. */
  async refresh(): Promise<void> {
    const { storage, history } = this.#bench.parts
    this.#job = await storage.findJob(this.id)
    this.#rows = await history.ofJob(this.id)
  }

  async #skipToNext(): Promise<void> {
    const obstacle = await this.#bench.skipToNext(this.id)
    if (obstacle !== null) this.#fail(obstacle)
  }

  #hasError(said: string): boolean {
    return this.error !== null && (this.error.code === said || this.error.message.includes(said))
  }

  #fail(what: string): never {
    const { status, state, error } = this.document
    const way = this.visited.join(' -> ')
    const said = error === null ? '' : `; error ${error.code}: ${error.message}`
    throw failure(
      `Job ${this.id}: ${what} (status ${status}, state '${state}', went ${way}${said}).`,
    )
  }
}
