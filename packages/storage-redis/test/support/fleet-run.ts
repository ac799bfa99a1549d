/** A fleet at work on thousands of tasks, and what can be said against how it went. */
import { type AvtomatikaClient } from '@avtomatika/client'
import { AvtomatikaError } from '@avtomatika/protocol'
import { onTestFinished } from 'vitest'
import type { Programs } from './build-programs.ts'
import { Crew } from './fleet-crew.ts'
import { whyNot } from './fleet-fit.ts'
import { TOO_MANY_SLIPS, type TaskPlan, type WorkerPlan } from './fleet-plan.ts'
import type { FleetRow, Post } from './fleet-program.ts'
import { demandOf, slipOf } from './fleet-wire.ts'
import { freePort } from './free-port.ts'
import type { OrchestratorSettings } from './orchestrator-program.ts'
import { TOKENS } from './program.ts'
import { Stage, type Orchestrator } from './stage.ts'

/** Creations that are under way at a time: few enough for strategies to have a choice. */
const CREATORS = 6
/** The usual is a tenth of this; the rest is for machines that have other things to do. */
const WORK_MS = 400_000
/** A result was counted before it was told to the others. */
const WORD_TRAVELS_MS = 1_000

export interface FleetRunOptions {
  readonly programs: Programs
  readonly keeps: NonNullable<OrchestratorSettings['keeps']>
  readonly orchestrators: number
  readonly config?: OrchestratorSettings['config']
  readonly workers: readonly WorkerPlan[]
  readonly processes: number
  readonly heartbeatIntervalMs: number
}

export interface Outcome {
  readonly task: TaskPlan
  /** Who did it. */
  readonly worker: WorkerPlan
}

/** Where an orchestrator is, while it is there. */
interface Seat {
  readonly url: string
  readonly settings: Omit<OrchestratorSettings, 'redisUrl'>
  orchestrator: Orchestrator | undefined
}

export class FleetRun {
  readonly stage: Stage
  readonly crew: Crew
  readonly #seats: readonly Seat[]
  /** All that a worker has ever been, by revision. */
  readonly #plans = new Map<string, WorkerPlan[]>()
  /** In ms since 1970. */
  /** By number. */
  readonly #tasks = new Map<number, TaskPlan>()
  /** Their jobs. */
  readonly #jobIds = new Map<number, string>()
  /** By then all orchestrators have heard who broke their contract. */
  #distrustedFrom = Infinity
  /** Those that have not ended, as far as was looked. */
  readonly #open = new Set<string>()

  private constructor({ stage, crew }: Pick<FleetRun, 'stage' | 'crew'>, seats: readonly Seat[]) {
    this.stage = stage
    this.crew = crew
    this.#seats = seats
  }

  /** Resolves when all are at work, and those who slip have slipped. */
  static async open(options: FleetRunOptions): Promise<FleetRun> {
    const { programs, keeps, config, workers } = options
    const stage = await Stage.open(programs)
    const seats: Seat[] = []
    for (let i = 0; i < options.orchestrators; i += 1) {
      const settings = { keeps, port: await freePort(), ...(config && { config }) }
      const orchestrator = await stage.orchestrator(settings)
      seats.push({ url: orchestrator.url, settings, orchestrator })
    }
    const urls = seats.map(({ url }) => url)
    const crew = await Crew.start(
      options,
      workers.map((plan, i) => ({ plan, urls: urlsOf(urls, i) })),
    )
    onTestFinished(() => crew.kill())
    const run = new FleetRun({ stage, crew }, seats)
    for (const plan of workers) run.#plans.set(plan.workerId, [plan])
    await run.#slip(workers)
    run.#distrustedFrom = Date.now() + WORD_TRAVELS_MS
    return run
  }

  /** How many of the tasks have ended. */
  get ended(): number {
    const { ledger } = this.stage
    for (const jobId of this.#open) {
      if (ledger.endsOf(jobId).length > 0) this.#open.delete(jobId)
    }
    return this.#jobIds.size - this.#open.size
  }

  /** Creates a job for each task; whoever is asked may be dead right now. */
  async create(tasks: readonly TaskPlan[]): Promise<void> {
    for (const task of tasks) this.#tasks.set(task.n, task)
    const left = tasks.values()
    const goOn = async (): Promise<void> => {
      for (const task of left) await this.#create(task, task.n)
    }
    await Promise.all(Array.from({ length: CREATORS }, goOn))
  }

