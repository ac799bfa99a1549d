/** Jobs in every wait there is, made by `advance` itself, and the events to try on them. */
import type { JsonObject } from '@avtomatika/protocol'
import { advance } from '../../src/job/advance.ts'
import { branchesIn } from '../../src/job/branch-table.ts'
import type { Decision } from '../../src/job/decision.ts'
import type { Effect, HistoryRecord, OfferedTask, RecordType } from '../../src/job/effect.ts'
import type {
  Action,
  DeadlineKey,
  JobEvent,
  NewJob,
  Remarks,
  TaskOutcome,
} from '../../src/job/event.ts'
import { assertChange } from '../../src/job/invariants.ts'
import type { Job } from '../../src/job/job.ts'
import type { JobMessage } from '../../src/job/message.ts'
import { DEFAULT_RULES, type Rules } from '../../src/job/rules.ts'
import type { Branch, BranchResult, TaskRun, TaskSpec } from '../../src/job/task.ts'
import type { JobError, Transitions } from '../../src/job/vocabulary.ts'
import type { Approval, ChildReport } from '../../src/job/wait.ts'
import { T0 } from '../../src/testing/index.ts'

/** Three retries after 1, 2 and 4 s, without jitter. */
export const RULES: Rules = {
  ...DEFAULT_RULES,
  retry: { maxRetries: 3, backoff: { initialMs: 1_000, factor: 2, maxMs: 60_000, jitter: 0 } },
}

export const ERROR = { code: 'BROKEN', message: 'it broke' } as const

/** Everything that can happen to a job that exists. */
export const EVENT_KINDS = [
  'step_succeeded',
  'step_failed',
  'step_deferred',
  'task_claimed',
  'task_progress',
  'task_result',
  'task_lost',
  'worker_event',
  'event_received',
  'approval_decided',
  'child_ended',
  'timer_fired',
  'cancel_requested',
  'retry_requested',
  'discard_requested',
] as const

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
  return afterBy(RULES, job, ...events)
}

/** The same under other rules. */
export function afterBy(rules: Rules, job: Job, ...events: readonly JobEvent[]): Job {
  return events.reduce((current, event) => change(current, event, rules).job, job)
}

export function records(effects: readonly Effect[], type?: RecordType): HistoryRecord[] {
  const rows = effects.flatMap((effect) => (effect.kind === 'record' ? [effect.record] : []))
  return type === undefined ? rows : rows.filter((row) => row.type === type)
}

export function offersOf(effects: readonly Effect[]): OfferedTask[] {
  return effects.flatMap((effect) => (effect.kind === 'offer_task' ? [effect.task] : []))
}

/** What a change says to other jobs and to the world. */
export function messagesOf(effects: readonly Effect[]): JobMessage[] {
  return effects.flatMap((effect) => (effect.kind === 'send' ? [effect.message] : []))
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
    depth: 0,
    dispatchTimeoutMs: null,
    resultTimeoutMs: null,
    timeoutMs: null,
    ...fields,
  },
})

export const TASK: TaskSpec = {
  demand: { type: 'resize' },
  params: { width: 10 },
  priority: 5,
  strategy: 'default',
  dispatchTimeoutMs: 10_000,
  executionTimeoutMs: 60_000,
  resultTimeoutMs: null,
  retry: null,
}

export const TRANSITIONS: Transitions = {
  success: { state: 'next' },
  done: { state: 'end', end: 'finished' },
}

type ActionOf<Type extends Action['type']> = Extract<Action, { readonly type: Type }>

export function dispatch(
  task: Partial<TaskSpec> = {},
  transitions = TRANSITIONS,
  fields: Partial<ActionOf<'dispatch_task'>> = {},
): Action {
  return {
    type: 'dispatch_task',
    task: { ...TASK, ...task },
    transitions,
    eventTransitions: {},
    onFailure: 'end',
    ...fields,
  }
}

/** A task whose failures for good have a transition. */
export const FORGIVEN = dispatch({}, { failure: { state: 'repair' } }, { onFailure: 'transition' })

/** The timer of a wait is wanted no more. */
export const TIMER_CLEARED = { kind: 'clear_deadline', key: 'wait' } as const

