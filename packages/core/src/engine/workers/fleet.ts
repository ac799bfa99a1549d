/** The workers: who is there, and what they say of themselves. */
import {
  NotFoundError,
  type Heartbeat,
  type JsonObject,
  type Registration,
  type Skill,
  type SkillCatalog,
} from '@avtomatika/protocol'
import { toJsonObject } from '../../json/to-json.ts'
import type { WorkerRecord, WorkerSkill, WorkerUpdate } from '../../ports/worker-record.ts'
import type { EngineParts } from '../engine-parts.ts'
import { ACKNOWLEDGE_MS } from '../settings.ts'
import type { Reputations } from './reputations.ts'
import type { Roster } from './roster.ts'
import { skillCatalog } from './skill-catalog.ts'

export interface HeartbeatAnswer {
  /** Tasks that the worker lists and does not hold: cancelled, timed out, or given to another. */
  readonly cancelTaskIds: readonly string[]
  /** It says by a hash which skills it has, and we do not know them: it should send them all. */
  readonly lacksSkills: boolean
}

export interface FleetOptions {
  readonly roster: Roster
  readonly reputations: Pick<Reputations, 'read' | 'readAll'>
  /** How long a worker may be silent, in ms. */
  readonly ttlMs: number
  /** Workers that are trusted less get nothing. */
  readonly minReputation: number
}

export class Fleet {
  readonly #parts: EngineParts
  readonly #roster: Roster
  readonly #reputations: FleetOptions['reputations']
  readonly #ttlMs: number
  readonly #minReputation: number

  constructor(parts: EngineParts, { roster, reputations, ttlMs, minReputation }: FleetOptions) {
    this.#parts = parts
    this.#roster = roster
    this.#reputations = reputations
    this.#ttlMs = ttlMs
    this.#minReputation = minReputation
  }

  /** Registers a worker, or takes its new word; reputation and leases stay (D-38). */
  async register(registration: Registration): Promise<WorkerRecord> {
    const { storage, clock } = this.#parts
    const now = clock.now()
    const { workerId } = registration
    const [before, reputation] = await Promise.all([
      storage.findWorker({ workerId, now }),
      this.#reputations.read(workerId),
    ])
    const worker: WorkerRecord = {
      workerId,
      workerType: registration.workerType,
      skills: registration.skills.map(skillOf),
      maxConcurrentTasks: registration.maxConcurrentTasks,
      status: registration.status,
      load: before?.load ?? 0,
      reputation,
      ...(before?.isDraining === true && { isDraining: true }),
      registeredAt: now,
      lastSeenAt: now,
      expiresAt: now + this.#ttlMs,
      registration: withoutSecrets(registration.raw),
      currentTasks: before?.currentTasks ?? [],
      hotSkills: registration.hotSkills,
    }
    await storage.putWorker(worker)
    this.#roster.put(worker)
    this.#roster.setReputation(workerId, reputation)
    return worker
  }

