/** What comes of a task that its job waits for alone. */
import type { JsonObject } from '@avtomatika/protocol'
import { admit, merge } from './data.ts'
import type { Draft } from './draft.ts'
import type { Rules } from './rules.ts'
import type { Verdict } from './task-run.ts'
import type { TaskWait } from './task.ts'
import { endJob, enterState } from './transition.ts'
import type { JobError, Target, Transitions } from './vocabulary.ts'

/** The task is tried again, or has failed for good. */
export function judgeTask(draft: Draft, wait: TaskWait, verdict: Verdict, rules: Rules): void {
  if (verdict.kind === 'again') {
    const { run, error } = verdict
    draft.job.wait = { ...wait, ...run }
    draft.job.error = error
    return
  }
  const { ending, isFinal = false } = verdict
  const mayGoOn = wait.onFailure === 'transition' && !isFinal
  const target = mayGoOn ? targetOf(wait.transitions, 'failure') : undefined
  if (target === undefined) endJob(draft, ending)
  else failInto(draft, target, ending.error, rules)
}

/** Goes on after a failure; the next handler finds the error in its history (D-29). */
export function failInto(draft: Draft, target: Target, error: JobError | null, rules: Rules): void {
  if (error !== null) {
    const { code, message, details } = error
    merge(draft, { error: { code, message, ...(details !== undefined && { details }) } })
  }
  enterState(draft, { target }, rules)
}

/**
 * Takes a worker's data into the job; `false` if they are too much for it, which ends the job where
 * an operator can look at it.
 */
export function takeData(draft: Draft, data: JsonObject, rules: Rules): boolean {
  const tooLarge = admit(draft, data, rules)
  if (tooLarge !== null) {
    endJob(draft, { status: 'quarantined', error: tooLarge })
    return false
  }
  merge(draft, data)
  draft.job.lastData = data
  return true
}

/** Follows the transition of a status, or fails the job for lack of one. */
export function follow(draft: Draft, wait: TaskWait, status: string, rules: Rules): string {
  const target = targetOf(wait.transitions, status)
  if (target !== undefined) {
    enterState(draft, { target }, rules)
    return `${status}_transition`
  }
  const known = Object.keys(wait.transitions).join(', ') || 'none'
  const message =
    `Worker returned unhandled status: ${status} (task ${wait.spec.demand.type}). ` +
    `Declared transitions: ${known}.`
  endJob(draft, { status: 'failed', error: { code: 'UNHANDLED_STATUS', message } })
  return 'unhandled_status_failure'
}

/** A key comes from outside: `constructor` must not find what every object inherits. */
export function targetOf(transitions: Transitions, key: string): Target | undefined {
  return Object.hasOwn(transitions, key) ? transitions[key] : undefined
}
