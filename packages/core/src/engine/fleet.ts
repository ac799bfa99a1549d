/** The workers: who is there, and what they say of themselves. */
import {
  NotFoundError,
  type Heartbeat,
  type JsonObject,
  type Registration,
  type Skill,
} from '@avtomatika/protocol'
import { toJsonObject } from '../json/to-json.ts'
import type { WorkerRecord, WorkerSkill, WorkerUpdate } from '../ports/worker-record.ts'
import type { EngineParts } from './engine-parts.ts'
import type { Roster } from './roster.ts'

/**
 * A worker that does not list a task this long after it was handed over never got it: the answer to
 * its poll was lost on the way.
 */
const ACKNOWLEDGE_MS = 5_000

export interface HeartbeatAnswer {
  /** Tasks that the worker lists and does not hold: cancelled, timed out, or given to another. */
  readonly cancelTaskIds: readonly string[]
}

export interface FleetOptions {
  readonly roster: Roster
  /** How long a worker may be silent, in ms. */
  readonly ttlMs: number
}

export class Fleet {
  readonly #parts: EngineParts
  readonly #roster: Roster
  readonly #ttlMs: number

  constructor(parts: EngineParts, { roster, ttlMs }: FleetOptions) {
    this.#parts = parts
    this.#roster = roster
    this.#ttlMs = ttlMs
  }

  /** Registers a worker, or takes its new word; reputation and leases stay (D-38). */
  async register(registration: Registration): Promise<WorkerRecord> {
    const { storage, clock } = this.#parts
    const now = clock.now()
    const { workerId } = registration
    const before = await storage.findWorker({ workerId, now })
    const worker: WorkerRecord = {
      workerId,
      workerType: registration.workerType,
      skills: registration.skills.map(skillOf),
      maxConcurrentTasks: registration.maxConcurrentTasks,
      status: registration.status,
      load: before?.load ?? 0,
      reputation: before?.reputation ?? 1,
      registeredAt: now,
      lastSeenAt: now,
      expiresAt: now + this.#ttlMs,
      registration: withoutSecrets(registration.raw),
      currentTasks: before?.currentTasks ?? [],
      hotSkills: registration.hotSkills,
    }
    await storage.putWorker(worker)
    this.#roster.put(worker)
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
      const message = `Worker not found: '${workerId}' is not registered (any more). Register again.`
      throw new NotFoundError('WORKER_NOT_FOUND', { message })
    }
    if (beat.status === 'offline') {
      await this.#leave(workerId, now)
      return { cancelTaskIds: [] }
    }
    this.#roster.put(worker)
    const listed = beat.currentTasks
    const cancelTaskIds = await storage.renewTasks({
      workerId,
      taskIds: listed ?? 'all',
      missingSince: listed === undefined ? null : now - ACKNOWLEDGE_MS,
      now,
      leaseMs: this.#ttlMs,
    })
    return { cancelTaskIds }
  }

  list(): Promise<readonly WorkerRecord[]> {
    const { storage, clock } = this.#parts
    return storage.listWorkers({ now: clock.now() })
  }

  /** A worker that says goodbye holds nothing from now on (W7). */
  async #leave(workerId: string, now: number): Promise<void> {
    const { storage } = this.#parts
    await storage.loseTasksOf({ workerId, now })
    await storage.removeWorker(workerId)
    this.#roster.remove(workerId)
  }
}

function skillOf({ name, type, version }: Skill): WorkerSkill {
  return { name, type: type ?? null, version: version ?? null }
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

/** Signatures and their timestamps are material for a replay, so they are not kept (D-59). */
function withoutSecrets(raw: Registration['raw']): JsonObject {
  const { security: _security, timestamp: _timestamp, ...rest } = raw
  return toJsonObject(rest, 'the registration')
}