  /** Does one task from beginning to end, by the first orchestrator; resolves with who did it. */
  async doOne(task: TaskPlan): Promise<string> {
    this.#tasks.set(task.n, task)
    const jobId = await this.#create(task, 0)
    const { ledger } = this.stage
    await ledger.until(() => ledger.endsOf(jobId).length > 0, AbortSignal.timeout(WORK_MS))
    return this.#finished(task).at(-1)?.workerId ?? ''
  }

  /**
   * Resolves when so many tasks have ended.
   * @throws when that takes too long: with what the others wait for.
   */
  async untilEnded(count: number): Promise<void> {
    const signal = AbortSignal.timeout(WORK_MS)
    await this.stage.ledger
      .until(() => this.ended >= count, signal)
      .catch(async (cause: unknown) => {
        throw new Error(await this.#describeOpen(count), { cause })
      })
  }

  /** Kills an orchestrator, and starts it again where it was. */
  async restartOrchestrator(number: number): Promise<void> {
    const seat = this.#seats[number]
    if (seat === undefined) throw new Error(`There is no orchestrator ${number}.`)
    const { orchestrator } = seat
    seat.orchestrator = undefined
    await orchestrator?.process.kill()
    seat.orchestrator = await this.stage.orchestrator(seat.settings)
  }

  /** A worker can do something else from now on, at other orchestrators. */
  async change(plan: WorkerPlan, number: number): Promise<void> {
    this.#plans.get(plan.workerId)?.push(plan)
    const urls = this.#seats.map(({ url }) => url)
    const post: Post = { plan, urls: urlsOf(urls, number) }
    await this.crew.change(post)
  }

  /** What an admin does: `drain` or `evict`. */
  async order(workerId: string, what: 'drain' | 'evict'): Promise<void> {
    const url = this.#urlOfOneUp
    const headers = { 'x-client-token': TOKENS.admin, 'content-type': 'application/json' }
    const path = `/api/v1/workers/${workerId}/${what}`
    const answer = await fetch(`${url}${path}`, { method: 'POST', headers, body: '{}' })
    if (answer.status !== 200) throw new Error(`${path} was answered with ${answer.status}.`)
  }

  /** Tasks that are on offer, as an admin sees them. */
  async pending(): Promise<unknown> {
    const url = this.#urlOfOneUp
    const headers = { 'x-client-token': TOKENS.admin }
    const answer = await fetch(`${url}/api/v1/tasks/pending`, { headers })
    return answer.json()
  }

  /** Who did what, by what the history says. */
  outcomes(): readonly Outcome[] {
    return [...this.#tasks.values()].flatMap((task) => {
      const { workerId = '' } = this.#finished(task).at(-1) ?? {}
      const worker = this.#plans.get(workerId)?.at(-1)
      return worker === undefined ? [] : [{ task, worker }]
    })
  }

  /** Everything that went wrong, each with the task and the worker. */
  faults(): readonly string[] {
    const endings = new Map<string, FleetRow[]>()
    for (const row of this.crew.rows) {
      if (row.event !== 'ended') continue
      endings.set(row.taskId, [...(endings.get(row.taskId) ?? []), row])
    }
    return [
      ...this.crew.failures,
      ...this.stage.ledger.contradictions.map((row) => `told twice: ${JSON.stringify(row)}`),
      ...[...this.#tasks.values()].flatMap((task) => this.#faultsOfTask(task, endings)),
      ...this.crew.rows.flatMap((row) => this.#faultsOfRow(row)),
    ]
  }

  get #urlOfOneUp(): string {
    return this.#seats.find(({ orchestrator }) => orchestrator !== undefined)?.url ?? ''
  }

  /** Those who break their contract beforehand are trusted less, or not at all. */
  async #slip(workers: readonly WorkerPlan[]): Promise<void> {
    const created = workers.flatMap((worker) =>
      Array.from({ length: worker.slips }, (_, i) =>
        this.#insist(i, (client) => client.createJob('/jobs/demanding', slipOf(worker))),
      ),
    )
    const jobIds = (await Promise.all(created)).map(({ jobId }) => jobId)
    const { ledger } = this.stage
    await ledger.until(() => jobIds.every((jobId) => ledger.endsOf(jobId).length > 0))
  }

