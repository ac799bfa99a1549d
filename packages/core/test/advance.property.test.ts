/** Any sequence of events, sensible, stale, doubled or forged, keeps the promises of `advance`. */
import { isTerminalJobStatus, type JsonValue } from '@avtomatika/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { advance } from '../src/job/advance.ts'
import { branchesIn } from '../src/job/branch-table.ts'
import type { Decision } from '../src/job/decision.ts'
import type { Effect } from '../src/job/effect.ts'
import type { JobEvent, NewJob } from '../src/job/event.ts'
import { assertChange } from '../src/job/invariants.ts'
import type { Job } from '../src/job/job.ts'
import { DEFAULT_RULES, type Rules } from '../src/job/rules.ts'
import { jobDeadline } from '../src/job/wait-effects.ts'
import { deadlineOf, tasksOf } from '../src/job/wait.ts'
import { T0 } from '../src/testing/index.ts'
import { cancelRequested, created, readyJob } from './support/jobs.ts'
import {
  eventOf,
  newJob,
  plan,
  presentIds,
  type Plan,
  type World,
} from './support/random-events.ts'

const RULES: Rules = {
  ...DEFAULT_RULES,
  maxTransitions: 5,
  maxDepth: 2,
  maxStoredEvents: 4,
  maxJobDataBytes: 1_500,
}

type Changed = Extract<Decision, { kind: 'changed' }>

/** What is out because of a job, kept by nothing but its effects. */
class Out {
  readonly ids = new Set<string>()
  readonly children = new Set<string>()
  readonly deadlines = new Map<string, number>()

  apply(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'run_step') this.ids.add(effect.stepId)
      if (effect.kind === 'offer_task') this.ids.add(effect.task.taskId)
      if (effect.kind === 'withdraw_step') expect(this.ids.delete(effect.stepId)).toBe(true)
      if (effect.kind === 'withdraw_task') expect(this.ids.delete(effect.taskId)).toBe(true)
      if (effect.kind === 'set_deadline') this.deadlines.set(effect.key, effect.at)
      if (effect.kind === 'clear_deadline') expect(this.deadlines.delete(effect.key)).toBe(true)
      if (effect.kind === 'send') this.#applyMessage(effect)
    }
  }

  childEnded(childId: string): void {
    expect(this.children.delete(childId)).toBe(true)
  }

  #applyMessage({ message }: Extract<Effect, { kind: 'send' }>): void {
    if (message.kind === 'start_child') this.children.add(message.job.id)
    if (message.kind === 'cancel_job') expect(this.children.delete(message.to)).toBe(true)
  }
}

/** Decides twice on frozen documents: the same answer, and nothing changed in place (J1). */
function decideTwice(job: Job, event: JobEvent): Decision {
  deepFreeze(job)
  deepFreeze(event)
  const decision = advance(job, event, RULES)
  expect(advance(job, event, RULES)).toEqual(decision)
  assertChange(job, decision)
  return decision
}

function deepFreeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return
  Object.freeze(value)
  for (const inner of Object.values(value)) deepFreeze(inner)
}

function checkOut(out: Out, { wait, ...job }: Job): void {
  const tasks = tasksOf(wait).filter(({ run }) => run.phase.kind !== 'backing_off')
  const awaited = wait?.for === 'step' ? [wait.stepId] : tasks.map(({ run }) => run.taskId)
  expect([...out.ids].sort()).toEqual([...awaited].sort())
  expect([...out.children]).toEqual(wait?.for === 'child' ? [wait.childId] : [])
  expect(out.deadlines.get('wait') ?? null).toBe(deadlineOf(wait))
  const ends = wait === null || job.timeoutMs === null ? null : job.createdAt + job.timeoutMs
  expect(out.deadlines.get('job') ?? null).toBe(ends)
}

