/**
 * Ticks from plans that Redis remembers: of all orchestrators on it, one is handed each tick.
 *
 * The arithmetic of when a plan is due is the core's, so that the same plan means the same moments in
 * memory and here. For each plan one tick is waiting in Redis; whoever takes it puts the next one there
 * first, in the same breath. So a tick that comes due while nobody runs is handed out when somebody
 * does, late; those after it that passed, too, are not made up for.
 */
import {
  backoffMs,
  nextTickAt,
  systemClock,
  type BackoffPolicy,
  type Plan,
  type Scheduler,
  type Tick,
  type Timing,
} from '@avtomatika/core'
import {
  DelayedError,
  Queue,
  Worker,
  type Job,
  type JobSchedulerJson,
  type JobsOptions,
} from 'bullmq'
import type { BackgroundLink } from './background-link.ts'
import { endWorker, InProgress } from './worker-end.ts'

export interface RedisSchedulerOptions {
  /** How long a tick that a dead orchestrator was handling stays its own, in ms. Default 15 000. */
  readonly lockMs?: number | undefined
}

const QUEUE = 'ticks'
const AT_A_TIME = 20
const LOCK_MS = 15_000
/** A tick that failed comes again after 1 s, then 2 s, at most a minute. */
const AGAIN: BackoffPolicy = { initialMs: 1_000, factor: 2, maxMs: 60_000, jitter: 0 }
/** How long a tick whose plan another orchestrator has is left for it. */
const LEAVE_MS = 1_000
const EVERY = 'every:'

const TICK_OPTIONS: JobsOptions = {
  // For as long as it takes (T2).
  attempts: 1_000_000,
  backoff: { type: 'custom' },
  removeOnComplete: true,
  removeOnFail: true,
  stackTraceLimit: 0,
}

interface TickData {
  /** Of the plan. */
  readonly name: string
}

type TickJob = Job<TickData, void>
type OnTick = (tick: Tick) => Promise<void>

const settings = {
  repeatStrategy: (after: number, repeat: { pattern?: string; tz?: string }): number =>
    nextTickAt(timingOf(repeat), after),
  backoffStrategy: (made: number): number => backoffMs(AGAIN, made, 0),
}

export class RedisScheduler implements Scheduler {
  readonly #link: BackgroundLink
  readonly #lockMs: number
  #run: SchedulerRun | undefined

  constructor(link: BackgroundLink, { lockMs = LOCK_MS }: RedisSchedulerOptions = {}) {
    this.#link = link
    this.#lockMs = lockMs
  }

  start(plans: readonly Plan[], onTick: OnTick): void {
    const lockMs = this.#lockMs
    this.#run ??= new SchedulerRun({ link: this.#link, lockMs, plans, onTick })
  }

  async stop(graceMs?: number): Promise<void> {
    const run = this.#run
    this.#run = undefined
    await run?.stop(graceMs)
  }
}

interface RunOptions {
  readonly link: BackgroundLink
  readonly lockMs: number
  readonly plans: readonly Plan[]
  readonly onTick: OnTick
}

/** From one start to its stop. */
class SchedulerRun {
  readonly #link: BackgroundLink
  readonly #plans: ReadonlyMap<string, Plan>
  readonly #onTick: OnTick
  readonly #queue: Queue<TickData, void>
  readonly #worker: Worker<TickData, void>
  readonly #inProgress = new InProgress()
  #isStopped = false
  #endPause = (): void => undefined