/** The offer of a first attempt of {@link TASK}, whole. */
export const offerOf = (taskId: string): Effect => ({
  kind: 'offer_task',
  task: {
    taskId,
    jobId: 'j',
    attempt: 1,
    demand: { type: 'resize' },
    params: { width: 10 },
    priority: 5,
    strategy: 'default',
    tracing: { traceparent: '00-aa-bb-01' },
    executionTimeoutMs: 60_000,
    resultDeadlineAt: null,
    avoid: null,
  },
})

export const goTo = (state: string): Action => ({ type: 'go_to', target: { state } })

/** Tasks by name, in this order; all out at once unless `fields` say otherwise. */
export function fanOut(
  tasks: Readonly<Record<string, Partial<TaskSpec>>>,
  fields: Partial<ActionOf<'dispatch_parallel'>> = {},
): Action {
  return {
    type: 'dispatch_parallel',
    tasks: Object.entries(tasks).map(([name, task]) => ({ name, spec: { ...TASK, ...task } })),
    aggregateInto: { state: 'collect' },
    concurrency: null,
    failFast: false,
    ...fields,
  }
}

export function awaitApproval(fields: Partial<ActionOf<'await_approval'>> = {}): Action {
  return {
    type: 'await_approval',
    integration: 'telegram',
    message: 'Pay 300?',
    transitions: { approved: { state: 'pay' }, rejected: { state: 'refuse' } },
    timeoutMs: 5_000,
    onTimeout: null,
    ...fields,
  }
}

export function runChild(
  transitions: Transitions = { success: { state: 'next' }, failure: { state: 'repair' } },
  child: Partial<ActionOf<'run_child'>['child']> = {},
): Action {
  return {
    type: 'run_child',
    transitions,
    child: {
      blueprint: { name: 'invoice', version: '2', hash: 'h2' },
      start: { state: 'begin' },
      initialData: { total: 300 },
      dispatchTimeoutMs: null,
      resultTimeoutMs: null,
      timeoutMs: null,
      ...child,
    },
  }
}

export function sleep(ms = 5_000, state = 'next'): Action {
  return { type: 'sleep', until: { ms }, next: { state } }
}

export function waitForEvent(fields: Partial<ActionOf<'wait_for_event'>> = {}): Action {
  return {
    type: 'wait_for_event',
    name: 'paid',
    match: null,
    timeoutMs: 5_000,
    received: { state: 'next' },
    timeout: null,
    ...fields,
  }
}

