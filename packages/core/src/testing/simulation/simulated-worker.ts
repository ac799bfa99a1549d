/** A worker that polls, works, answers, loses messages, repeats itself, and dies. */
import { AvtomatikaError, normaliseHeartbeat, normaliseRegistration } from '@avtomatika/protocol'
import type { HandedTask } from '../../engine/dispatch/handed-task.ts'
import type { Engine } from '../../engine/engine.ts'
import type { Clock } from '../../ports/clock.ts'
import type { SeededRandom } from '../seeded-random.ts'
import type { Journal } from './journal.ts'
import type { Plan } from './plan.ts'

export interface SimulatedWorkerOptions {
  readonly workerId: string
  readonly clock: Clock
  readonly random: SeededRandom
  readonly plan: Plan
  readonly journal: Journal
  readonly isFaulty: () => boolean
  /** An orchestrator that is up, or none. */
  readonly orchestrator: () => Engine | undefined
}

const HEARTBEAT_MS = 500
const POLL_MS = 3_000
/** An unanswered call is given up after this long, as an HTTP client would. */
const CALL_TIMEOUT_MS = 4_000

/** Stands for a message, or an answer, that never arrived. */
class Lost extends Error {}

export class SimulatedWorker {
  readonly #options: SimulatedWorkerOptions
  readonly #tasks = new Map<string, HandedTask>()
  /** Half of them say that they have got a task. */
  readonly #acknowledges: boolean
  #registered = false
  #polling = false

  constructor(options: SimulatedWorkerOptions) {
    this.#options = options
    this.#acknowledges = options.random.chance(0.5)
  }

  start(): void {
    this.#beat()
  }

