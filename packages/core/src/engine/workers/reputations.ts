/**
 * What is thought of workers for how their tasks come out. A rating counts here at once, and in the
 * store, for all orchestrators, with the next round: at once for a penalty, which they are told of, in
 * seconds for a reward.
 */
import type { LoweredHint } from '../../ports/hint.ts'
import { grown, type Rating, type Reputation } from '../../ports/reputation-store.ts'
import type { EngineParts } from '../engine-parts.ts'
import { Loop } from '../loop.ts'
import { earnedBy, recalculated, type Verdict } from './rating.ts'
import type { Roster } from './roster.ts'

/** How often what other orchestrators know, and what time has healed, is looked at. */
const ROUND_MS = 5_000
/** How often all are judged anew by their outcomes. */
const RECALCULATE_MS = 3_600_000
/** How often it is asked whether somebody has done so. */
const ASK_MS = 60_000
const LOCK = 'reputations'

export class Reputations {
  readonly #parts: EngineParts
  readonly #roster: Roster
  readonly #loop: Loop
  readonly #pending = new Map<string, Rating>()
  #asksAt = 0
  #isStarted = false

  constructor(parts: EngineParts, roster: Roster) {
    this.#parts = parts
    this.#roster = roster
    const { clock, log } = parts
    this.#loop = new Loop({ name: 'reputations', clock, log, round: () => this.#round() })
  }

  start(): void {
    this.#isStarted = true
    this.#asksAt = this.#parts.clock.now() + ASK_MS
    this.#loop.start()
  }

  /** Writes what is not written yet, and ends. */
  async stop(): Promise<void> {
    await this.#loop.stop()
    if (!this.#isStarted) return
    this.#isStarted = false
    try {
      await this.#flush()
    } catch (error) {
      this.#parts.log.warn({ err: error }, 'the latest ratings of workers could not be written')
    }
  }

  /** Takes note of how a task of a worker came out; `null` says nothing of the worker. */
  note(workerId: string, verdict: Verdict | null): void {
    if (verdict === null) return
    const { by, good, bad } = earnedBy(verdict)
    this.#add({ workerId, by, good, bad })
    const known = this.#roster.find(workerId, this.#parts.clock.now())?.reputation
    if (known !== undefined) this.#roster.setReputation(workerId, grown(known, 0, by))
    if (by < 0) this.#loop.wake()
  }

  /** Another orchestrator has blamed workers. */
  hear({ reputations }: LoweredHint): void {
    this.#take(reputations)
  }

  /** What is known of a worker that comes. */
  async read(workerId: string): Promise<number> {
    const { storage, clock } = this.#parts
    await this.#flush()
    const query = { workerIds: [workerId], now: clock.now() }
    return (await storage.readReputations(query))[0]?.reputation ?? 1
  }

  /** What is known of each of these workers. */
  async readAll(workerIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const { storage, clock } = this.#parts
    const known = await storage.readReputations({ workerIds, now: clock.now() })
    return new Map(known.map(({ workerId, reputation }) => [workerId, reputation]))
  }

  async #round(): Promise<number> {
    await this.#flush()
    const now = this.#parts.clock.now()
    const workerIds = [...this.#roster.all()].map(({ workerId }) => workerId)
    if (workerIds.length === 0) return ROUND_MS
    const known = await this.#parts.storage.readReputations({ workerIds, now })
    this.#take(known)
    if (now >= this.#asksAt) {
      this.#asksAt = now + ASK_MS
      await this.#recalculate(known)
    }
    return ROUND_MS
  }

  /** By one of the orchestrators at a time: what each adds, adds up. */
  async #recalculate(known: readonly Reputation[]): Promise<void> {
    const { storage, clock, instanceId: holder } = this.#parts
    const now = clock.now()
    const lock = await storage.acquireLock({ name: LOCK, holder, now, leaseMs: RECALCULATE_MS })
    if (lock === undefined) return
    for (const one of known) {
      const by = recalculated(one) - one.reputation
      if (by !== 0) this.#add({ workerId: one.workerId, by, good: 0, bad: 0 })
    }
    await this.#flush()
  }

  async #flush(): Promise<void> {
    if (this.#pending.size === 0) return
    const { storage, clock } = this.#parts
    const ratings = [...this.#pending.values()]
    this.#pending.clear()
    let known: readonly Reputation[]
    try {
      known = await storage.rateWorkers({ ratings, now: clock.now() })
    } catch (error) {
      for (const rating of ratings) this.#add(rating)
      throw error
    }
    this.#take(known)
    await this.#tellOthers(known.filter((_, i) => (ratings[i]?.by ?? 0) < 0))
  }

  /** A worker that has lost their trust is not to get tasks of the others until their next round. */
  async #tellOthers(lowered: readonly Reputation[]): Promise<void> {
    if (lowered.length === 0) return
    const { storage, log } = this.#parts
    const reputations = lowered.map(({ workerId, reputation }) => ({ workerId, reputation }))
    try {
      await storage.tell([{ kind: 'lowered', reputations }])
    } catch (error) {
      log.debug({ err: error }, 'the other orchestrators hear of penalties with their next round')
    }
  }

  #take(known: LoweredHint['reputations']): void {
    for (const { workerId, reputation } of known) {
      const by = this.#pending.get(workerId)?.by ?? 0
      this.#roster.setReputation(workerId, grown(reputation, 0, by))
    }
  }

  #add(rating: Rating): void {
    const { workerId } = rating
    const { by = 0, good = 0, bad = 0 } = this.#pending.get(workerId) ?? {}
    this.#pending.set(workerId, {
      workerId,
      by: by + rating.by,
      good: good + rating.good,
      bad: bad + rating.bad,
    })
  }
}
