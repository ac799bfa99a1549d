/** Workers that answer as a test says. */
import {
  normaliseHeartbeat,
  normaliseRegistration,
  normaliseResult,
  type JsonObject,
  type TaskErrorCode,
} from '@avtomatika/protocol'
import { toJsonObject } from '../../json/to-json.ts'
import type { Engine } from '../../engine/engine.ts'
import type { JobWriter } from '../../engine/jobs/job-writer.ts'
import type { OfferedTask } from '../../job/effect.ts'
import { find } from '../../job/on-task.ts'
import type { TaskDemand } from '../../job/task.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Storage } from '../../ports/storage.ts'

/**
 * What a scripted worker answers; `no_answer` lets the task run into its timeout. Returned by an
 * `async` function, TypeScript wants it as `'no_answer' as const`.
 */
export type Reply =
  | {
      /** One of the dispatch's transitions. Default: `success`, or `failure` with an error. */
      readonly status?: string
      /** What the task returns. Default: nothing. */
      readonly data?: object
      /** The code decides what follows: another try, quarantine, or the end of the job. */
      readonly error?: {
        readonly code: TaskErrorCode | (string & {})
        readonly message?: string
      }
    }
  | 'no_answer'

/** A task as a script sees it. */
export interface ScriptedTask {
  readonly type: string
  readonly params: JsonObject
  /** Which try of the task it is, from 1. */
  readonly attempt: number
  readonly jobId: string
  readonly taskId: string
  /** Reports how far the task is, from 0 to 1. */
  readonly progress: (progress: number, message?: string) => Promise<void>
  /** Reports an event; it may move the job on before there is a reply. */
  readonly emit: (type: string, payload?: object) => Promise<void>
}

/**
 * One reply for all tasks of a type, one per task in order (the last one repeats), or a function.
 * What the function throws ends the test; a worker that fails is a reply with an `error`.
 */
export type Script = Reply | readonly Reply[] | ((task: ScriptedTask) => Reply | Promise<Reply>)

/** A task that was handed out, and what was answered. */
export interface HandedOut {
  readonly jobId: string
  readonly type: string
  readonly params: JsonObject
  /** Which try of the task it was, from 1. */
  readonly attempt: number
  readonly priority: number
  /** What the dispatch asks of a worker; a script answers whatever it is. */
  readonly demand: TaskDemand
  readonly reply: Reply
}

/** What scripted workers work on. */
export interface ScriptedWorkerParts {
  readonly scripts: Readonly<Record<string, Script>>
  readonly engine: Engine
  readonly storage: Storage
  readonly writer: JobWriter
  readonly clock: Clock
}

/** Two, since a task that failed is kept from its worker for a moment, and the other takes it. */
const WORKER_IDS = ['scripted-worker', 'scripted-worker-2'] as const

/** No worker of a test is ever lost: ten years. */
export const WORKER_INTERVAL_MS = 3_650 * 86_400_000

/**
 * Takes tasks, one at a time in the order of their priority. It has no machine: a task goes to its
 * script whatever else it asks for, so that an author need not describe a graphics card.
 */
export class ScriptedWorker {
  readonly #parts: ScriptedWorkerParts
  readonly #handedOut: HandedOut[] = []
  readonly #calls = new Map<string, number>()
  #events = 0
  #isRegistered = false

  constructor(parts: ScriptedWorkerParts) {
    this.#parts = parts
  }

  /** Oldest first. */
  get handedOut(): readonly HandedOut[] {
    return this.#handedOut
  }

  /** Whether a script answers tasks of this type. */
  knows(type: string): boolean {
    return Object.hasOwn(this.#parts.scripts, type)
  }

  /** Says hello, once, so that a task that nobody takes is told why. */
  async register(): Promise<void> {
    const types = Object.keys(this.#parts.scripts)
    if (this.#isRegistered || types.length === 0) return
    this.#isRegistered = true
    const { fleet } = this.#parts.engine
    const body = { worker_id: WORKER_IDS[0], supported_skills: types }
    await fleet.register(normaliseRegistration(body))
    await fleet.heartbeat(WORKER_IDS[0], normaliseHeartbeat({}))
  }

  /** Takes one task and answers it; `false` if there is none. */
  async work(): Promise<boolean> {
    const classes = await this.#parts.storage.listTaskClasses()
    const known = classes.filter(({ demand }) => this.knows(demand.type))
    const classIds = known.map(({ classId }) => classId)
    for (const workerId of WORKER_IDS) {
      const task = await this.#take(workerId, classIds)
      if (task === undefined) continue
      if (await this.#claim(task, workerId)) await this.#answer(task, workerId)
      return true
    }
    return false
  }

  async #take(workerId: string, classIds: readonly string[]): Promise<OfferedTask | undefined> {
    if (classIds.length === 0) return undefined
    const { storage, clock } = this.#parts
    const [claim] = await storage.claimTasks({
      workerId,
      classIds,
      limit: 1,
      capacity: Infinity,
      now: clock.now(),
      leaseMs: WORKER_INTERVAL_MS,
    })
    return claim?.task
  }

  /** `false` when the job does not want the task any more. */
  async #claim({ jobId, taskId }: OfferedTask, workerId: string): Promise<boolean> {
    const { storage, writer, clock } = this.#parts
    const event = { kind: 'task_claimed', at: clock.now(), taskId, workerId } as const
    const decision = await writer.apply(jobId, event)
    const run = decision.kind === 'changed' ? find(decision.job, taskId)?.run : undefined
    if (run?.phase.kind === 'claimed') return true
    await storage.dropTask(taskId)
    return false
  }

  async #answer(task: OfferedTask, workerId: string): Promise<void> {
    const { jobId, taskId, params, attempt, priority, demand } = task
    const reply = await this.#reply(task, workerId)
    const { type } = demand
    this.#handedOut.push({ jobId, type, params, attempt, priority, demand, reply })
    if (reply === 'no_answer') return
    const { status = reply.error === undefined ? 'success' : 'failure', data, error } = reply
    const said = error && { message: 'as scripted', ...error }
    const body = { job_id: jobId, task_id: taskId, status, data, error: said }
    await this.#parts.engine.reportResult(workerId, normaliseResult(body))
  }

  async #reply(task: OfferedTask, workerId: string): Promise<Reply> {
    const { type } = task.demand
    const script = this.#parts.scripts[type]
    if (typeof script === 'function') return script(this.#scripted(task, workerId))
    if (!isList(script)) return script ?? {}
    const call = this.#calls.get(type) ?? 0
    this.#calls.set(type, call + 1)
    return script[Math.min(call, script.length - 1)] ?? {}
  }

  #scripted(task: OfferedTask, workerId: string): ScriptedTask {
    const { engine } = this.#parts
    const { jobId, taskId, params, attempt, demand } = task
    const from = { jobId, taskId, workerId }
    return {
      type: demand.type,
      params,
      attempt,
      jobId,
      taskId,
      progress: async (progress, message) => {
        await engine.reportProgress({ ...from, progress, message: message ?? null })
      },
      emit: async (type, payload = {}) => {
        this.#events += 1
        const eventId = `scripted-${String(this.#events)}`
        const event = { ...from, eventId, type, payload: toJsonObject(payload, 'payload') }
        await engine.events.reportByWorker(event)
      },
    }
  }
}

// `Array.isArray` does not narrow read-only arrays.
function isList(script: Script | undefined): script is readonly Reply[] {
  return Array.isArray(script)
}