  constructor({ link, lockMs, plans, onTick }: RunOptions) {
    this.#link = link
    this.#plans = new Map(plans.map((plan) => [plan.name, plan]))
    this.#onTick = onTick
    const base = { connection: link.redis, prefix: link.prefix, settings }
    this.#queue = new Queue(QUEUE, base)
    this.#worker = new Worker(
      QUEUE,
      (job, token) => this.#inProgress.track(this.#handle(job, token)),
      {
        ...base,
        concurrency: AT_A_TIME,
        lockDuration: lockMs,
        stalledInterval: lockMs / 2,
        maxStalledCount: 1_000_000,
      },
    )
    this.#queue.on('error', link.report)
    this.#worker.on('error', link.report)
    this.#worker.on('failed', (job, error) => {
      const fields = { err: error, plan: job?.data.name, failures: job?.attemptsMade }
      link.log.error(fields, 'a tick failed; trying again')
    })
    void this.#rememberAll()
  }

  async stop(graceMs = Infinity): Promise<void> {
    this.#isStopped = true
    this.#endPause()
    const { isConnected } = this.#link
    const inProgress = this.#inProgress
    await endWorker(this.#worker, { inProgress, isConnected, withinMs: graceMs })
    await this.#queue.close()
  }

  async #handle(job: TickJob, token: string | undefined): Promise<void> {
    const { name } = job.data
    if (this.#plans.has(name)) return this.#onTick({ name, at: momentOf(job) })
    // Another orchestrator has a newer configuration, or ours forgot the plan while this was waiting.
    if ((await this.#queue.getJobScheduler(idOf(name))) === undefined) return
    await job.moveToDelayed(systemClock.now() + LEAVE_MS, token)
    throw new DelayedError()
  }

  /** Never rejects; tries until Redis knows our plans and no others, or until it is stopped. */
  async #rememberAll(): Promise<void> {
    for (let failures = 1; !this.#isStopped; failures += 1) {
      try {
        await this.#rememberOnce()
        return
      } catch (error) {
        if (this.#hasStopped()) return
        const retryInMs = backoffMs(AGAIN, failures, 0)
        const fields = { err: error, retryInMs }
        this.#link.log.warn(fields, 'the schedules could not be written to Redis; trying again')
        await this.#pause(retryInMs)
      }
    }
  }

  async #rememberOnce(): Promise<void> {
    const known = await this.#link.ask(() => this.#queue.getJobSchedulers(0, -1, true))
    const wanted = new Set([...this.#plans.keys()].map(idOf))
    for (const { key } of known) {
      if (!wanted.has(key)) await this.#link.ask(() => this.#queue.removeJobScheduler(key))
    }
    for (const plan of this.#plans.values()) {
      const before = known.find(({ key }) => key === idOf(plan.name))
      // Writing it anew would move a tick that is due, and that nobody has taken yet, to the next time.
      if (before !== undefined && isSame(before, plan.timing)) continue
      const template = { name: 'tick', data: { name: plan.name }, opts: TICK_OPTIONS }
      const repeat = repeatOf(plan.timing)
      await this.#link.ask(() => this.#queue.upsertJobScheduler(idOf(plan.name), repeat, template))
    }
  }

  // Read through a method: `stop` changes the flag while an answer is awaited.
  #hasStopped(): boolean {
    return this.#isStopped
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = systemClock.after(ms, resolve)
      this.#endPause = () => {
        cancel()
        resolve()
      }
    })
  }
}

/** Colons have a meaning in these ids. */
function idOf(name: string): string {
  return encodeURIComponent(name)
}

/** Ids of ticks end with the moment they are due. */
function momentOf({ id = '' }: TickJob): number {
  return Number(id.slice(id.lastIndexOf(':') + 1))
}

function repeatOf(timing: Timing): { pattern: string; tz?: string } {
  if ('everyMs' in timing) return { pattern: `${EVERY}${String(timing.everyMs)}` }
  return { pattern: timing.cron, tz: timing.timezone }
}

function timingOf({ pattern = '', tz = 'UTC' }: { pattern?: string; tz?: string }): Timing {
  if (pattern.startsWith(EVERY)) return { everyMs: Number(pattern.slice(EVERY.length)) }
  return { cron: pattern, timezone: tz }
}

function isSame({ pattern, tz }: JobSchedulerJson<TickData>, timing: Timing): boolean {
  const repeat = repeatOf(timing)
  return pattern === repeat.pattern && tz === repeat.tz
}
