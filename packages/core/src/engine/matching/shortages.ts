/** Says why tasks on offer are not taken, by the workers as this orchestrator last saw them (W3). */
import type { Job } from '../../job/job.ts'
import type { TaskRun, TaskSpec } from '../../job/task.ts'
import type { EpochMs } from '../../job/vocabulary.ts'
import { taskDeadline } from '../../job/task-deadline.ts'
import { tasksOf } from '../../job/wait.ts'
import type { EngineParts } from '../engine-parts.ts'
import type { InputSchemas } from './input-schemas.ts'
import type { Roster } from '../workers/roster.ts'
import { classIdOf } from '../../ports/task-store.ts'
import { shortageOf, type Shortage } from './why-nobody-fits.ts'

/** A task that no worker has taken yet. */
export interface PendingTask {
  readonly job: Job
  readonly run: TaskRun
  readonly branch: string | null
  /** How long it has been wanted, in ms: over all its attempts. */
  readonly waitedMs: number
  /** When it is given up; `null` for a task that waits for as long as it takes. */
  readonly expiresAt: EpochMs | null
  readonly shortage: Shortage
}

export interface ShortagesOptions {
  readonly roster: Roster
  readonly inputs: InputSchemas
  /** Workers that are trusted less get nothing. */
  readonly minReputation: number
}

export class Shortages {
  readonly #parts: Pick<EngineParts, 'storage' | 'clock'>
  readonly #options: ShortagesOptions

  constructor(parts: Pick<EngineParts, 'storage' | 'clock'>, options: ShortagesOptions) {
    this.#parts = parts
    this.#options = options
  }

  /** Why nobody has taken such a task. */
  of(spec: Pick<TaskSpec, 'demand' | 'params'>): Shortage {
    return this.#explainer()(spec)
  }

  /** The tasks of a job that no worker has taken for so long, the longest waiting first. */
  inJob(
    job: Job,
    { limit, waitedMs }: { limit: number; waitedMs: number },
  ): readonly PendingTask[] {
    return this.#explained([job], { limit, waitedMs })
  }

  /**
   * Tasks on offer, the longest waiting first.
   * @param query.ownerId - left out, those of all owners.
   * @param query.limit - most tasks; of very many, not all may be looked at.
   */
  async list({
    ownerId,
    limit,
  }: {
    readonly ownerId?: string | undefined
    readonly limit: number
  }): Promise<readonly PendingTask[]> {
    const owner = ownerId !== undefined && { ownerId }
    const jobs = await this.#parts.storage.listJobsOnOffer({ ...owner, limit })
    return this.#explained(jobs, { limit, waitedMs: 0 })
  }

  #explained(
    jobs: readonly Job[],
    { limit, waitedMs: least }: { readonly limit: number; readonly waitedMs: number },
  ): readonly PendingTask[] {
    const now = this.#parts.clock.now()
    const waiting = jobs.flatMap((job) =>
      tasksOf(job.wait)
        .filter(({ run }) => run.phase.kind === 'offered' && now - run.dispatchedAt >= least)
        .map(({ run, branch }) => ({ job, run, branch: branch?.name ?? null })),
    )
    waiting.sort((a, b) => a.run.dispatchedAt - b.run.dispatchedAt)
    const explain = this.#explainer()
    return waiting.slice(0, limit).map((task) => ({
      ...task,
      waitedMs: Math.max(0, now - task.run.dispatchedAt),
      expiresAt: taskDeadline(task.run),
      shortage: explain(task.run.spec),
    }))
  }

  /** Looks at all workers once per class of tasks. */
  #explainer(): (spec: Pick<TaskSpec, 'demand' | 'params'>) => Shortage {
    const { roster, inputs, minReputation } = this.#options
    const now = this.#parts.clock.now()
    const workers = [...roster.all()].filter(({ expiresAt }) => expiresAt > now)
    const known = new Map<string, Shortage>()
    return ({ demand, params }) => {
      const exact = inputs.demandFor(demand, params)
      const classId = classIdOf(exact)
      const shortage = known.get(classId) ?? shortageOf(workers, exact, { minReputation })
      known.set(classId, shortage)
      return shortage
    }
  }
}
