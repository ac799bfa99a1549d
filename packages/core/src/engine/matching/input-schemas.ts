/**
 * Which workers' input schemas a task's params do not match: such a worker is not handed it (W2).
 *
 * The params are not a part of a task's demand, or each task would be a class of its own. Instead the
 * schemas that they do not match are, by their hash: workers have few. A worker that comes with a schema
 * that nobody has had before finds tasks that were offered before it came; those that it does not take are
 * offered again, and then its schema counts.
 */
import type { JsonObject } from '@avtomatika/protocol'
import type { Effect, OfferedTask } from '../../job/effect.ts'
import type { TaskDemand } from '../../job/task.ts'
import type { WorkerRecord, WorkerSkill } from '../../ports/worker-record.ts'
import { fits } from './eligibility.ts'
import { matchesSchema } from './json-schema-check.ts'
import type { Changed } from '../jobs/merge-changes.ts'
import type { Roster } from '../workers/roster.ts'
import { schemaIdOf } from './schema-id.ts'

/** Types of tasks, and schemas of one, that are kept in mind; the oldest makes room. */
const MAX_TYPES = 1_000
const MAX_SCHEMAS = 100

export class InputSchemas {
  /** By type of task, then by id. */
  readonly #schemas = new Map<string, Map<string, JsonObject>>()

  constructor(roster: Pick<Roster, 'onChange'>) {
    roster.onChange((_workerId, { now }) => {
      this.#learn(now?.skills ?? [])
    })
  }

  /** A demand that tells which input schemas the params do not match. */
  demandFor(demand: TaskDemand, params: JsonObject): TaskDemand {
    const schemas = this.#schemas.get(demand.type)
    if (schemas === undefined) return demand
    const misfits = [...schemas].filter(([, schema]) => !matchesSchema(params, schema))
    if (misfits.length === 0) return demand
    return { ...demand, misfits: misfits.map(([id]) => id).sort() }
  }

  /** The same change, with tasks on offer for those only who take their params. */
  address(change: Changed): Changed {
    if (this.#schemas.size === 0) return change
    const effects = change.effects.map((effect): Effect => {
      if (effect.kind !== 'offer_task') return effect
      const { task } = effect
      const demand = this.demandFor(task.demand, task.params)
      return demand === task.demand ? effect : { ...effect, task: { ...task, demand } }
    })
    return { ...change, effects }
  }

  /** Whether a worker takes the params of a task that it could otherwise do. */
  takes(worker: WorkerRecord, { demand, params }: Pick<OfferedTask, 'demand' | 'params'>): boolean {
    if (worker.skills.every(({ inputSchema }) => inputSchema === undefined)) return true
    this.#learn(worker.skills)
    return fits(worker, this.demandFor(demand, params)) || !fits(worker, demand)
  }

  #learn(skills: readonly WorkerSkill[]): void {
    for (const { name, inputSchema } of skills) {
      if (inputSchema === undefined) continue
      const schemas = this.#schemas.get(name) ?? new Map<string, JsonObject>()
      // What was heard of last stands last.
      const id = schemaIdOf(inputSchema)
      schemas.delete(id)
      schemas.set(id, inputSchema)
      forgetOldest(schemas, MAX_SCHEMAS)
      this.#schemas.delete(name)
      this.#schemas.set(name, schemas)
      forgetOldest(this.#schemas, MAX_TYPES)
    }
  }
}

function forgetOldest(map: Map<string, unknown>, most: number): void {
  const [oldest] = map.keys()
  if (map.size > most && oldest !== undefined) map.delete(oldest)
}
