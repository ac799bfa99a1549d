/** Clients and operators: they cancel, decide, send events, and work on the quarantine. */
import { AvtomatikaError } from '@avtomatika/protocol'
import type { Engine } from '../../engine/engine.ts'
import type { Job } from '../../job/job.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Storage } from '../../ports/storage.ts'
import type { SeededRandom } from '../seeded-random.ts'
import type { Journal } from './journal.ts'
import type { Plan } from './plan.ts'

export interface PeopleOptions {
  readonly clock: Clock
  readonly random: SeededRandom
  readonly plan: Plan
  readonly journal: Journal
  /** What is really stored, seen without faults: people look at screens. */
  readonly storage: Storage
  /** An orchestrator that is up, or none. */
  readonly orchestrator: () => Engine | undefined
}

/** How often somebody looks. */
const ROUND_MS = 700
/** An operator does not try for ever. */
const MAX_RETRIES = 2

export class People {
  readonly #options: PeopleOptions
  readonly #retries = new Map<string, number>()
  readonly #requests = new Map<string, string>()
  #events = 0

  constructor(options: PeopleOptions) {
    this.#options = options
  }

  start(): void {
    this.#options.clock.after(ROUND_MS, () => {
      this.start()
      void this.#round().catch(expected)
    })
  }

  async #round(): Promise<void> {
    const { journal, storage, random, plan } = this.#options
    for (const jobId of journal.liveJobs()) {
      const job = await storage.findJob(jobId)
      if (job !== undefined) await this.#actOn(job)
    }
    const quarantined = await storage.listQuarantined({ limit: 100 })
    for (const { id } of quarantined) {
      if (random.chance(plan.operatorRate)) await this.#workOn(id)
    }
  }

  async #actOn(job: Job): Promise<void> {
    const { random, plan, orchestrator, journal } = this.#options
    const engine = orchestrator()
    if (engine === undefined) return
    const { id } = job
    // Parents are cancelled more often: it is their children that could be forgotten.
    const rate =
      job.wait?.for === 'child' ? Math.min(0.8, 2 * plan.cancelRate) : plan.cancelRate / 20
    if (random.chance(rate)) {
      await engine.cancelJob(id)
      journal.cancelAccepted(id)
    } else if (job.wait?.for === 'approval' && random.chance(0.5)) {
      await this.#decide(engine, job)
    } else if (random.chance(0.03)) {
      await this.#meddle(engine, id)
    } else if (random.chance(job.wait?.for === 'event' ? 0.5 : 0.03)) {
      await this.#ring(engine, id)
    }
  }

  /** Works on a job that is not quarantined, which must change nothing. */
  async #meddle(engine: Engine, jobId: string): Promise<void> {
    const { random } = this.#options
    if (random.chance(0.5)) await engine.desk.retry(jobId, null)
    else await engine.desk.discard(jobId)
  }

  /** An old link must not decide the request of today. */
  async #decideAgain(engine: Engine, job: Job, approvalId: string): Promise<void> {
    const old = this.#requests.get(job.id)
    this.#requests.set(job.id, approvalId)
    if (old === undefined || old === approvalId) return
    const approval = { decision: 'approved', actor: 'forger', comment: null, data: null }
    try {
      await engine.desk.decide({ jobId: job.id, approvalId: old, approval })
      this.#options.journal.violate(job.id, `was decided by the old request ${old}`)
    } catch (error) {
      expected(error)
    }
  }

  /** Two people may decide at once; one of them is told that it is too late (D-33). */
  async #decide(engine: Engine, job: Job): Promise<void> {
    const { random, journal } = this.#options
    const approvalId = job.wait?.for === 'approval' ? job.wait.approvalId : ''
    await this.#decideAgain(engine, job, approvalId)
    const decision = random.pick(['approved', 'rejected'])
    const approval = { decision, actor: 'person', comment: null, data: null }
    const decided = [0, 1].slice(random.between(0, 1)).map(async () => {
      await engine.desk.decide({ jobId: job.id, approvalId, approval })
      journal.approvalAccepted(job.id, approvalId)
    })
    for (const each of await Promise.allSettled(decided)) {
      if (each.status === 'rejected') expected(each.reason)
    }
  }

  /** Sends an event until it is told that it arrived; sometimes once more. */
  async #ring(engine: Engine, jobId: string): Promise<void> {
    const { random, journal, clock } = this.#options
    this.#events += 1
    const eventId = `bell-${String(this.#events)}`
    const kind = random.chance(0.8) ? 'wake' : 'noise'
    const event = { jobId, eventId, name: 'bell', data: { kind } }
    const send = async (to: Engine): Promise<void> => {
      await to.events.receive(event)
      journal.eventAccepted(jobId, eventId)
    }
    if (random.chance(0.3)) {
      clock.after(random.between(0, 3_000), () => {
        const other = this.#options.orchestrator()
        if (other !== undefined) void send(other).catch(expected)
      })
    }
    await send(engine)
  }

  async #workOn(jobId: string): Promise<void> {
    const { orchestrator, random } = this.#options
    const engine = orchestrator()
    if (engine === undefined) return
    const retries = this.#retries.get(jobId) ?? 0
    if (retries < MAX_RETRIES && random.chance(0.7)) {
      this.#retries.set(jobId, retries + 1)
      await engine.desk.retry(jobId, random.chance(0.5) ? { patched: true } : null)
    } else await engine.desk.discard(jobId)
  }
}

/** Ended meanwhile, decided by another, or the storage was away: nothing was promised then. */
function expected(error: unknown): void {
  if (!AvtomatikaError.is(error) || error.code === 'INTERNAL') throw error
}