  async #create(task: TaskPlan, number: number): Promise<string> {
    const key = { idempotencyKey: `task-${task.n}` }
    const { jobId } = await this.#insist(number, (client) =>
      client.createJob('/jobs/demanding', demandOf(task), key),
    )
    this.#jobIds.set(task.n, jobId)
    this.#open.add(jobId)
    return jobId
  }

  #finished(task: TaskPlan): ReturnType<Stage['ledger']['typesOf']> {
    const jobId = this.#jobIds.get(task.n) ?? ''
    return this.stage.ledger.typesOf(jobId, 'task_finished')
  }

  #faultsOfTask(task: TaskPlan, endings: ReadonlyMap<string, readonly FleetRow[]>): string[] {
    const { ledger } = this.stage
    const jobId = this.#jobIds.get(task.n) ?? ''
    const said = { ends: ledger.endsOf(jobId), path: ledger.pathOf(jobId) }
    const right = { ends: ['job_finished'], path: ['start > done'] }
    const finished = this.#finished(task).at(-1)
    const [one, ...more] = endings.get(finished?.taskId ?? '') ?? []
    const where = `task ${task.n} of job ${jobId}`
    return [
      ...(JSON.stringify(said) === JSON.stringify(right)
        ? []
        : [`${where} went ${JSON.stringify(said)}: ${JSON.stringify(ledger.rowsOf(jobId))}`]),
      ...(one?.workerId === finished?.workerId && one !== undefined
        ? []
        : [`${where} was done by ${String(one?.workerId)}, not ${String(finished?.workerId)}`]),
      ...more.map(({ workerId }) => `${where} was done under the same id by ${workerId} as well`),
    ]
  }

  #faultsOfRow(row: FleetRow): string[] {
    const { event, workerId, revision, n, taskId, at } = row
    const worker = this.#plans.get(workerId)?.[revision]
    const task = this.#tasks.get(n)
    if (event === 'ended') return []
    const where = `${taskId} at ${workerId} (revision ${revision})`
    if (worker === undefined || task === undefined) return [`${where} was never planned`]
    const why = whyNot(worker, task)
    const skill = worker.skills.find(({ name }) => name === task.skill)
    const limits: readonly [name: string, has: number, most: number][] = [
      ['tasks', row.atWork, worker.slots],
      [task.skill, row.ofSkill, skill?.limit ?? Infinity],
      [skill?.type ?? '', row.ofType, worker.typeLimits[skill?.type ?? ''] ?? Infinity],
    ]
    return [
      ...(why === undefined ? [] : [`${where}: it ${why}; wanted ${JSON.stringify(task)}`]),
      ...(this.#plans.get(workerId)?.[0]?.slips === TOO_MANY_SLIPS && at > this.#distrustedFrom
        ? [`${where}: it is not trusted`]
        : []),
      ...limits.flatMap(([name, has, most]) =>
        has <= most ? [] : [`${where}: ${has} of ${name} at a time, at most ${most} are right`],
      ),
    ]
  }

  async #insist<T>(number: number, work: (client: AvtomatikaClient) => Promise<T>): Promise<T> {
    for (let tries = number; ; tries += 1) {
      const client = this.#seats[tries % this.#seats.length]?.orchestrator?.client
      try {
        if (client !== undefined) return await work(client)
        // All may be away at the same moment, and one will be back.
        await new Promise((resolve) => setImmediate(resolve))
      } catch (error) {
        if (!AvtomatikaError.is(error) || !error.retry) throw error
      }
    }
  }

  async #describeOpen(count: number): Promise<string> {
    const { ledger } = this.stage
    const open = [...this.#tasks.values()].filter(
      ({ n }) => ledger.endsOf(this.#jobIds.get(n) ?? '').length === 0,
    )
    const lines = open.slice(0, 5).map((task) => {
      const jobId = this.#jobIds.get(task.n) ?? ''
      const fitting = [...this.#plans.values()].flatMap((plans) => plans.at(-1) ?? [])
      const ids = fitting.filter((worker) => whyNot(worker, task) === undefined)
      return [
        JSON.stringify(task),
        `can be done by ${ids.map(({ workerId }) => workerId).join(', ')}`,
        `history: ${JSON.stringify(ledger.rowsOf(jobId))}`,
      ].join('\n  ')
    })
    const pending = JSON.stringify(await this.pending()).slice(0, 2_000)
    return [
      `${this.ended} tasks of ${count} ended in time; open are ${open.length}, such as`,
      ...lines,
      `on offer: ${pending}`,
      ...this.crew.failures,
    ].join('\n')
  }
}

/** Most workers have one orchestrator; every tenth asks two. */
function urlsOf(urls: readonly string[], number: number): readonly string[] {
  const turned = urls.map((_, i) => urls[(number + i) % urls.length] ?? '')
  return turned.slice(0, number % 10 === 0 ? 2 : 1)
}