/** What an event is about, for those that may count once only. */
function subjectOf(event: JobEvent, { wait }: Job): string | undefined {
  switch (event.kind) {
    case 'step_succeeded':
    case 'step_failed':
    case 'step_deferred':
      return event.stepId
    case 'task_claimed':
    case 'task_result':
    case 'task_lost':
      return `${event.kind} ${event.taskId}`
    case 'worker_event':
    case 'event_received':
      return `${event.kind} ${event.eventId}`
    case 'child_ended':
      return event.report.jobId
    case 'approval_decided':
      return wait?.for === 'approval' ? wait.approvalId : 'no approval'
    default:
      return undefined
  }
}

/** Data that a document holds by way of `admit`, each once. */
function heldBytes({ stateHistory, inbox, received, wait }: Job): number {
  const branches = wait?.for === 'branches' ? branchesIn(wait.branches) : []
  const gathered = branches.map((branch) => (branch.kind === 'done' ? branch.data : null))
  const held = [stateHistory, inbox.map(({ data }) => data), gathered]
  const brought = received?.kind === 'branches' ? received.branches.map(({ data }) => data) : []
  return Buffer.byteLength(JSON.stringify([held, brought] satisfies JsonValue))
}

type Look = (before: Job, event: JobEvent, decision: Decision) => void

function run(fields: Partial<NewJob>, plans: readonly Plan[], look: Look = () => undefined): Job {
  const world: World = { job: readyJob(fields), now: T0, oldIds: [] }
  for (const p of plans) {
    const event = eventOf(world, p)
    if (event === undefined) continue
    const before = world.job
    const decision = decideTwice(before, event)
    look(before, event, decision)
    if (decision.kind !== 'changed') continue
    world.job = decision.job
    for (const id of presentIds(before)) if (!world.oldIds.includes(id)) world.oldIds.push(id)
  }
  return world.job
}

const changes =
  (look: (before: Job, event: JobEvent, decision: Changed) => void): Look =>
  (before, event, decision) => {
    if (decision.kind === 'changed') look(before, event, decision)
  }

/** What a run of these tests must have met for them to say something. */
const EVERYTHING = [
  ...['step', 'retry', 'task', 'branches', 'approval', 'child', 'event', 'sleep'].map(
    (wait) => `wait ${wait}`,
  ),
  ...['approval', 'child', 'event', 'branches'].map((kind) => `received ${kind}`),
  ...['finished', 'failed', 'quarantined', 'cancelled'],
  ...['go_to', 'dispatch_task', 'dispatch_parallel', 'await_approval', 'run_child', 'sleep'],
  ...['wait_for_event', 'finish'],
  ...['step_succeeded', 'step_failed', 'step_deferred', 'task_claimed', 'task_progress'],
  ...['task_result', 'task_lost', 'worker_event', 'event_received', 'approval_decided'],
  ...['child_ended', 'timer_fired', 'cancel_requested', 'retry_requested', 'discard_requested'],
  ...['TOO_MANY_TRANSITIONS', 'DATA_TOO_LARGE', 'TOO_DEEP', 'CHILD_FAILED', 'UNHANDLED_STATUS'],
  ...['WORKER_LOST', 'TIMEOUT_ERROR', 'JOB_CANCELLED', 'PERMANENT_ERROR'],
]

