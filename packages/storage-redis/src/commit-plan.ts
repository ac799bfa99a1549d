/** From the entries of a commit to what its script is told. */
import { isTerminalJobStatus } from '@avtomatika/protocol'
import { classIdOf, type CommitEntry, type Effect, type Job } from '@avtomatika/core'
import { encode } from './codec.ts'
import { hintsOf } from './hints.ts'

type Operation = Readonly<Record<string, string | number>>

export interface CommitPlan {
  /** As JSON, for the script. */
  readonly plan: string
  /** What the plan points at by its place. */
  readonly blobs: readonly Buffer[]
}

export interface CommitOptions {
  /** How long ended jobs are kept, in ms; quarantined ones are kept until somebody works on them. */
  readonly retainMs: number
  /** Tells the hints of this process from others'. */
  readonly origin: string
}

export function commitPlan(entries: readonly CommitEntry[], options: CommitOptions): CommitPlan {
  const blobs: Buffer[] = []
  const keep = (value: object): number => blobs.push(encode(value)) - 1
  const plan = entries.map((entry) => {
    const { job, expectedVersion, effects, idempotency } = entry
    return {
      id: job.id,
      expected: String(expectedVersion),
      version: String(job.version),
      b: keep(job),
      ops: effects.map((effect) => operation(effect, job, keep)),
      hints: JSON.stringify({ from: options.origin, hints: hintsOf(entry) }),
      ...retention(job, options),
      ...(idempotency && { idem: idempotencyOf(idempotency) }),
    }
  })
  return { plan: JSON.stringify(plan), blobs }
}

function retention(job: Job, { retainMs }: CommitOptions): object {
  const { status, owner, finishedAt } = job
  if (status === 'quarantined') {
    return { quarantine: { owner: owner.clientId, at: String(finishedAt ?? 0) } }
  }
  return isTerminalJobStatus(status) ? { ttl: String(retainMs) } : {}
}

function idempotencyOf(given: NonNullable<CommitEntry['idempotency']>): object {
  const { key, fingerprint, now, expiresAt } = given
  const ttl = String(Math.max(1, expiresAt - now))
  return { key, fp: fingerprint, now: String(now), exp: String(expiresAt), ttl }
}

function operation(effect: Effect, { id }: Job, keep: (value: object) => number): Operation {
  switch (effect.kind) {
    case 'run_step':
      return { k: 'run', id: effect.stepId }
    case 'withdraw_step':
      return { k: 'unrun', id: effect.stepId }
    case 'offer_task': {
      const { task } = effect
      return {
        k: 'offer',
        id: task.taskId,
        b: keep(task),
        c: classIdOf(task.demand),
        d: JSON.stringify(task.demand),
        // Smallest first, and the highest priority is first.
        s: String(-task.priority),
        a: task.avoid?.workerId ?? '',
        u: String(task.avoid?.until ?? 0),
      }
    }
    case 'withdraw_task':
      return { k: 'withdraw', id: effect.taskId }
    case 'set_deadline':
      return { k: 'set', id: deadlineId(id, effect.key), at: String(effect.at) }
    case 'clear_deadline':
      return { k: 'clear', id: deadlineId(id, effect.key) }
    case 'send':
      return { k: 'send', id: effect.message.messageId, b: keep(effect.message) }
    case 'record':
      return { k: 'record', id: effect.record.eventId, b: keep(effect.record) }
  }
}

/** Which job's timer; the key first, since an id may hold anything. */
export function deadlineId(jobId: string, key: string): string {
  return `${key}|${jobId}`
}
