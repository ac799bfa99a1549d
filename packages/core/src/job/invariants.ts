/** The promises of `advance` as code, for tests, the simulation and development. */
import { InternalError, isTerminalJobStatus } from '@avtomatika/protocol'
import type { Decision } from './decision.ts'
import type { Effect } from './effect.ts'
import type { Job } from './job.ts'
import { jobDeadline } from './wait-effects.ts'
import { deadlineOf, tasksOf } from './wait.ts'

/** @throws InternalError `INTERNAL` naming the promise that a change breaks. */
export function assertChange(before: Job | undefined, decision: Decision): void {
  if (decision.kind !== 'changed') return
  const { job, effects } = decision
  check(before === undefined || isOpenTo(before, effects), 'J2', job)
  check(job.version === (before?.version ?? 0) + 1, 'J8', job)
  check((job.wait === null) === isTerminalJobStatus(job.status), 'J3', job)
  check((job.finishedAt === null) === (job.wait !== null), 'J3', job)
  check(leftIsWithdrawn(before, job, effects), 'J5', job)
  check(newIsOut(before, job, effects), 'J3', job)
  check(isWithinConcurrency(job), 'J3', job)
  check(timersFit(before, job, effects), 'J3', job)
  check(stateChangeIsRecorded(before, job, effects), 'J6', job)
  check(endIsTold(before, job, effects), 'J7', job)
}

function check(holds: boolean, promise: string, job: Job): void {
  if (holds) return
  const message = `Promise ${promise} of advance is broken for job ${job.id} at version ${String(job.version)}.`
  throw new InternalError('INTERNAL', {
    message,
    details: { status: job.status, state: job.state },
  })
}

/** Live, or in quarantine with an operator at work, who works nowhere else. */
function isOpenTo(before: Job, effects: readonly Effect[]): boolean {
  const isWorkedOn = recordsOf(effects, /^job_(retried|discarded)$/) === 1
  if (before.status === 'quarantined') return isWorkedOn
  return !isTerminalJobStatus(before.status) && !isWorkedOn
}

/** No more branches are out than may be. */
function isWithinConcurrency({ wait }: Job): boolean {
  if (wait?.for !== 'branches' || wait.concurrency === null) return true
  return tasksOf(wait).length <= wait.concurrency
}

/** The ids of steps and tasks that are out because of a job's wait. */
function outOf(job: Job | undefined): ReadonlySet<string> {
  if (job?.wait?.for === 'step') return new Set([job.wait.stepId])
  const runs = tasksOf(job?.wait ?? null).filter(({ run }) => run.phase.kind !== 'backing_off')
  return new Set(runs.map(({ run }) => run.taskId))
}

function leftIsWithdrawn(before: Job | undefined, job: Job, effects: readonly Effect[]): boolean {
  const withdrawn = effects.flatMap((effect) => {
    if (effect.kind === 'withdraw_step') return [effect.stepId]
    return effect.kind === 'withdraw_task' ? [effect.taskId] : []
  })
  const now = outOf(job)
  const left = [...outOf(before)].filter((id) => !now.has(id))
  return sameMembers(withdrawn, left) && childIsSettled(before, job, effects)
}

/** A child that its parent no longer waits for has ended, or is cancelled. */
function childIsSettled(before: Job | undefined, job: Job, effects: readonly Effect[]): boolean {
  const child = before?.wait?.for === 'child' ? before.wait.childId : undefined
  if (child === undefined || job.wait?.for === 'child') return true
  const ended = recordsOf(effects, /^child_finished$/) === 1
  const cancelled = effects.some(
    (effect) =>
      effect.kind === 'send' && effect.message.kind === 'cancel_job' && effect.message.to === child,
  )
  return ended !== cancelled
}

function newIsOut(before: Job | undefined, job: Job, effects: readonly Effect[]): boolean {
  const put = effects.flatMap((effect) => {
    if (effect.kind === 'run_step') return [effect.stepId]
    return effect.kind === 'offer_task' ? [effect.task.taskId] : []
  })
  const old = outOf(before)
  const out = outOf(job)
  // What a store has lost is asked for again under its old id.
  if (recordsOf(effects, /^job_rearmed$/) === 1) return put.every((id) => out.has(id))
  const added = [...out].filter((id) => !old.has(id))
  return sameMembers(put, added) && childIsStarted(before, job, effects)
}

function childIsStarted(before: Job | undefined, job: Job, effects: readonly Effect[]): boolean {
  if (job.wait?.for !== 'child' || before?.wait?.for === 'child') return true
  const { childId } = job.wait
  return effects.some(
    (effect) =>
      effect.kind === 'send' &&
      effect.message.kind === 'start_child' &&
      effect.message.job.id === childId,
  )
}

function timersFit(before: Job | undefined, job: Job, effects: readonly Effect[]): boolean {
  const timers = [
    { key: 'wait', old: deadlineOf(before?.wait ?? null), now: deadlineOf(job.wait) },
    { key: 'job', old: jobDeadline(before), now: jobDeadline(job) },
  ] as const
  return timers.every(({ key, old, now }) => {
    const last = effects.findLast(
      (effect) =>
        (effect.kind === 'set_deadline' || effect.kind === 'clear_deadline') && effect.key === key,
    )
    if (last === undefined) return old === now
    return last.kind === 'set_deadline' ? last.at === now : now === null
  })
}

function stateChangeIsRecorded(
  before: Job | undefined,
  job: Job,
  effects: readonly Effect[],
): boolean {
  if (before === undefined || before.state === job.state) return true
  return recordsOf(effects, /^state_finished$/) === 1
}

/** One history row, and one word to the parent, for an end; none without one. */
function endIsTold(before: Job | undefined, job: Job, effects: readonly Effect[]): boolean {
  const ended = before?.finishedAt == null && job.finishedAt !== null ? 1 : 0
  const told = effects.filter(
    (effect) => effect.kind === 'send' && effect.message.kind === 'child_ended',
  ).length
  const rows = recordsOf(effects, /^job_(finished|failed|quarantined|cancelled)$/)
  return rows === ended && told === (job.parentId === null ? 0 : ended)
}

function recordsOf(effects: readonly Effect[], type: RegExp): number {
  return effects.filter((effect) => effect.kind === 'record' && type.test(effect.record.type))
    .length
}

function sameMembers(a: readonly string[], b: readonly string[]): boolean {
  const set = new Set(b)
  return a.length === b.length && set.size === b.length && a.every((id) => set.has(id))
}
