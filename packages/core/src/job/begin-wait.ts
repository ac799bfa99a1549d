/** A handler's action makes its job wait: for a task, a person, a child, a moment, or an event. */
import { admitTasks } from './data.ts'
import { record, send, type Draft } from './draft.ts'
import type { Action } from './event.ts'
import { takeFromInbox } from './inbox.ts'
import type { Rules } from './rules.ts'
import { startRun } from './task-run.ts'
import { endJob, enterState } from './transition.ts'
import type { EpochMs } from './vocabulary.ts'

type ActionOf<Type extends Action['type']> = Extract<Action, { readonly type: Type }>

export function beginTask(draft: Draft, action: ActionOf<'dispatch_task'>, rules: Rules): void {
  const { task, transitions, eventTransitions, onFailure } = action
  const tooLarge = admitTasks(draft, [task], rules)
  if (tooLarge !== null) return endJob(draft, { status: 'failed', error: tooLarge })
  begin(draft, 'waiting_for_worker')
  const run = startRun(draft, task)
  draft.job.wait = { for: 'task', ...run, transitions, eventTransitions, onFailure }
}

export function beginApproval(draft: Draft, action: ActionOf<'await_approval'>): void {
  const { integration, message, transitions, timeoutMs, onTimeout } = action
  const approvalId = begin(draft, 'waiting_for_human', 'a')
  const deadlineAt = after(draft, timeoutMs)
  draft.job.wait = {
    for: 'approval',
    approvalId,
    integration,
    message,
    transitions,
    deadlineAt,
    onTimeout,
  }
  const decisions = Object.keys(transitions)
  record(draft, 'approval_requested', { details: { approvalId, integration, message, decisions } })
}

export function beginChild(draft: Draft, action: ActionOf<'run_child'>, rules: Rules): void {
  const { child, transitions } = action
  const { start, ...spec } = child
  const { name } = spec.blueprint
  const depth = draft.job.depth + 1
  if (depth > rules.maxDepth) {
    const limit = String(rules.maxDepth)
    const message = `Blueprint '${name}' would run at depth ${String(depth)}; the limit is ${limit} (maxDepth). Does a blueprint run itself?`
    return endJob(draft, { status: 'failed', error: { code: 'TOO_DEEP', message } })
  }
  const childId = begin(draft, 'waiting_for_sub_job', 'c')
  const { id: parentId, owner, tracing } = draft.job
  draft.job.wait = { for: 'child', childId, blueprint: name, transitions }
  record(draft, 'child_started', { details: { childId, blueprint: name } })
  const job = { ...spec, id: childId, parentId, depth, owner, tracing, metadata: {} }
  send(draft, { kind: 'start_child', job: { ...job, webhookUrl: null }, start })
}

export function beginSleep(draft: Draft, { until, next }: ActionOf<'sleep'>): void {
  begin(draft, 'sleeping')
  const at = 'at' in until ? until.at : draft.at + until.ms
  draft.job.wait = { for: 'sleep', until: at, next }
  record(draft, 'sleep_started', { nextState: next.state, durationMs: Math.max(0, at - draft.at) })
}

export function beginEventWait(
  draft: Draft,
  action: ActionOf<'wait_for_event'>,
  rules: Rules,
): void {
  const { name, match, timeoutMs, received, timeout } = action
  const event = takeFromInbox(draft, { name, match })
  if (event !== undefined) {
    const entry = { target: received, received: { kind: 'event', event } } as const
    return enterState(draft, entry, rules)
  }
  begin(draft, 'waiting_for_event')
  const deadlineAt = after(draft, timeoutMs)
  draft.job.wait = { for: 'event', name, match, deadlineAt, received, timeout }
}

/** Starts a wait with counters of its own; answers an id for what is waited for. */
function begin({ job }: Draft, status: Draft['job']['status'], mark?: string): string {
  if (mark !== undefined) job.sequence += 1
  job.status = status
  job.retryCount = 0
  job.error = null
  return `${job.id}-${mark ?? ''}${String(job.sequence)}`
}

function after({ at }: Draft, ms: number | null): EpochMs | null {
  return ms === null ? null : at + ms
}
