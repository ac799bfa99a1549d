// Bridge rules.  B1 A task is one job of the queue, whichever attempt it is: a worker that takes over from
// one that died finds the job at work, or done, and does not start it twice.  B2 A job that failed is tried
// again with the next attempt.  B3 A cancelled task takes its job out of the queue while it still waits; one
// at work cannot be stopped from here, and its result is dropped.
import { Queue, QueueEvents, type ConnectionOptions, type Job, type JobsOptions } from 'bullmq'

import type { WorkerLogger } from '../logger.ts'
import { abortCause } from '../task-abort.ts'
import type { TaskContext } from '../task-context.ts'
import { PermanentError, TransientError } from '../task-error.ts'

/** Which queue, and how jobs are put into it. */
export interface BullmqQueueOptions {
  /** Name of the BullMQ queue. */
  readonly queue: string
  /** As BullMQ takes it. */
  readonly connection: ConnectionOptions
  /** The prefix of BullMQ's keys. Default `bull`. */
  readonly prefix?: string | undefined
  /** Name of the jobs. Default: the name of the task. */
  readonly jobName?: string | undefined
  /** Default: one attempt, as the orchestrator tries again; ended jobs are kept for an hour. */
  readonly jobOptions?: Omit<JobsOptions, 'jobId' | 'repeat'> | undefined
  /**
   * Whether a failure will not pass by trying again. Default: jobs that BullMQ gave up before all of
   * their attempts were used, as it does for an `UnrecoverableError`.
   */
  readonly isPermanent?: ((failedReason: string) => boolean) | undefined
}

/** A worker that takes over within this time finds what came of the job, in seconds. */
const KEPT_S = 3600
const DEFAULT_JOB_OPTIONS: JobsOptions = {
  attempts: 1,
  removeOnComplete: { age: KEPT_S },
  removeOnFail: { age: KEPT_S },
}

type AnyJob = Job<unknown, unknown>

interface Connected {
  readonly queue: Queue<unknown, unknown>
  readonly events: QueueEvents
}

interface Waiter {
  readonly context: TaskContext<unknown>
  readonly wake: () => void
}

/** Runs tasks as jobs of a BullMQ queue. */
export class BullmqQueue {
  readonly #options: BullmqQueueOptions & { readonly jobName: string }
  readonly #waiters = new Map<string, Waiter>()
  #connected: Connected | undefined

  constructor(options: BullmqQueueOptions & { readonly jobName: string }) {
    this.#options = options
  }

  /** Puts the task into the queue and waits for its end. */
  async run(context: TaskContext<unknown>): Promise<unknown> {
    const jobId = jobIdOf(context.idempotencyKey)
    const connected = this.#connect(context.logger)
    const { signal } = context
    try {
      return await untilAbort(signal, this.#process(jobId, context, connected))
    } catch (error) {
      if (signal.aborted) await this.#withdraw(jobId, context, connected)
      throw error
    } finally {
      this.#waiters.delete(jobId)
    }
  }

  /** Ends the connections; jobs that are in the queue stay there. */
  async close(): Promise<void> {
    const connected = this.#connected
    this.#connected = undefined
    await Promise.all([connected?.queue.close(), connected?.events.close()])
  }

  async #process(
    jobId: string,
    context: TaskContext<unknown>,
    { queue, events }: Connected,
  ): Promise<unknown> {
    // Before the job is put in, so that its end is not missed.
    await events.waitUntilReady()
    let hasEnded = deferred()
    this.#waiters.set(jobId, {
      context,
      wake: () => {
        hasEnded.resolve()
      },
    })
    await this.#enqueue(jobId, context.params, queue)
    for (;;) {
      const job = await queue.getJob(jobId)
      if (job === undefined) throw new TransientError('The job was removed from its BullMQ queue.')
      if (job.finishedOn !== undefined) return this.#outcomeOf(job)
      await hasEnded.promise
      hasEnded = deferred()
    }
  }

  async #enqueue(jobId: string, params: unknown, queue: Queue<unknown, unknown>): Promise<void> {
    const { jobName, jobOptions } = this.#options
    const before = await queue.getJob(jobId)
    // An id that exists is not put in again: right for a job at work (B1), wrong for one that failed (B2).
    if (before !== undefined && (await before.isFailed())) await before.remove()
    await queue.add(jobName, params, { ...DEFAULT_JOB_OPTIONS, ...jobOptions, jobId })
  }

  async #outcomeOf(job: AnyJob): Promise<unknown> {
    if (await job.isCompleted()) return job.returnvalue
    const reason = job.failedReason === '' ? undefined : job.failedReason
    const message = reason ?? 'The BullMQ job failed and did not say why.'
    throw this.#isPermanent(job, message)
      ? new PermanentError(message)
      : new TransientError(message)
  }

  #isPermanent(job: AnyJob, reason: string): boolean {
    const { isPermanent } = this.#options
    if (isPermanent !== undefined) return isPermanent(reason)
    return job.attemptsMade < (job.opts.attempts ?? 1)
  }

  async #withdraw(
    jobId: string,
    { signal, logger }: TaskContext<unknown>,
    { queue }: Connected,
  ): Promise<void> {
    // Whoever gets the task next takes the job over as it is.
    if (abortCause(signal) === 'shutdown') return
    try {
      const job = await queue.getJob(jobId)
      await job?.remove()
    } catch (error) {
      logger.warn({ err: error, bullmqJobId: jobId }, 'the BullMQ job goes on: it is at work')
    }
  }

  #connect(logger: WorkerLogger): Connected {
    if (this.#connected !== undefined) return this.#connected
    const { queue: name, connection, prefix } = this.#options
    const options = { connection, ...(prefix !== undefined && { prefix }) }
    const queue = new Queue<unknown, unknown>(name, options)
    const events = new QueueEvents(name, options)
    // Without a listener the process would end by them; BullMQ connects again by itself.
    const onError = (error: Error): void => {
      logger.warn({ err: error, queue: name }, 'BullMQ has trouble with its connection')
    }
    queue.on('error', onError)
    events.on('error', onError)
    for (const end of ['completed', 'failed', 'removed'] as const) {
      events.on(end, ({ jobId }: { readonly jobId: string }) => this.#waiters.get(jobId)?.wake())
    }
    events.on('progress', ({ jobId, data }) => {
      const waiter = this.#waiters.get(jobId)
      if (waiter !== undefined) tellProgress(waiter.context, data)
    })
    this.#connected = { queue, events }
    return this.#connected
  }
}

/** BullMQ counts to 100 by custom; other progress is a message of the processor's own. */
function tellProgress({ progress, logger }: TaskContext<unknown>, data: unknown): void {
  if (typeof data === 'number') progress(data / 100)
  else logger.debug({ progress: data }, 'progress of the BullMQ job that is not a number')
}

/** BullMQ keeps ":" for its own keys. */
function jobIdOf(idempotencyKey: string): string {
  return `task/${idempotencyKey.replaceAll(':', '_')}`
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

/** What a promise gives, unless the abort is first. */
async function untilAbort<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  signal.throwIfAborted()
  let stopListening = (): void => undefined
  const aborted = new Promise<never>((_, reject) => {
    const onAbort = (): void => {
      reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    stopListening = () => {
      signal.removeEventListener('abort', onAbort)
    }
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    stopListening()
  }
}