export function stepSucceeded(
  stepId: string,
  action: Action,
  at = T0,
  remarks: Partial<Remarks> = {},
): JobEvent {
  return {
    kind: 'step_succeeded',
    at,
    stepId,
    action,
    remarks: { updates: null, sent: [], ...remarks },
  }
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
  fields: { workerId?: string; at?: number; chance?: number; attempt?: number } = {},
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

export function timerFired(
  at: number,
  fields: {
    key?: DeadlineKey
    chance?: number
    reasons?: Readonly<Record<string, string>>
  } = {},
): JobEvent {
  return { kind: 'timer_fired', at, key: 'wait', chance: 0, ...fields }
}

export const CANCEL_REASON = 'The client cancelled the job.'

export const cancelRequested = (at = T0): JobEvent => ({
  kind: 'cancel_requested',
  at,
  reason: CANCEL_REASON,
})

export function approvalDecided(
  approval: Partial<Omit<Approval, 'decidedAt'>> = {},
  fields: { at?: number; approvalId?: string | null } = {},
): JobEvent {
  return {
    kind: 'approval_decided',
    at: T0,
    approvalId: null,
    approval: { decision: 'approved', actor: null, comment: null, data: null, ...approval },
    ...fields,
  }
}

export function childEnded(report: Partial<ChildReport> = {}, at = T0): JobEvent {
  return {
    kind: 'child_ended',
    at,
    report: {
      jobId: CHILD_1,
      outcome: 'success',
      status: 'finished',
      finalState: 'sent',
      result: { no: 7 },
      error: null,
      ...report,
    },
  }
}

export function eventReceived(
  fields: { at?: number; eventId?: string; name?: string; data?: JsonObject } = {},
): JobEvent {
  return {
    kind: 'event_received',
    at: T0,
    eventId: 'e1',
    name: 'paid',
    data: { sum: 3 },
    ...fields,
  }
}

export function workerEvent(
  fields: {
    at?: number
    taskId?: string | null
    workerId?: string
    eventId?: string
    type?: string
    payload?: JsonObject
  } = {},
): JobEvent {
  return {
    kind: 'worker_event',
    at: T0,
    taskId: TASK_1,
    workerId: 'w',
    eventId: 'we1',
    type: 'half_way',
    payload: { rows: 9 },
    ...fields,
  }
}

export const retryRequested = (data: JsonObject | null = null, at = T0): JobEvent => ({
  kind: 'retry_requested',
  at,
  data,
})

export const discardRequested = (at = T0): JobEvent => ({ kind: 'discard_requested', at })

/** The id of the first task of job `j`, which its first step dispatched. */
export const TASK_1 = 'task-j-2-1'
/** The id of its second attempt. */
export const TASK_2 = 'task-j-2-2'
/** The id of the first child of job `j`, which its first step started. */
export const CHILD_1 = 'j-c2'
/** The id of its first request for approval. */
export const APPROVAL_1 = 'j-a2'

export function readyJob(fields: Partial<NewJob> = {}): Job {
  return change(undefined, created(fields)).job
}

/** A job whose first step took this action. */
export function waitingJob(action: Action, fields: Partial<NewJob> = {}): Job {
  return after(readyJob(fields), stepSucceeded('j-s1', action))
}

export function offeredJob(task: Partial<TaskSpec> = {}, transitions = TRANSITIONS): Job {
  return waitingJob(dispatch(task, transitions))
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
export function lastAttempt(action: Action = dispatch()): Job {
  let job = waitingJob(action)
  for (let n = 1; n <= 3; n += 1) {
    const taskId = `task-j-2-${String(n)}`
    job = after(job, taskClaimed(taskId), taskLost(taskId))
  }
  return after(job, taskClaimed('task-j-2-4'))
}

/** A job that a permanent error of its task brought into quarantine. */
export function quarantinedJob(fields: Partial<NewJob> = {}, action: Action = dispatch()): Job {
  const job = after(waitingJob(action, fields), taskClaimed(TASK_1))
  return after(job, taskResult(TASK_1, failedWith('PERMANENT_ERROR')))
}

/** The waits of a job that lives. */
export const LIVE_WAITS = [
  'step',
  'retry',
  'offered',
  'claimed',
  'backing_off',
  'branches',
  'approval',
  'child',
  'event',
  'sleep',
] as const

/** One job in each wait, and one that has ended. */
export const WAITS = {
  step: readyJob(),
  retry: retryingJob(),
  offered: offeredJob(),
  claimed: claimedJob(),
  backing_off: backingOffJob(),
  branches: after(waitingJob(fanOut({ a: {}, b: {} })), taskClaimed(TASK_1)),
  approval: waitingJob(awaitApproval()),
  child: waitingJob(runChild()),
  event: waitingJob(waitForEvent()),
  sleep: waitingJob(sleep()),
  quarantined: quarantinedJob(),
  ended: after(readyJob(), cancelRequested()),
} as const

/** The id of a branch's present attempt, or of its last one when it is over. */
export function branchTask(job: Job, name: string): string {
  const branch = branchOf(job, name)
  if (branch.kind === 'out') return branch.run.taskId
  if (branch.kind === 'done') return branch.taskId
  throw new Error(`Branch ${name} of job ${job.id} has not started.`)
}

export function branchOf({ wait }: Job, name: string): Branch {
  const branches = wait?.for === 'branches' ? branchesIn(wait.branches) : []
  const branch = branches.find((candidate) => candidate.name === name)
  if (branch === undefined) throw new Error(`The job waits for no branch ${name}.`)
  return branch
}

/** The run of a branch that is out. */
export function runOf(job: Job, name: string): TaskRun {
  const branch = branchOf(job, name)
  if (branch.kind === 'out') return branch.run
  throw new Error(`Branch ${name} is not out.`)
}

/** What the aggregator is given. */
export function aggregated({ received }: Job): readonly BranchResult[] {
  return received?.kind === 'branches' ? received.branches : []
}

export function errorWith(code: string, message = 'no luck'): JobError {
  return { code, message }
}
