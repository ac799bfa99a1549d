/** The promises of `advance` as code, for tests, the simulation and development. */
import { InternalError, isTerminalJobStatus } from '@avtomatika/protocol'
import type { Decision } from './decision.ts'
import type { Effect } from './effect.ts'
import type { Job } from './job.ts'
import { deadlineOf } from './on-timer.ts'

/** @throws InternalError `INTERNAL` naming the promise that a change breaks. */
export function assertChange(before: Job | undefined, decision: Decision): void {
  if (decision.kind !== 'changed') return
  const { job, effects } = decision
  check(before === undefined || !isTerminalJobStatus(before.status), 'J2', job)
  check(job.version === (before?.version ?? 0) + 1, 'J8', job)
  check((job.wait === null) === isTerminalJobStatus(job.status), 'J3', job)
  check((job.finishedAt === null) === (job.wait !== null), 'J3', job)
  check(before === undefined || job.updatedAt === effectsTime(job), 'J1', job)
  check(leftWaitIsWithdrawn(before, job, effects), 'J5', job)
  check(newWaitIsArmed(before, job, effects), 'J3', job)
  check(stateChangeIsRecorded(before, job, effects), 'J6', job)
}

function effectsTime(job: Job): number {
  return job.finishedAt ?? job.updatedAt
}

function check(holds: boolean, promise: string, job: Job): void {
  if (holds) return
  const message = `Promise ${promise} of advance is broken for job ${job.id} at version ${String(job.version)}.`
  throw new InternalError('INTERNAL', {
    message,
    details: { status: job.status, state: job.state },
  })
}

/** The id of the step or task that is out because of a job's wait. */
function outOf(job: Job | undefined): string | undefined {
  const wait = job?.wait
  if (wait?.for === 'step') return wait.stepId
  if (wait?.for === 'task' && wait.phase.kind !== 'backing_off') return wait.taskId
  return undefined
}

function leftWaitIsWithdrawn(
  before: Job | undefined,
  job: Job,
  effects: readonly Effect[],
): boolean {
  const out = outOf(before)
  const withdrawn = effects.some(
    (effect) =>
      (effect.kind === 'withdraw_step' && effect.stepId === out) ||
      (effect.kind === 'withdraw_task' && effect.taskId === out),
  )
  return out === undefined || (out === outOf(job)) !== withdrawn
}

function newWaitIsArmed(before: Job | undefined, job: Job, effects: readonly Effect[]): boolean {
  const out = outOf(job)
  const offered = effects.some(
    (effect) =>
      (effect.kind === 'run_step' && effect.stepId === out) ||
      (effect.kind === 'offer_task' && effect.task.taskId === out),
  )
  const handedOut = out === undefined || out === outOf(before) || offered
  const deadline = job.wait === null ? null : deadlineOf(job.wait)
  const unchanged = before?.wait != null && deadlineOf(before.wait) === deadline
  const last = effects.findLast((e) => e.kind === 'set_deadline' || e.kind === 'clear_deadline')
  const armed = last?.kind === 'set_deadline' ? last.at === deadline : deadline === null
  return handedOut && (last === undefined ? unchanged || deadline === null : armed)
}

function stateChangeIsRecorded(
  before: Job | undefined,
  job: Job,
  effects: readonly Effect[],
): boolean {
  if (before === undefined || before.state === job.state) return true
  const rows = effects.filter((e) => e.kind === 'record' && e.record.type === 'state_finished')
  return rows.length === 1
}
