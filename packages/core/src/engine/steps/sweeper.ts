/**
 * Looks after live jobs that have been quiet for long: each must have something that will wake it. None
 * should ever be without, since a change and what it waits for are written together; if one is, because
 * a store has lost a part of its data, it is helped, and counted.
 */
import { reasonOf } from '../../job/on-rearm.ts'
import type { Job } from '../../job/job.ts'
import { reportOf } from '../../job/transition.ts'
import { waitEffects } from '../../job/wait-effects.ts'
import type { TaskRun } from '../../job/task.ts'
import { tasksOf, type ChildReport } from '../../job/wait.ts'
import { allEnded } from './all-ended.ts'
import type { EngineParts } from '../engine-parts.ts'
import { Loop } from '../loop.ts'
import type { Metrics } from '../metrics.ts'

/** Whoever changes more often than this is awake. */
const QUIET_MS = 60_000
/** How often a quiet job is looked at. */
const AGAIN_MS = 600_000
const ROUND_MS = 10_000
const BATCH = 100
/** After a full round: there may be a million of them, and other things to do. */
const FULL_ROUND_MS = 1_000
/** How long a claim may be on its way to its job. */
const CLAIM_PATIENCE_MS = 5_000
/** How long word to make a child may be on its way before the child counts as lost. */
const CHILD_PATIENCE_MS = 3_600_000

export class Sweeper {
  readonly #parts: EngineParts
  readonly #metrics: Metrics
  readonly #loop: Loop

  constructor(parts: EngineParts, metrics: Metrics) {
    this.#parts = parts
    this.#metrics = metrics
    const { clock, log } = parts
    this.#loop = new Loop({ name: 'sweeper', clock, log, round: () => this.#round() })
  }

  start(): void {
    this.#loop.start()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  async #round(): Promise<number> {
    const { storage, clock } = this.#parts
    const claim = { now: clock.now(), quietMs: QUIET_MS, leaseMs: AGAIN_MS, limit: BATCH }
    const jobs = await storage.claimQuietJobs(claim)
    await allEnded(jobs.map((job) => this.#look(job)))
    return jobs.length === BATCH ? FULL_ROUND_MS : ROUND_MS
  }

  async #look(job: Job): Promise<void> {
    if (job.wait?.for === 'child') await this.#lookAtChild(job, job.wait.childId)
    const { rearmed, lost } = await this.#missing(job)
    const { writer, clock } = this.#parts
    const at = clock.now()
    const events = [
      ...(rearmed.length > 0 ? [{ kind: 'rearm_requested', at, missing: rearmed } as const] : []),
      ...lost.map((taskId) => ({ kind: 'task_lost', at, taskId }) as const),
    ]
    for (const event of events) {
      const decision = await writer.apply(job.id, event)
      if (decision.kind === 'changed') this.#report(job, [...rearmed, ...lost])
    }
  }

  /** What should wake a job and does not: what to ask for again, and tasks to give to others. */
  async #missing(
    job: Job,
  ): Promise<{ readonly rearmed: readonly string[]; readonly lost: readonly string[] }> {
    const effects = waitEffects(undefined, job)
    if (effects.length === 0) return { rearmed: [], lost: [] }
    const { storage, clock } = this.#parts
    const runs = tasksOf(job.wait).map(({ run }) => run)
    const idsIn = (phase: TaskRun['phase']['kind']): readonly string[] =>
      runs.filter((run) => run.phase.kind === phase).map(({ taskId }) => taskId)
    const asked = {
      steps: effects.flatMap((effect) => (effect.kind === 'run_step' ? [reasonOf(effect)] : [])),
      tasks: effects.flatMap((effect) => (effect.kind === 'offer_task' ? [reasonOf(effect)] : [])),
      offered: idsIn('offered'),
      deadlines: effects.flatMap((effect) =>
        effect.kind === 'set_deadline' ? [{ jobId: job.id, key: effect.key }] : [],
      ),
    }
    const found = await storage.findMissing(asked, clock.now() - CLAIM_PATIENCE_MS)
    const held = new Set(idsIn('claimed'))
    return {
      rearmed: [
        ...found.steps,
        ...found.tasks.filter((id) => !held.has(id)),
        ...found.deadlines.map(({ key }) => key),
      ],
      // Somebody may be at work on them, but nobody watches over him any more; or he has one that its job
      // does not know to be his.
      lost: [...found.tasks.filter((id) => held.has(id)), ...found.offered],
    }
  }

  /** A child that lives will tell its parent; of one that has ended, or is not there, we tell it. */
  async #lookAtChild(parent: Job, childId: string): Promise<void> {
    const { storage, clock, writer } = this.#parts
    const child = await storage.findJob(childId)
    if (child !== undefined && child.wait !== null) return
    const at = clock.now()
    if (child === undefined && at - parent.updatedAt < CHILD_PATIENCE_MS) return
    const report = child === undefined ? lostChild(parent, childId) : reportOf(child)
    const decision = await writer.apply(parent.id, { kind: 'child_ended', at, report })
    if (decision.kind === 'changed') this.#report(parent, [childId])
  }

  #report({ id: jobId, state }: Job, missing: readonly string[]): void {
    this.#metrics.countRearmed()
    const what = { jobId, state, missing }
    this.#parts.log.error(
      what,
      'a job had nothing to wake it, and was helped; has the store lost data?',
    )
  }
}

function lostChild(parent: Job, jobId: string): ChildReport {
  const message = `The child job ${jobId} of ${parent.id} is not in the store.`
  return {
    jobId,
    outcome: 'failure',
    status: 'failed',
    finalState: '',
    result: null,
    error: { code: 'CHILD_LOST', message },
  }
}