  /**
   * Takes a sign of life: extends the worker's registration and its leases.
   * @throws NotFoundError `WORKER_NOT_FOUND`, so that SDKs register again (D-45).
   */
  async heartbeat(workerId: string, beat: Heartbeat): Promise<HeartbeatAnswer> {
    const { storage, clock } = this.#parts
    const now = clock.now()
    const changes = changesOf(beat)
    const update = { workerId, now, expiresAt: now + this.#ttlMs, changes }
    const worker = await storage.updateWorker(update)
    if (worker === undefined) {
      throw notFound(workerId, 'Register again.')
    }
    if (beat.status === 'offline') {
      // Its tasks count as lost before it is out of the registry; it is to blame for that.
      this.#roster.put(worker)
      await this.#leave(workerId, now)
      return { cancelTaskIds: [], lacksSkills: false }
    }
    await this.#roster.meet(worker, now)
    const listed = beat.currentTasks
    const cancelTaskIds = await storage.renewTasks({
      workerId,
      taskIds: listed ?? 'all',
      missingSince: listed === undefined ? null : now - ACKNOWLEDGE_MS,
      now,
      leaseMs: this.#ttlMs,
    })
    const lacksSkills = beat.skillsHash !== undefined && worker.skills.length === 0
    return { cancelTaskIds, lacksSkills }
  }

  /**
   * Takes in which of its skills a worker has loaded, as its polls say. Costs nothing while that is what
   * is known of it. Models that it named in a heartbeat stay; no poll tells of them.
   */
  async noteHot(workerId: string, hotSkills: readonly string[]): Promise<void> {
    const { storage, clock } = this.#parts
    const now = clock.now()
    const known = this.#roster.find(workerId, now)
    if (known !== undefined && isAsHot(known, hotSkills)) return
    const latest = await storage.findWorker({ workerId, now })
    // The poll itself says that it is not known.
    if (latest === undefined) return
    const changes = { hotSkills: [...hotSkills, ...modelsOf(latest, hotSkills)] }
    // Asking keeps nobody alive (D-41).
    const update = { workerId, now, expiresAt: latest.expiresAt, changes }
    const isNews = !isAsHot(latest, hotSkills)
    const worker = isNews ? await storage.updateWorker(update) : latest
    if (worker !== undefined) await this.#roster.meet(worker, now)
  }

  /** Which skills can be had, from how many, at what price. */
  async catalog(): Promise<SkillCatalog> {
    return skillCatalog(await this.list(), this.#minReputation)
  }

  /** Who is there, with what is thought of them now. */
  async list(): Promise<readonly WorkerRecord[]> {
    const { storage, clock } = this.#parts
    const workers = await storage.listWorkers({ now: clock.now() })
    const known = await this.#reputations.readAll(workers.map(({ workerId }) => workerId))
    return workers.map((worker) => {
      const reputation = known.get(worker.workerId) ?? worker.reputation
      return { ...worker, reputation }
    })
  }

  /**
   * Gives a worker nothing new, or new tasks again; what it has it may finish. Holds until it says
   * goodbye or is gone.
   * @throws NotFoundError `WORKER_NOT_FOUND`
   */
  async drain(workerId: string, isDraining: boolean): Promise<void> {
    const { storage, clock } = this.#parts
    const now = clock.now()
    const before = await storage.findWorker({ workerId, now })
    // Nobody lives longer for it (D-41).
    const update = before && { workerId, now, expiresAt: before.expiresAt, changes: { isDraining } }
    const worker = update && (await storage.updateWorker(update))
    if (worker === undefined) throw notFound(workerId)
    await this.#roster.meet(worker, now)
  }

  /**
   * Forgets a worker, and offers what it holds again (W7). One that is still there may register again.
   * @throws NotFoundError `WORKER_NOT_FOUND`
   */
  async evict(workerId: string): Promise<void> {
    const { storage, clock } = this.#parts
    const now = clock.now()
    if ((await storage.findWorker({ workerId, now })) === undefined) throw notFound(workerId)
    await this.#leave(workerId, now)
  }

  /** A worker that says goodbye holds nothing from now on (W7). */
  async #leave(workerId: string, now: number): Promise<void> {
    const { storage } = this.#parts
    await storage.loseTasksOf({ workerId, now })
    await storage.removeWorker(workerId)
    this.#roster.remove(workerId)
  }
}

function notFound(workerId: string, advice = ''): NotFoundError {
  const message = `Worker not found: '${workerId}' is not registered (any more). ${advice}`
  return new NotFoundError('WORKER_NOT_FOUND', { message: message.trim() })
}

function skillOf({ name, type, version, inputSchema, maxConcurrentTasks }: Skill): WorkerSkill {
  return {
    name,
    type: type ?? null,
    version: version ?? null,
    ...(maxConcurrentTasks !== undefined && { maxConcurrentTasks }),
    ...(inputSchema && { inputSchema: toJsonObject(inputSchema, 'input_schema') }),
  }
}

function changesOf(beat: Heartbeat): WorkerUpdate['changes'] {
  const { status, load, skills, currentTasks, maxConcurrentTasks, hotSkills, hotCache } = beat
  const isHotTold = hotSkills !== undefined || hotCache !== undefined
  return {
    ...(status !== undefined && { status }),
    ...(load !== undefined && { load }),
    ...(currentTasks !== undefined && { currentTasks }),
    ...(maxConcurrentTasks !== undefined && { maxConcurrentTasks }),
    ...(skills !== undefined && { skills: skills.map(skillOf) }),
    ...(isHotTold && { hotSkills: [...(hotSkills ?? []), ...(hotCache ?? [])] }),
  }
}

/** Whether the skills that a worker has loaded are those that are known, in whatever order. */
function isAsHot(worker: WorkerRecord, hotSkills: readonly string[]): boolean {
  const models = modelsOf(worker, hotSkills)
  const known = new Set(worker.hotSkills)
  return (
    known.size === new Set([...hotSkills, ...models]).size &&
    hotSkills.every((name) => known.has(name))
  )
}

/** What a worker has loaded that is none of its skills. */
function modelsOf({ skills, hotSkills }: WorkerRecord, but: readonly string[]): readonly string[] {
  const not = new Set([...but, ...skills.map(({ name }) => name)])
  return hotSkills.filter((name) => !not.has(name))
}

/** Signatures and their timestamps are material for a replay, so they are not kept (D-59). */
function withoutSecrets(raw: Registration['raw']): JsonObject {
  const { security: _security, timestamp: _timestamp, ...rest } = raw
  return toJsonObject(rest, 'the registration')
}
