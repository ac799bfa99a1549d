/** Jobs that are created again and again, without a client who asks. */
import {
  AvtomatikaError,
  ConfigError,
  isIdentifier,
  MAX_TIMEOUT_SECONDS,
  type JsonObject,
} from '@avtomatika/protocol'
import type { BlueprintDefinition } from '../../blueprint/definition.ts'
import type { BlueprintRegistry } from '../../blueprint/registry.ts'
import { toJsonObject } from '../../json/to-json.ts'
import type { JobOwner } from '../../job/job.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { Tick, Timing } from '../../ports/scheduler.ts'
import { timingProblem } from '../../ports/ticks.ts'
import { checkedInput, type NewJobRequest } from '../jobs/job-creation.ts'
import { isFinal } from '../jobs/refusal.ts'
import type { Duty } from './timetable.ts'

/** A job to create again and again; times in seconds. */
export interface ScheduleConfig {
  /** Letters, digits, `_` and `-`; must not change, or ticks that are on their way are forgotten. */
  readonly name: string
  /** The blueprint's name; of several versions, as a child would be chosen. */
  readonly blueprint: string
  /** Default: nothing. */
  readonly initialData?: object
  /** Kept with each job, after `schedule` and `scheduled_at`. */
  readonly metadata?: JsonObject
  /** At every multiple of this since 1970. Give either this or `cron`. */
  readonly everySeconds?: number
  /** Five fields, or six with seconds first; or `@daily` and the like. */
  readonly cron?: string
  /** Whose wall clock `cron` means, such as `Europe/Berlin`. Default `UTC`. */
  readonly timezone?: string
  /** Default true. What is off is checked all the same. */
  readonly enabled?: boolean
  /** No worker has taken a task by then: the job fails. */
  readonly dispatchTimeout?: number
  /** It still waits for a result by then: the job fails. */
  readonly resultTimeout?: number
}

export interface SchedulesOptions {
  readonly configs: readonly ScheduleConfig[]
  readonly blueprints: BlueprintRegistry
  /** How a job is created; the same idempotency key creates one job. */
  readonly createJob: (request: NewJobRequest) => Promise<{ readonly jobId: string }>
  readonly clock: Clock
  readonly log: Log
}

/** Whom the jobs belong to: a client of this id sees them, and so do admins. */
const OWNER: JobOwner = { clientId: 'scheduler', plan: null, params: {} }

type Request = Omit<NewJobRequest, 'idempotencyKey'>

export class Schedules {
  readonly #options: SchedulesOptions

  constructor(options: SchedulesOptions) {
    this.#options = options
  }

  /**
   * What is to be done when. All blueprints must be registered by now.
   * @throws ConfigError `CONFIG_INVALID` listing everything that is wrong with any of them (D-72).
   */
  async duties(): Promise<readonly Duty[]> {
    const { configs } = this.#options
    const problems = await Promise.all(configs.map((config) => this.#problemsOf(config)))
    const all = [...repeated(configs), ...problems.flat()]
    if (all.length > 0) {
      const message = `${all.join('; ')}.`
      throw new ConfigError('CONFIG_INVALID', { message, details: { problems: all } })
    }
    return configs.filter(({ enabled }) => enabled !== false).map((config) => this.#duty(config))
  }

  #duty(config: ScheduleConfig): Duty {
    const blueprint = this.#blueprintOf(config)
    const timing = timingOf(config)
    if (blueprint === undefined || timing === undefined)
      throw new Error('A schedule was not checked.')
    const request = requestOf(config, blueprint)
    return {
      plan: { name: `schedule:${config.name}`, timing },
      run: (tick) => this.#create(config, request, tick),
    }
  }

  /**
   * Creates the job of one tick, once, however often and by however many the tick is handled. Rejects
   * when it may succeed later (D-72).
   */
  async #create(
    { name }: ScheduleConfig,
    request: Request,
    { name: plan, at }: Tick,
  ): Promise<void> {
    const { createJob, log } = this.#options
    const scheduledAt = new Date(at).toISOString()
    const metadata = { schedule: name, scheduled_at: scheduledAt, ...request.metadata }
    const about = { schedule: name, scheduledAt }
    try {
      const idempotencyKey = `${plan}:${String(at)}`
      const { jobId } = await createJob({ ...request, metadata, idempotencyKey })
      log.info({ ...about, jobId }, `schedule '${name}' was due: its job is created`)
    } catch (error) {
      if (!isFinal(error)) throw error
      if (AvtomatikaError.is(error) && error.code === 'IDEMPOTENCY_CONFLICT') {
        log.warn(
          about,
          `another orchestrator has created this job of schedule '${name}', from other data`,
        )
        return
      }
      log.error({ ...about, err: error }, `schedule '${name}' could not create its job`)
    }
  }

  async #problemsOf(config: ScheduleConfig): Promise<string[]> {
    const { name } = config
    const blueprint = this.#blueprintOf(config)
    const problems = [
      ...(isIdentifier(name) ? [] : ['its name may contain only letters, digits, "_" and "-"']),
      ...(blueprint === undefined ? [`there is no blueprint '${config.blueprint}'`] : []),
      ...(blueprint === undefined ? [] : await dataProblems(config, blueprint)),
      ...this.#timingProblems(config),
      ...timeoutProblems(config),
    ]
    return problems.map((problem) => `schedule '${name}': ${problem}`)
  }

