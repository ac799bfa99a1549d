// Delivery rules.  R1 A result is sent again until it is answered.  R2 Any 2xx with JSON is an answer,
// `ignored` included, and so is a refusal: a 4xx that is about the result. 401, 403, 408, 425 and 429 are
// about the worker or the moment; so is a 404 that does not say why, as of a proxy.  R3 Each parcel has its
// own sender: one that is not answered holds up no other.  R4 The text is fixed when the task ends: every
// sending is the same, also that of a later process, so a server that counts a result once per task and
// attempt counts it once.  R5 Each result of a parcel is dealt with by its own part of the answer.
import type { TaskResult, WorkerFeature } from '@avtomatika/protocol'

import { retryWaitMs, type BackoffPolicy, type Random } from './backoff.ts'
import type { Clock } from './clock.ts'
import type { WorkerLogger } from './logger.ts'
import { isRefusal, verdictOn, verdictsOn, type Verdict } from './result-answer.ts'
import {
  afterFailure,
  canJoin,
  fitting,
  freshParcel,
  joined,
  messageOf,
  unpacked,
  type Parcel,
} from './result-parcel.ts'
import type { QueuedResult, ResultStore } from './result-store.ts'
import { REQUEST_TIMEOUT_MS, type Failure, type Reply, type Transport } from './transport.ts'
import { sleep, Wake } from './wake.ts'

/** What a queue needs. */
export interface ResultQueueOptions {
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  readonly logger: WorkerLogger
  readonly backoff: BackoffPolicy
  /** Results that may wait before {@link ResultQueue.isFull}. */
  readonly capacity: number
  /** Where results survive the process. Default: nowhere. */
  readonly store?: ResultStore | undefined
  /** What the orchestrator can do; asked each time, as it may be another after a restart. */
  readonly can: (feature: WorkerFeature) => boolean
  /** Told of each result that was answered. */
  readonly onAnswered?: ((result: TaskResult) => void) | undefined
  /** Ends all delivery. */
  readonly signal: AbortSignal
}

/** The results that an orchestrator has not answered yet. */
export class ResultQueue {
  /** Notified when a result leaves. */
  readonly changed = new Wake()
  readonly #options: ResultQueueOptions
  readonly #pending = new Set<QueuedResult>()
  readonly #senders = new Set<Promise<void>>()
  /** What goes out at the end of this turn. */
  #ready: QueuedResult[] = []
  /** What waits for its next try, and how that wait is ended. */
  readonly #resting = new Map<Parcel, AbortController>()
  #delivered = 0
  #refused = 0
  #failures = 0

  constructor(options: ResultQueueOptions) {
    this.#options = options
  }

  /** Whether no more tasks should be taken. Results of tasks at work are still accepted. */
  get isFull(): boolean {
    return this.#pending.size >= this.#options.capacity
  }

  /** The results that wait. */
  get pending(): readonly TaskResult[] {
    return Array.from(this.#pending, ({ result }) => result)
  }

  /** Whether a result for exactly this task and attempt waits. */
  has(taskId: string, attempt: number): boolean {
    for (const { result } of this.#pending) {
      if (result.task_id === taskId && result.attempt === attempt) return true
    }
    return false
  }

  /** How many sendings ended how, since the start. */
  get counts(): { readonly delivered: number; readonly refused: number; readonly failed: number } {
    return { delivered: this.#delivered, refused: this.#refused, failed: this.#failures }
  }

  /**
   * Sends what an earlier process did not get delivered.
   *
   * @throws {@link ConfigError} `CONFIG_INVALID` when the store cannot be used.
   */
  async restore(): Promise<void> {
    const found = (await this.#options.store?.load()) ?? []
    if (found.length > 0) {
      this.#options.logger.info({ results: found.length }, 'sending results of an earlier process')
    }
    for (const queued of found) {
      this.#pending.add(queued)
      this.#send(queued)
    }
  }

  /**
   * Takes a result and sends it until it is answered.
   *
   * @param before - resolves when what must be sent earlier has been sent.
   */
  add(result: TaskResult, before: Promise<void> = Promise.resolve()): void {
    const queued = { result, body: JSON.stringify(result) }
    this.#pending.add(queued)
    const prepared = Promise.all([before, this.#save(queued)])
    this.#track(
      prepared.then(() => {
        this.#send(queued)
      }),
    )
  }

  /** Waits until every result is answered, or the abort. */
  async drain(signal: AbortSignal): Promise<void> {
    await this.changed.until(() => this.#pending.size === 0, signal)
  }

  /** Waits until no sender is at work; meant for after the abort of the queue's own signal. */
  async settled(): Promise<void> {
    while (this.#senders.size > 0) await Promise.allSettled(this.#senders)
  }

  /** An orchestrator that takes one at a time gets it now; else it may have company in a moment. */
  #send(queued: QueuedResult): void {
    if (!this.#options.can('batch_results')) {
      this.#track(this.#deliver(freshParcel([queued])))
      return
    }
    this.#ready.push(queued)
    if (this.#ready.length > 1) return
    const turn = new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
    this.#track(
      turn.then(() => {
        const results = this.#ready
        this.#ready = []
        for (const parcel of fitting(freshParcel(results))) this.#track(this.#deliver(parcel))
      }),
    )
  }

  #track(sender: Promise<void>): void {
    this.#senders.add(sender)
    void sender.finally(() => this.#senders.delete(sender))
  }

  async #deliver(parcel: Parcel): Promise<void> {
    const { can, signal } = this.#options
    const { results } = parcel
    if (signal.aborted) return
    if (results.length > 1 && !can('batch_results')) {
      this.#deliverEach(unpacked(parcel))
      return
    }
    const reply = await this.#ask(parcel)
    const verdicts = verdictsFor(parcel, reply)
    if (verdicts !== undefined) {
      results.forEach((queued, i) => {
        const verdict = verdicts[i]
        if (verdict !== undefined) this.#settle(queued, verdict, parcel)
      })
    } else if (reply.ok || isRefusal(reply)) {
      // About one of them, or about parcels: sent alone, each has its own answer.
      this.#deliverEach(unpacked(parcel))
    } else {
      this.#sendAgain(parcel, reply)
    }
  }

  #deliverEach(parcels: readonly Parcel[]): void {
    for (const parcel of parcels) this.#track(this.#deliver(parcel))
  }

  #ask(parcel: Parcel): Promise<Reply> {
    const { transport, signal } = this.#options
    const timeoutMs = REQUEST_TIMEOUT_MS
    return transport.request({ method: 'POST', ...messageOf(parcel), timeoutMs, signal })
  }

  #settle(queued: QueuedResult, verdict: Verdict, { failures }: Parcel): void {
    if (verdict.kind === 'again') {
      this.#sendAgain({ results: [queued], failures, most: 1 }, verdict.failure)
      return
    }
    this.#note(queued.result, verdict)
    this.#track(this.#forget(queued))
  }

  #sendAgain(parcel: Parcel, failure: Failure): void {
    const { logger, signal } = this.#options
    if (signal.aborted) return
    this.#failures += 1
    const taskIds = parcel.results.map(({ result }) => result.task_id)
    logger.warn(
      { taskIds, err: failure.error, failures: parcel.failures + 1 },
      'result not delivered, will send it again',
    )
    for (const next of afterFailure(parcel, failure)) this.#track(this.#rest(next, failure))
  }

