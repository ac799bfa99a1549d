/** Jobs that are created all the time, whatever happens to Redis, and what became of each of them. */
import { AvtomatikaClient, isTerminalJobStatus, type Job } from '@avtomatika/client'
import { AvtomatikaError } from '@avtomatika/protocol'
import type { HistoryRecord } from '@avtomatika/core'
import { expect } from 'vitest'
import { RedisStorage } from '../../src/index.ts'

/** What each shape leaves and enters on its way, once, and how many tasks it has. */
const SHAPES = {
  single: { path: ['start > done'], tasks: 1 },
  row: { path: ['one > two', 'three > done', 'two > three'], tasks: 3 },
  fan: { path: ['collect > done', 'spread > collect'], tasks: 20 },
  parent: { path: ['start > done'], tasks: 0 },
} as const
type Shape = keyof typeof SHAPES
const NAMES = Object.keys(SHAPES) as Shape[]

/** Jobs that are under way at a time: each creator waits for the end of its job before the next. */
const CREATORS = 16
const LOOK_EVERY_MS = 100
const HOUR_MS = 3_600_000
const LEFTOVERS = 1_000
const FAN_RESULT = Array.from({ length: SHAPES.fan.tasks }, (_, n) => n)

type Row = Pick<
  HistoryRecord,
  'eventId' | 'type' | 'state' | 'previousState' | 'nextState' | 'attempt' | 'branch'
>

/** A row as the API tells it. */
interface WireRow {
  readonly event_id: string
  readonly event_type: HistoryRecord['type']
  readonly previous_state: string | null
  readonly next_state: string | null
  readonly state: string
  readonly attempt_number: number | null
  readonly context_snapshot: { readonly branch?: string }
}

export class SteadyLoad {
  readonly #urls: readonly string[]
  readonly #token: string
  readonly #clients: readonly AvtomatikaClient[]
  readonly #accepted = new Map<string, Shape>()
  #creating: readonly Promise<void>[] = []
  #isStopping = false
  #isClosed = false
  #created = 0
  #refused = 0

  /** @param urls - of the orchestrators, which are asked in turn. */
  constructor(urls: readonly string[], token: string) {
    this.#urls = urls
    this.#token = token
    this.#clients = urls.map((url) => new AvtomatikaClient({ url, token, timeoutMs: 10_000 }))
  }

  /** Jobs that an orchestrator answered for with 202. */
  get accepted(): number {
    return this.#accepted.size
  }

  /** Calls that were told to come back later. */
  get refused(): number {
    return this.#refused
  }

