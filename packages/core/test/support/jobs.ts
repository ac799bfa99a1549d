/** Jobs in every wait there is, made by `advance` itself, and the events to try on them. */
import { advance } from '../../src/job/advance.ts'
import type { Decision } from '../../src/job/decision.ts'
import type { Effect, HistoryRecord, OfferedTask, RecordType } from '../../src/job/effect.ts'
import type { Action, JobEvent, NewJob, TaskOutcome } from '../../src/job/event.ts'
import { assertChange } from '../../src/job/invariants.ts'
import type { Job, TaskSpec, Transitions } from '../../src/job/job.ts'
import { DEFAULT_RULES, type Rules } from '../../src/job/rules.ts'
import { T0 } from '../../src/testing/index.ts'

/** Three retries after 1, 2 and 4 s, without jitter. */
export const RULES: Rules = {
  ...DEFAULT_RULES,
  retry: { maxRetries: 3, backoff: { initialMs: 1_000, factor: 2, maxMs: 60_000, jitter: 0 } },
}

export const ERROR = { code: 'BROKEN', message: 'it broke' } as const

export type Changed = Extract<Decision, { kind: 'changed' }>

/** Decides and checks the promises of `advance` on the way. */
export function decide(job: Job | undefined, event: JobEvent, rules: Rules = RULES): Decision {
  const decision = advance(job, event, rules)
  assertChange(job, decision)
  return decision
}

/** Decides an event that must change the job. */
export function change(job: Job | undefined, event: JobEvent, rules: Rules = RULES): Changed {
  const decision = decide(job, event, rules)
  if (decision.kind === 'changed') return decision
  throw new Error(`The ${event.kind} changed nothing: ${JSON.stringify(decision)}`)
}

/** Applies events that must each change the job. */
export function after(job: Job, ...events: readonly JobEvent[]): Job {
  return events.reduce((current, event) => change(current, event).job, job)
}

export function records(effects: readonly Effect[], type?: RecordType): HistoryRecord[] {
  const rows = effects.flatMap((effect) => (effect.kind === 'record' ? [effect.record] : []))
  return type === undefined ? rows : rows.filter((row) => row.type === type)
}

export function offersOf(effects: readonly Effect[]): OfferedTask[] {
  return effects.flatMap((effect) => (effect.kind === 'offer_task' ? [effect.task] : []))
}

/** The effects that are no history. */
export function deeds(effects: readonly Effect[]): Effect[] {
  return effects.filter(({ kind }) => kind !== 'record')
}

export const created = (fields: Partial<NewJob> = {}): JobEvent => ({
  kind: 'created',
  at: T0,
  start: { state: 'start' },
  job: {
    id: 'j',
    blueprint: { name: 'order', version: '1', hash: 'h1' },
    initialData: { n: 1 },
    owner: { clientId: 'client-1', plan: null, params: {} },
    tracing: { traceparent: '00-aa-bb-01' },
    metadata: {},
    webhookUrl: null,
    parentId: null,
    dispatchTimeoutMs: null,
    resultTimeoutMs: null,
    ...fields,
  },
})

export const TASK: TaskSpec = {
  demand: { type: 'resize' },
  params: { width: 10 },
  priority: 5,
  dispatchTimeoutMs: 10_000,
  executionTimeoutMs: 60_000,
  resultTimeoutMs: null,
}

export const TRANSITIONS: Transitions = {
  success: { state: 'next' },
  done: { state: 'end', end: 'finished' },
}

export function dispatch(task: Partial<TaskSpec> = {}, transitions = TRANSITIONS): Action {
  return { type: 'dispatch_task', task: { ...TASK, ...task }, transitions }
}

export const goTo = (state: string): Action => ({ type: 'go_to', target: { state } })

export function stepSucceeded(stepId: string, action: Action, at = T0): JobEvent {
  return { kind: 'step_succeeded', at, stepId, action }
}

export function stepFailed(
  stepId: string,
  fields: { at?: number; then?: 'retry' | 'fail' } = {},
): JobEvent {
  return { kind: 'step_failed', at: T0, stepId, error: ERROR, then: 'retry', chance: 0, ...fields }
}

export function stepDeferred(stepId: string, until = T0 + 30_000, at = T0): JobEvent {
  const reason = { code: 'BLUEPRINT_NOT_LOADED', message: 'not loaded' }
  return { kind: 'step_deferred', at, stepId, reason, until }
}

export function taskClaimed(taskId: string, workerId = 'w', at = T0): JobEvent {
  return { kind: 'task_claimed', at, taskId, workerId }
}

export function taskResult(
  taskId: string,
  outcome: TaskOutcome = { kind: 'completed', status: 'success', data: { out: 1 } },
  fields: { workerId?: string; at?: number } = {},
): JobEvent {
  return { kind: 'task_result', at: T0, taskId, workerId: 'w', outcome, chance: 0, ...fields }
}

export function failedWith(code: string): TaskOutcome {
  return { kind: 'failed', error: { code, message: 'no luck' }, data: {} }
}

export function taskProgress(taskId: string | null, workerId = 'w'): JobEvent {
  return { kind: 'task_progress', at: T0, taskId, workerId, progress: 0.5, message: 'half' }
}

export const taskLost = (taskId: string, at = T0): JobEvent => ({ kind: 'task_lost', at, taskId })

export const timerFired = (at: number, chance = 0): JobEvent => ({
  kind: 'timer_fired',
  at,
  key: 'wait',
  chance,
})

export const cancelRequested = (at = T0): JobEvent => ({ kind: 'cancel_requested', at })

/** The id of the first task of job `j`, which its first step dispatched. */
export const TASK_1 = 'task-j-2-1'
/** The id of its second attempt. */
export const TASK_2 = 'task-j-2-2'

export function readyJob(fields: Partial<NewJob> = {}): Job {
  return change(undefined, created(fields)).job
}

export function offeredJob(task: Partial<TaskSpec> = {}, transitions = TRANSITIONS): Job {
  return after(readyJob(), stepSucceeded('j-s1', dispatch(task, transitions)))
}

export function claimedJob(task: Partial<TaskSpec> = {}, transitions = TRANSITIONS): Job {
  return after(offeredJob(task, transitions), taskClaimed(TASK_1))
}

export function backingOffJob(task: Partial<TaskSpec> = {}): Job {
  return after(claimedJob(task), taskResult(TASK_1, failedWith('TRANSIENT_ERROR')))
}

export function retryingJob(): Job {
  return after(readyJob(), stepFailed('j-s1'))
}

/** A job whose task has used up its three retries and is claimed for the last time. */
export function lastAttempt(): Job {
  let job = offeredJob()
  for (let n = 1; n <= 3; n += 1) {
    const taskId = `task-j-2-${String(n)}`
    job = after(job, taskClaimed(taskId), taskLost(taskId))
  }
  return after(job, taskClaimed('task-j-2-4'))
}

/** One job in each wait, and one that has ended. */
export const WAITS = {
  step: readyJob(),
  retry: retryingJob(),
  offered: offeredJob(),
  claimed: claimedJob(),
  backing_off: backingOffJob(),
  ended: after(readyJob(), cancelRequested()),
} as const