  async #rest(parcel: Parcel, failure: Failure): Promise<void> {
    const { clock, random, backoff, signal } = this.#options
    const ended = new AbortController()
    // Who was told to wait so long is not taken along earlier.
    if (failure.retryAfterMs === undefined) this.#resting.set(parcel, ended)
    const waitMs = retryWaitMs(backoff, parcel.failures, random, failure)
    await sleep(clock, waitMs, AbortSignal.any([signal, ended.signal]))
    this.#resting.delete(parcel)
    if (!ended.signal.aborted) await this.#deliver(this.#withCompany(parcel))
  }

  /** The parcel with those that wait for their next try, as far as they may travel together (P4). */
  #withCompany(parcel: Parcel): Parcel {
    if (!this.#options.can('batch_results')) return parcel
    let all = parcel
    for (const [other, ended] of [...this.#resting]) {
      if (!canJoin(all, other)) continue
      this.#resting.delete(other)
      ended.abort()
      all = joined(all, other)
    }
    return all
  }

  /** A result that cannot be kept is sent all the same. */
  async #save(queued: QueuedResult): Promise<void> {
    try {
      await this.#options.store?.save(queued)
    } catch (error) {
      this.#log(queued.result).error(
        { err: error },
        'the result is kept in memory only: it is lost if the process ends before it is delivered',
      )
    }
  }

  async #forget(queued: QueuedResult): Promise<void> {
    try {
      await this.#options.store?.remove(queued)
    } catch (error) {
      const message = 'the delivered result stays on disk: it is sent once more at the next start'
      this.#log(queued.result).warn({ err: error }, message)
    }
    this.#pending.delete(queued)
    this.#options.onAnswered?.(queued.result)
    this.changed.notify()
  }

  #note(result: TaskResult, verdict: Exclude<Verdict, { readonly kind: 'again' }>): void {
    const { logger } = this.#options
    const ids = { taskId: result.task_id, jobId: result.job_id }
    if (verdict.kind === 'refused') {
      this.#refused += 1
      const fields = { ...ids, err: verdict.error }
      logger.error(fields, 'the orchestrator refused the result; it is not sent again')
      return
    }
    this.#delivered += 1
    const { ignored } = verdict
    if (ignored === undefined) logger.debug({ ...ids, status: result.status }, 'result delivered')
    else logger.info({ ...ids, reason: ignored }, 'the orchestrator ignored the result')
  }

  #log({ task_id: taskId, job_id: jobId }: TaskResult): WorkerLogger {
    return this.#options.logger.child({ taskId, jobId })
  }
}

/** `undefined` when the answer is not about each of the results. */
function verdictsFor({ results }: Parcel, reply: Reply): readonly Verdict[] | undefined {
  if (results.length === 1) {
    const verdict = verdictOn(reply)
    return verdict.kind === 'again' ? undefined : [verdict]
  }
  return reply.ok ? verdictsOn(reply.body, results.length) : undefined
}