describe('advance, over any sequence of events', () => {
  const plans = fc.array(plan, { minLength: 5, maxLength: 60, size: 'max' })
  const holds = (check: (fields: Partial<NewJob>, all: readonly Plan[]) => void): void => {
    fc.assert(fc.property(newJob, plans, check), { numRuns: 300 })
  }

  it('keeps its promises, gives the same answer twice and changes nothing in place (J1 to J8)', () => {
    holds((fields, all) => {
      run(fields, all)
    })
  })

  it('meets every wait, every action and every ending (these tests look at all of them)', () => {
    const seen = new Set<string>()
    const sample = fc.sample(fc.tuple(newJob, plans), { numRuns: 600, seed: 7 })
    for (const [fields, all] of sample) {
      run(
        fields,
        all,
        changes((_before, event, { job }) => {
          seen.add(event.kind)
          seen.add(job.wait === null ? job.status : `wait ${job.wait.for}`)
          if (event.kind === 'step_succeeded') seen.add(event.action.type)
          if (job.error !== null) seen.add(job.error.code)
          if (job.received !== null) seen.add(`received ${job.received.kind}`)
        }),
      )
    }
    expect([...seen]).toEqual(expect.arrayContaining(EVERYTHING))
  })

  it('never changes a job that has ended, but for an operator’s work in quarantine (J2, D-16)', () => {
    holds((fields, all) => {
      run(
        fields,
        all,
        changes((before, event) => {
          if (!isTerminalJobStatus(before.status)) return
          expect(before.status).toBe('quarantined')
          expect(['retry_requested', 'discard_requested']).toContain(event.kind)
        }),
      )
    })
  })

  it('has out exactly what the job waits for, by its effects alone (J3, J5, D-11)', () => {
    holds((fields, all) => {
      const out = new Out()
      const first = advance(undefined, created(fields), RULES)
      if (first.kind === 'changed') out.apply(first.effects)
      run(
        fields,
        all,
        changes((_before, event, { job, effects }) => {
          if (event.kind === 'child_ended') out.childEnded(event.report.jobId)
          out.apply(effects)
          checkOut(out, job)
        }),
      )
    })
  })

  it('is moved only by what it waits for (D-14, D-17, D-21, D-22, D-27, D-33)', () => {
    holds((fields, all) => {
      run(
        fields,
        all,
        changes((before, event) => {
          const present = presentIds(before)
          if ('stepId' in event) expect(present).toContain(event.stepId)
          if ('taskId' in event && event.taskId !== null) expect(present).toContain(event.taskId)
          if (event.kind === 'child_ended') expect(present).toContain(event.report.jobId)
          if (event.kind === 'approval_decided') {
            expect(before.wait?.for).toBe('approval')
            expect(present).toContain(event.approvalId ?? present[0])
          }
          if (event.kind !== 'timer_fired') return
          const due = event.key === 'job' ? jobDeadline(before) : deadlineOf(before.wait)
          expect(due).not.toBeNull()
          expect(due).toBeLessThanOrEqual(event.at)
        }),
      )
    })
  })

  it('takes a result only once and only from the holder of the live attempt (J4, D-13, D-14)', () => {
    holds((fields, all) => {
      const taken = new Set<string>()
      run(
        fields,
        all,
        changes((before, event) => {
          if (event.kind !== 'task_result') return
          expect(taken.has(event.taskId)).toBe(false)
          taken.add(event.taskId)
          const { workerId } = event
          const held = tasksOf(before.wait).find(({ run: { taskId } }) => taskId === event.taskId)
          expect(held?.run.phase).toMatchObject({ kind: 'claimed', workerId })
        }),
      )
    })
  })

  it('counts each step, claim, result, loss, event, decision and child once (D-13, D-17, D-21)', () => {
    holds((fields, all) => {
      const counted = new Set<string>()
      run(
        fields,
        all,
        changes((before, event) => {
          const subject = subjectOf(event, before)
          if (subject === undefined) return
          expect(counted.has(subject)).toBe(false)
          counted.add(subject)
        }),
      )
    })
  })

  it('answers the same event twice in a row alike, and changes nothing the second time (D-13)', () => {
    holds((fields, all) => {
      run(
        fields,
        all,
        changes((before, event, first) => {
          if (subjectOf(event, before) === undefined) return
          const again = decideTwice(first.job, event)
          expect(again.kind).not.toBe('changed')
          if (event.kind === 'task_result') {
            expect(again).toEqual({ kind: 'repeated', answer: first.answer })
          }
          if (event.kind === 'event_received' || event.kind === 'worker_event') {
            expect(again).toEqual({ kind: 'repeated' })
          }
        }),
      )
    })
  })

  it('makes documents and effects that survive JSON', () => {
    holds((fields, all) => {
      run(
        fields,
        all,
        changes((_before, _event, decision) => {
          expect(JSON.parse(JSON.stringify(decision))).toStrictEqual(decision)
        }),
      )
    })
  })

  it('lets a live job always be cancelled (D-16)', () => {
    holds((fields, all) => {
      run(fields, all, (before, event) => {
        const decision = decideTwice(before, cancelRequested(event.at))
        if (isTerminalJobStatus(before.status)) {
          expect(decision).toEqual({ kind: 'ignored', reason: 'job_already_terminated' })
        } else {
          expect(decision).toMatchObject({ kind: 'changed', job: { status: 'cancelled' } })
        }
      })
    })
  })

  it('ends a live job at its deadline, wherever it is (D-37)', () => {
    holds((fields, all) => {
      run({ ...fields, timeoutMs: 8_000 }, all, (before) => {
        if (isTerminalJobStatus(before.status) || before.timeoutMs === null) return
        const event = { kind: 'timer_fired', at: T0 + 8_000, key: 'job', chance: 0 } as const
        const ended = { status: 'failed', error: { code: 'TIMEOUT_ERROR' } }
        expect(decideTwice(before, event)).toMatchObject({ kind: 'changed', job: ended })
      })
    })
  })

  it('keeps its data and its lists bounded', () => {
    // Notes of children and errors are not data of peers; there is one for each transition at most.
    const notes = 200 * (RULES.maxTransitions + 1)
    holds((fields, all) => {
      run(
        fields,
        all,
        changes((_before, _event, { job }) => {
          expect(heldBytes(job)).toBeLessThanOrEqual(RULES.maxJobDataBytes + notes)
          expect(job.dataBytes).toBeLessThanOrEqual(RULES.maxJobDataBytes + notes)
          expect(job.inbox.length).toBeLessThanOrEqual(RULES.maxStoredEvents)
          expect(job.answers.length).toBeLessThanOrEqual(8)
          expect(job.transitionCount).toBeLessThanOrEqual(RULES.maxTransitions + 1)
        }),
      )
    })
  })

  it('names each history row and message once, and each end once (J6, J7, D-17, D-31)', () => {
    holds((fields, all) => {
      const ids: string[] = []
      const life: string[] = []
      const job = run(
        fields,
        all,
        changes((_before, _event, { effects }) => {
          for (const effect of effects) {
            if (effect.kind === 'send') ids.push(effect.message.messageId)
            if (effect.kind !== 'record') continue
            ids.push(effect.record.eventId)
            if (effect.record.type.startsWith('job_')) life.push(effect.record.type)
          }
        }),
      )
      expect(new Set(ids).size).toBe(ids.length)
      // Quarantined and retried any number of times, then one end; a discard is no second end.
      const told = life.join(' ')
      const open = /^(job_quarantined job_retried ?)*$/
      const ended =
        /^(job_quarantined job_retried )*(job_(finished|failed|cancelled|quarantined)|job_quarantined job_discarded)$/
      expect(told).toMatch(isTerminalJobStatus(job.status) ? ended : open)
    })
  })

  it('brings any job to its end by nothing but time, if it waits for nobody (J3, D-9)', () => {
    holds((fields, all) => {
      let job = run(fields, all)
      let now = T0 + 1e6
      // Whatever is ready fails; whatever has a deadline meets it.
      for (let n = 0; n < 300 && job.wait !== null; n += 1) {
        now += 1e6
        if (job.wait.for !== 'step' && deadlineOf(job.wait) === null) break
        const event: JobEvent =
          job.wait.for === 'step'
            ? {
                kind: 'step_failed',
                at: now,
                stepId: job.wait.stepId,
                error: { code: 'E', message: 'm' },
                then: 'retry',
                chance: 0,
              }
            : { kind: 'timer_fired', at: now, key: 'wait', chance: 0 }
        const decision = decideTwice(job, event)
        expect(decision.kind).toBe('changed')
        if (decision.kind === 'changed') job = decision.job
      }
      if (job.wait === null) return
      // No deadline was asked for: a worker, a person, a child or an event must come.
      expect(['task', 'branches', 'approval', 'child', 'event']).toContain(job.wait.for)
      expect(deadlineOf(job.wait)).toBeNull()
    })
  })
})