  /** Everything it knew is gone; it comes back as a fresh process. */
  #die(): void {
    this.#tasks.clear()
    this.#registered = false
  }

  #beat(): void {
    const { clock } = this.#options
    clock.after(HEARTBEAT_MS, () => {
      this.#beat()
      void this.#round().catch(this.#expected)
    })
  }

  /** Lost messages and absent orchestrators are part of the play; anything else is a finding. */
  readonly #expected = (error: unknown): void => {
    if (error instanceof Lost) return
    if (!AvtomatikaError.is(error)) throw error
    if (error.code === 'WORKER_NOT_FOUND') this.#registered = false
  }

  async #round(): Promise<void> {
    const { workerId, random } = this.#options
    if (!this.#registered) {
      const said = { worker_id: workerId, supported_skills: ['work'], max_concurrent_tasks: 2 }
      const features = this.#acknowledges ? ['acks'] : []
      const body = { ...said, features, cost_per_second: random.between(1, 2) }
      await this.#call((engine) => engine.fleet.register(normaliseRegistration(body)))
      this.#registered = true
    }
    if (!this.#polling && this.#tasks.size < 2) void this.#poll().catch(this.#expected)
    const current_tasks = [...this.#tasks.keys()]
    const beat = normaliseHeartbeat({ worker_id: workerId, status: 'idle', current_tasks })
    const { cancelTaskIds } = await this.#call((engine) => engine.fleet.heartbeat(workerId, beat))
    for (const taskId of cancelTaskIds) this.#tasks.delete(taskId)
  }

  async #poll(): Promise<void> {
    const { workerId } = this.#options
    this.#polling = true
    try {
      const signal = new AbortController().signal
      const poll = { workerId, waitMs: POLL_MS, max: 2, signal }
      const tasks = await this.#call(async (engine) => {
        const handed = await engine.dispatcher.poll(poll)
        await engine.lines.handed(handed, workerId)
        return handed
      })
      for (const task of tasks) this.#work(task)
      if (this.#acknowledges && tasks.length > 0) void this.#acknowledge(tasks)
    } finally {
      this.#polling = false
    }
  }

  /** Sent once: its next list of tasks says the same. */
  async #acknowledge(tasks: readonly HandedTask[]): Promise<void> {
    const { workerId } = this.#options
    const taskIds = tasks.map(({ task }) => task.taskId)
    try {
      const gone = await this.#call((engine) => engine.lines.acknowledge(workerId, taskIds))
      for (const taskId of gone) this.#tasks.delete(taskId)
    } catch (error) {
      this.#expected(error)
    }
  }

  #work(handed: HandedTask): void {
    const { clock, random, plan, isFaulty } = this.#options
    const { taskId } = handed.task
    this.#tasks.set(taskId, handed)
    // Alive, and never done: only the task's own deadline helps.
    if (isFaulty() && random.chance(0.04)) return
    if (random.chance(0.15)) this.#report(handed)
    if (random.chance(0.05)) this.#forge(handed)
    clock.after(random.between(1, 1_500), () => {
      if (!this.#tasks.has(taskId)) return
      if (isFaulty() && random.chance(plan.workerDeathRate)) this.#die()
      else void this.#answer(handed, this.#outcome(taskId))
    })
  }

  /** Says something about its task on the way; the task may be withdrawn for it. */
  #report({ task }: HandedTask): void {
    const { workerId, random, clock } = this.#options
    const { jobId, taskId } = task
    const said = { jobId, taskId, workerId, eventId: `${taskId}-early`, payload: { from: taskId } }
    const type = random.pick(['done_early', 'note'])
    clock.after(random.between(1, 800), () => {
      void this.#call((engine) => engine.events.reportByWorker({ ...said, type })).catch(
        this.#expected,
      )
    })
  }

  /** Another worker answers for a task that it does not have. */
  #forge({ task: { jobId, taskId } }: HandedTask): void {
    const { journal } = this.#options
    const result = { jobId, taskId, status: 'success', data: { from: 'forger' } }
    const send = async (): Promise<void> => {
      const { kind } = await this.#call((engine) => engine.reportResult('forger', result))
      if (kind === 'changed') journal.violate(jobId, `took a forged result for ${taskId}`)
    }
    void send().catch(this.#expected)
  }

  #outcome(from: string): Record<string, unknown> {
    const { random } = this.#options
    if (random.chance(0.7)) return { status: 'success', data: { from } }
    if (random.chance(0.1)) return HANDED_BACK
    if (random.chance(0.3)) return { status: 'again', data: { from } }
    const code = random.pick(['TRANSIENT_ERROR', 'PERMANENT_ERROR', 'INVALID_INPUT_ERROR'])
    return { status: 'failure', error: { code, message: 'as planned' } }
  }

  /** Sends the result until it is answered; sometimes once more for no good reason. */
  async #answer({ task }: HandedTask, outcome: Record<string, unknown>): Promise<void> {
    const { workerId, clock, random, plan, isFaulty, journal } = this.#options
    const { jobId, taskId } = task
    const send = async (): Promise<void> => {
      const result = { jobId, taskId, ...typed(outcome) }
      const { kind } = await this.#call((engine) => engine.reportResult(workerId, result))
      if (kind !== 'ignored') journal.resultAccepted(jobId, taskId)
    }
    try {
      await send()
      this.#tasks.delete(taskId)
    } catch (error) {
      this.#expected(error)
      clock.after(300, () => void this.#answer({ task, leaseExpiresAt: 0, deadlineAt: 0 }, outcome))
      return
    }
    if (!isFaulty() || !random.chance(plan.repeatRate)) return
    clock.after(random.between(0, 5_000), () => void send().catch(this.#expected))
  }

  /** A call over a network that loses requests and answers, to whichever orchestrator is up. */
  async #call<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    const { random, plan, isFaulty, orchestrator, clock } = this.#options
    const engine = orchestrator()
    const lost = (): boolean => isFaulty() && random.chance(plan.lossRate)
    if (engine === undefined || lost()) throw new Lost()
    let giveUp = (): void => undefined
    const timeout = new Promise<never>((_resolve, reject) => {
      giveUp = clock.after(CALL_TIMEOUT_MS, () => {
        reject(new Lost())
      })
    })
    try {
      const answer = await Promise.race([work(engine), timeout])
      if (lost()) throw new Lost()
      return answer
    } finally {
      giveUp()
    }
  }
}

/** The worker is about to stop and gives its task back untouched. */
const HANDED_BACK = {
  status: 'failure',
  error: { code: 'TRANSIENT_ERROR', message: 'stopping', details: { released: true } },
}

function typed(outcome: Record<string, unknown>): {
  status: string
  data?: unknown
  error?: { code: string; message: string }
} {
  const { status, data, error } = outcome
  const failure = error as { code: string; message: string; details?: unknown } | undefined
  return { status: String(status), data, ...(failure && { error: failure }) }
}