  #timingProblems(config: ScheduleConfig): readonly string[] {
    const { everySeconds, cron, timezone } = config
    const timing = timingOf(config)
    if (timing === undefined) {
      const what = cron === undefined ? 'neither' : 'both'
      return [`give everySeconds or cron; it has ${what}`]
    }
    if (everySeconds !== undefined) {
      const misplaced = timezone === undefined ? [] : ['a timezone is for cron only']
      const isUsable = Number.isInteger(everySeconds) && everySeconds >= 1
      if (isUsable) return misplaced
      return [
        ...misplaced,
        `everySeconds must be a whole number from 1, got ${String(everySeconds)}`,
      ]
    }
    const problem = timingProblem(timing, this.#options.clock.now())
    return problem === undefined ? [] : [problem]
  }

  #blueprintOf({ blueprint }: ScheduleConfig): BlueprintDefinition | undefined {
    return this.#options.blueprints.findByName(blueprint)
  }
}

function timingOf({ everySeconds, cron, timezone = 'UTC' }: ScheduleConfig): Timing | undefined {
  if (everySeconds !== undefined && cron !== undefined) return undefined
  if (everySeconds !== undefined) return { everyMs: everySeconds * 1_000 }
  return cron === undefined ? undefined : { cron, timezone }
}

function requestOf(config: ScheduleConfig, blueprint: BlueprintDefinition): Request {
  const { initialData = {}, metadata = {}, dispatchTimeout, resultTimeout } = config
  return {
    blueprint,
    initialData,
    owner: OWNER,
    metadata,
    ...(dispatchTimeout !== undefined && { dispatchTimeoutMs: Math.ceil(dispatchTimeout * 1_000) }),
    ...(resultTimeout !== undefined && { resultTimeoutMs: Math.ceil(resultTimeout * 1_000) }),
  }
}

/** What each of its jobs would be refused for. */
async function dataProblems(
  { initialData = {}, metadata = {} }: ScheduleConfig,
  blueprint: BlueprintDefinition,
): Promise<readonly string[]> {
  const reason = (error: unknown): string[] => [
    error instanceof Error ? error.message : String(error),
  ]
  const checks = [checkedInput(blueprint, initialData), jsonOf(metadata)]
  return (await Promise.all(checks.map((check) => check.then(() => [], reason)))).flat()
}

async function jsonOf(metadata: object): Promise<JsonObject> {
  return toJsonObject(metadata, 'metadata')
}

function timeoutProblems(config: ScheduleConfig): readonly string[] {
  return (['dispatchTimeout', 'resultTimeout'] as const).flatMap((name) => {
    const seconds = config[name]
    if (seconds === undefined || (seconds > 0 && seconds <= MAX_TIMEOUT_SECONDS)) return []
    const range = `more than 0 and at most ${String(MAX_TIMEOUT_SECONDS)} seconds`
    return [`${name} must be ${range}, got ${String(seconds)}`]
  })
}

function repeated(configs: readonly ScheduleConfig[]): readonly string[] {
  const names = configs.map(({ name }) => name)
  const twice = new Set(names.filter((name, i) => names.indexOf(name) !== i))
  return [...twice].map((name) => `schedule '${name}': there are several of this name`)
}
