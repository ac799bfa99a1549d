/** From the entries of a commit to what its script is told. */
import { isTerminalJobStatus } from '@avtomatika/protocol'
import {
  classIdOf,
  hintsOf,
  type CommitEntry,
  type Effect,
  type HandOver,
  type Hint,
  type Job,
  type OfferedTask,
  type Reservation,
  type TaskDemand,
} from '@avtomatika/core'
import { encode } from './codec.ts'
import type { JobParts } from './job-documents.ts'

type Operation = Readonly<Record<string, unknown>>

export interface CommitPlan {
  /** As JSON, for the script. */
  readonly plan: string
  /** What the plan points at by its place. */
  readonly blobs: readonly Buffer[]
}

/** An entry, and its job as it is written. */
export interface PlannedEntry {
  readonly entry: CommitEntry
  readonly parts: JobParts
}

/** @param origin - tells the hints of this process from others'. */
export function commitPlan(entries: readonly PlannedEntry[], origin: string): CommitPlan {
  const blobs: Buffer[] = []
  const add = (bytes: Buffer): number => blobs.push(bytes) - 1
  const keep = (value: object): number => add(encode(value))
  const plan = entries.map(({ entry, parts }) => {
    const { job, expectedVersion, effects, idempotency, handOvers = [] } = entry
    const handed = new Map(handOvers.map((each) => [each.taskId, each]))
    const wishes = new Map(entry.reservations?.map((each) => [each.taskId, each]))
    const context = { entry, handed, wishes, keep, origin }
    return {
      id: job.id,
      expected: String(expectedVersion),
      version: String(job.version),
      ...documentOf(parts, add),
      ops: effects.map((effect) => operation(effect, context)),
      hints: JSON.stringify({ from: origin, hints: knownHints(entry) }),
      ...placeOf(job),
      ...(handOvers.length > 0 && { room: handOvers.map(roomFor) }),
      ...(idempotency && { idem: idempotencyOf(idempotency) }),
    }
  })
  return { plan: JSON.stringify(plan), blobs }
}

/** Hints of tasks with a wish are left to the script, which chooses the worker. */
function knownHints(entry: CommitEntry): readonly Hint[] {
  const { effects, reservations = [] } = entry
  if (reservations.length === 0) return hintsOf(entry)
  const wished = new Set(reservations.map(({ taskId }) => taskId))
  const others = effects.filter(
    (effect) => effect.kind !== 'offer_task' || !wished.has(effect.task.taskId),
  )
  const ends = reservations.map(({ until }) => ({ kind: 'deadline', at: until }) as const)
  return [...hintsOf({ ...entry, effects: others, reservations: [] }), ...ends]
}

/** Where the job stands: among those that live, that ended, or that wait for an operator. */
function placeOf({ status, owner, finishedAt, updatedAt }: Job): object {
  if (!isTerminalJobStatus(status)) return { live: String(updatedAt) }
  const at = String(finishedAt ?? 0)
  return status === 'quarantined' ? { quarantine: { owner: owner.clientId, at } } : { ended: at }
}

function idempotencyOf(given: NonNullable<CommitEntry['idempotency']>): object {
  const { key, fingerprint, now, expiresAt } = given
  const ttl = String(Math.max(1, expiresAt - now))
  return { key, fp: fingerprint, now: String(now), exp: String(expiresAt), ttl }
}

/** Leaves of branches in their order: each with its mark and, if it is to be written, its bytes. */
function documentOf({ document, leaves }: JobParts, add: (bytes: Buffer) => number): object {
  if (leaves.length === 0) return { b: add(document) }
  const marked = leaves.map(({ place, bytes }) => ({
    m: place.mark,
    ...(bytes && { b: add(bytes) }),
  }))
  return { b: add(document), leaves: marked }
}

interface Context {
  readonly entry: CommitEntry
  /** By task. */
  readonly handed: ReadonlyMap<string, HandOver>
  readonly wishes: ReadonlyMap<string, Reservation>
  readonly keep: (value: object) => number
  readonly origin: string
}

function operation(effect: Effect, context: Context): Operation {
  const { entry, keep } = context
  const { id } = entry.job
  switch (effect.kind) {
    case 'run_step':
      return {
        k: 'run',
        id: effect.stepId,
        ...(entry.stepLease && { l: leaseOf(entry.stepLease) }),
      }
    case 'withdraw_step':
      return { k: 'unrun', id: effect.stepId }
    case 'offer_task':
      return offer(effect.task, context)
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

function offer(task: OfferedTask, { entry, handed, wishes, keep, origin }: Context): Operation {
  const { taskId, demand, priority, avoid } = task
  const handOver = handed.get(taskId)
  if (handOver !== undefined) return { k: 'hand', id: taskId, b: keep(task), to: roomFor(handOver) }
  const wish = wishes.get(taskId)
  return {
    k: 'offer',
    id: taskId,
    b: keep(task),
    c: classIdOf(demand),
    d: JSON.stringify(demand),
    // Smallest first, and the highest priority is first.
    s: String(-priority),
    a: avoid?.workerId ?? '',
    u: String(avoid?.until ?? 0),
    ...(wish && { w: wishOf(wish, demand), h: aroundWorker(task, { entry, origin }) }),
  }
}

function roomFor({ workerId, capacity, now, leaseMs, isToAcknowledge }: HandOver): object {
  const lease = { now: String(now), expires: String(now + leaseMs) }
  return { worker: workerId, capacity, ...lease, ...(isToAcknowledge === true && { ack: true }) }
}

function leaseOf({ holder, now, leaseMs }: NonNullable<CommitEntry['stepLease']>): object {
  return { holder, expires: String(now + leaseMs) }
}

function wishOf({ candidates, choose, now, until }: Reservation, { type }: TaskDemand): object {
  const among = candidates.map(({ workerId, capacity }) => [workerId, capacity])
  return { among, choose, type, now: String(now), till: String(until) }
}

/** The hint of a task, in two parts: between them goes the worker that the script chooses. */
function aroundWorker(
  task: OfferedTask,
  { entry, origin }: Pick<Context, 'entry' | 'origin'>,
): readonly [string, string] {
  const effects = [{ kind: 'offer_task', task }] as const
  const hints = hintsOf({ ...entry, effects, reservations: [], handOvers: [] }).filter(
    ({ kind }) => kind === 'task',
  )
  const said = JSON.stringify({ from: origin, hints })
  // It ends with the hint, the list and the message.
  return [said.slice(0, -3), said.slice(-3)]
}

/** Which job's timer; the key first, since an id may hold anything. */
export function deadlineId(jobId: string, key: string): string {
  return `${key}|${jobId}`
}