  start(): void {
    this.#creating = Array.from({ length: CREATORS }, () => this.#create())
    // Whoever waits for them is told; a test that failed before waits no more.
    for (const each of this.#creating) each.catch(() => undefined)
  }

  /** Resolves when so many more jobs have been accepted. */
  async more(jobs: number): Promise<void> {
    const goal = this.accepted + jobs
    const enough = async (): Promise<void> => {
      while (this.accepted < goal && !this.#isClosed) await pass(LOOK_EVERY_MS)
    }
    await Promise.race([enough(), Promise.all(this.#creating)])
  }

  /** Creates no more; resolves when what was begun has ended, with the seconds that took. */
  async stop(): Promise<number> {
    const begunAt = performance.now()
    this.#isStopping = true
    await Promise.all(this.#creating)
    return (performance.now() - begunAt) / 1_000
  }

  /** Runs one job by the first orchestrator, until it works: how long that takes is a figure. */
  async secondsUntilOneRuns(): Promise<number> {
    const begunAt = performance.now()
    const [client] = this.#clients
    for (;;) {
      try {
        const job = await client?.run('/jobs/row', {}, { timeoutMs: 20_000 })
        expect(job?.status).toBe('finished')
        return (performance.now() - begunAt) / 1_000
      } catch (error) {
        if (!AvtomatikaError.is(error) || !error.retry) throw error
      }
    }
  }

  /** Fails unless each job took each of its ways once, was told each result once, and ended once. */
  async assertOnce(redisUrl: string): Promise<void> {
    const leftovers = await recordsIn(redisUrl)
    for (const [jobId, shape] of this.#accepted) {
      const rows = [
        ...leftovers.filter((row) => row.jobId === jobId),
        ...(await this.#rowsOf(jobId)),
      ]
      const each = [...new Map(rows.map((row) => [row.eventId, row])).values()]
      const ofType = (type: HistoryRecord['type']): Row[] => each.filter((row) => row.type === type)
      const { path, tasks } = SHAPES[shape]
      const taken = ofType('state_finished').map((row) => `${row.previousState} > ${row.nextState}`)
      expect({ jobId, shape, taken: taken.sort() }).toEqual({ jobId, shape, taken: path })
      // A task that was lost is tried again; each try may end once, and only the last one counts.
      const tries = ofType('task_finished').map((row) => `${taskOf(row)} ${row.attempt ?? 0}`)
      expect({ jobId, twice: tries.filter((each, i) => tries.indexOf(each) < i) }).toEqual({
        jobId,
        twice: [],
      })
      expect(new Set(ofType('task_finished').map(taskOf)).size).toBe(tasks)
      expect({ jobId, ends: ofType('job_finished').length }).toEqual({ jobId, ends: 1 })
    }
  }

  async close(): Promise<void> {
    this.#isStopping = true
    this.#isClosed = true
    await Promise.all(this.#clients.map((client) => client.close()))
    await Promise.allSettled(this.#creating)
  }

  async #create(): Promise<void> {
    while (!this.#isStopping) {
      const n = this.#created++
      const shape = NAMES[n % NAMES.length] ?? 'single'
      const idempotencyKey = `job-${n}`
      const { jobId } = await this.#insist((client) =>
        client.createJob(`/jobs/${shape}`, {}, { idempotencyKey }),
      )
      this.#accepted.set(jobId, shape)
      const { status, result } = await this.#untilEnded(jobId)
      expect({ jobId, shape, status }).toEqual({ jobId, shape, status: 'finished' })
      if (shape === 'fan') expect(result).toEqual(FAN_RESULT)
      if (shape === 'parent') expect(result).toBe('finished')
    }
  }

  async #untilEnded(jobId: string): Promise<Job> {
    for (;;) {
      const job = await this.#insist((client) => client.getJob(jobId))
      if (isTerminalJobStatus(job.status)) return job
      await pass(LOOK_EVERY_MS)
    }
  }

  async #rowsOf(jobId: string): Promise<Row[]> {
    const headers = { 'x-client-token': this.#token }
    const answers = await Promise.all(
      this.#urls.map((url) => fetch(`${url}/api/v1/jobs/${jobId}/history`, { headers })),
    )
    const rows = (await Promise.all(answers.map((answer) => answer.json()))) as WireRow[][]
    return rows.flat().map((row) => ({
      eventId: row.event_id,
      type: row.event_type,
      state: row.state,
      ...(row.previous_state !== null && { previousState: row.previous_state }),
      ...(row.next_state !== null && { nextState: row.next_state }),
      ...(row.attempt_number !== null && { attempt: row.attempt_number }),
      ...(row.context_snapshot.branch !== undefined && { branch: row.context_snapshot.branch }),
    }))
  }

  /** Asks the orchestrators in turn until one answers. */
  async #insist<T>(work: (client: AvtomatikaClient) => Promise<T>): Promise<T> {
    for (let turn = this.#created; ; turn += 1) {
      const client = this.#clients[turn % this.#clients.length]
      if (client === undefined) throw new Error('There is nobody to ask.')
      try {
        return await work(client)
      } catch (error) {
        if (this.#isClosed) throw error
        if (!AvtomatikaError.is(error) || !error.retry) throw error
        this.#refused += 1
      }
    }
  }
}

/** The task that a row is about. */
function taskOf({ state, branch = '' }: Row): string {
  return `${state} ${branch}`
}

/** Rows that no orchestrator has acknowledged: taken by one that did not hear, or not taken yet. */
async function recordsIn(url: string): Promise<readonly HistoryRecord[]> {
  const storage = await RedisStorage.open({ url })
  const records: HistoryRecord[] = []
  try {
    const claim = { now: Date.now() + HOUR_MS, leaseMs: HOUR_MS, limit: LEFTOVERS }
    for (;;) {
      const some = await storage.claimRecords(claim)
      if (some.length === 0) return records
      records.push(...some)
    }
  } finally {
    await storage.close()
  }
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
