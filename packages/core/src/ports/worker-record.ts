import type { JsonObject } from '@avtomatika/protocol'
import type { EpochMs } from '../job/vocabulary.ts'

/** Something a worker can do. */
export interface WorkerSkill {
  readonly name: string
  /** Which of several kinds with the same name; `null` when the worker does not say. */
  readonly type: string | null
  readonly version: string | null
  /** JSON Schema of the params that it takes. Default: it takes any. */
  readonly inputSchema?: JsonObject
  /** Most tasks of it that the worker takes at a time. Default: no such limit. */
  readonly maxConcurrentTasks?: number
}

/** A registered worker as the orchestrator knows it. */
export interface WorkerRecord {
  readonly workerId: string
  readonly workerType: string
  readonly skills: readonly WorkerSkill[]
  readonly maxConcurrentTasks: number
  /** As reported: `idle`, `busy`, `full`, `draining`, `offline`. */
  readonly status: string
  readonly load: number
  /** Ids of the tasks it last said to be working on. */
  readonly currentTasks: readonly string[]
  /** Names of skills whose models are loaded; older workers name the models. */
  readonly hotSkills: readonly string[]
  /** As it was at registration; what has become of it since is known to the `ReputationStore`. */
  readonly reputation: number
  /** An operator has said that it is to get nothing any more, whatever it says itself. */
  readonly isDraining?: boolean
  readonly registeredAt: EpochMs
  readonly lastSeenAt: EpochMs
  /** Without another word from it by then, the worker counts as gone. */
  readonly expiresAt: EpochMs
  /** What the worker said of itself, in its own words, without credentials. */
  readonly registration: JsonObject
}

export interface WorkerUpdate {
  readonly workerId: string
  readonly now: EpochMs
  readonly expiresAt: EpochMs
  readonly changes: Partial<
    Pick<
      WorkerRecord,
      | 'status'
      | 'load'
      | 'skills'
      | 'currentTasks'
      | 'maxConcurrentTasks'
      | 'hotSkills'
      | 'isDraining'
    >
  >
}
