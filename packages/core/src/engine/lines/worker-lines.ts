/**
 * What passes between workers and orchestrators beside tasks and results: word that a task is not wanted
 * any more, that one has arrived, and output that is not a result yet. From any orchestrator to any.
 */
import type { WorkerFeature } from '@avtomatika/protocol'
import type { Hint, Withdrawal } from '../../ports/hint.ts'
import { Acknowledgements } from './acknowledgements.ts'
import { ChunkIntake } from './chunk-intake.ts'
import type { EngineParts } from '../engine-parts.ts'
import type { HandedTask } from '../dispatch/handed-task.ts'
import { JobStreams } from './job-streams.ts'
import { LiveConnections } from './live-connections.ts'
import { hasFeature } from '../workers/has-feature.ts'
import type { Roster } from '../workers/roster.ts'
import type { TakeBacks } from '../dispatch/take-backs.ts'
import { Withdrawals } from './withdrawals.ts'

export interface WorkerLinesOptions {
  readonly roster: Roster
  readonly takeBacks: TakeBacks
  /** How long a worker may be silent, in ms. */
  readonly leaseMs: number
}

export class WorkerLines {
  readonly withdrawals: Withdrawals
  readonly connections: LiveConnections
  readonly chunks: ChunkIntake
  readonly streams: JobStreams
  readonly #parts: EngineParts
  readonly #roster: Roster
  readonly #leaseMs: number
  readonly #acknowledgements: Acknowledgements

  constructor(parts: EngineParts, { roster, takeBacks, leaseMs }: WorkerLinesOptions) {
    this.#parts = parts
    this.#roster = roster
    this.#leaseMs = leaseMs
    this.withdrawals = new Withdrawals({
      clock: parts.clock,
      // One that is not known here yet may be; its word is kept for a minute at most.
      isToldByPoll: (workerId) => {
        const worker = roster.find(workerId, parts.clock.now())
        return worker === undefined || hasFeature(worker, 'cancel_in_poll')
      },
    })
    this.connections = new LiveConnections(parts, this.withdrawals)
    this.chunks = new ChunkIntake(parts)
    this.streams = new JobStreams(parts)
    this.#acknowledgements = new Acknowledgements(parts, takeBacks)
    this.withdrawals.onWithdrawn((withdrawal) => {
      this.chunks.forget(withdrawal)
    })
  }

  /** A timer for those who hold connections; see `Clock.after`. */
  after(ms: number, callback: () => void): () => void {
    return this.#parts.clock.after(ms, callback)
  }

  /** Whether a worker has named a feature when it registered, with whatever orchestrator. */
  async understands(workerId: string, feature: WorkerFeature): Promise<boolean> {
    const { storage, clock } = this.#parts
    const now = clock.now()
    const worker = this.#roster.find(workerId, now) ?? (await storage.findWorker({ workerId, now }))
    return worker !== undefined && hasFeature(worker, feature)
  }

  /** Tasks are on their way to a worker. */
  async handed(tasks: readonly HandedTask[], workerId: string): Promise<void> {
    if (tasks.length === 0 || !(await this.understands(workerId, 'acks'))) return
    this.#acknowledgements.expect(tasks, workerId)
  }

  /**
   * A worker has got tasks; their leases begin anew.
   * @returns those that it does not hold any more.
   */
  async acknowledge(workerId: string, taskIds: readonly string[]): Promise<readonly string[]> {
    const { storage, clock } = this.#parts
    const lease = { now: clock.now(), leaseMs: this.#leaseMs, missingSince: null }
    const notHeld = await storage.renewTasks({ workerId, taskIds, ...lease })
    const others = new Set(notHeld)
    const told = this.#acknowledgements.note(taskIds.filter((taskId) => !others.has(taskId)))
    if (told.length > 0) await storage.tell([{ kind: 'acknowledged', taskIds: told }])
    return notHeld
  }

  /** A worker that holds tasks has said, in other words, that it has got them. */
  noteListed(taskIds: readonly string[]): void {
    this.#acknowledgements.note(taskIds)
  }

  /** The worker that had a task has told what came of it. */
  noteResult(task: Withdrawal): void {
    this.#acknowledgements.note([task.taskId])
    this.chunks.forget(task)
  }

  /** Takes in what was told, here or elsewhere. */
  hear(hint: Hint): void {
    if (hint.kind === 'withdrawn') this.withdrawals.note(hint)
    if (hint.kind === 'acknowledged') this.#acknowledgements.note(hint.taskIds)
    if (hint.kind === 'connected') this.connections.hear(hint)
    this.streams.hear(hint)
  }

  /** Ends event streams; resolves when no task is being taken back any more. */
  async stop(): Promise<void> {
    this.streams.stop()
    await this.#acknowledgements.stop()
  }
}
