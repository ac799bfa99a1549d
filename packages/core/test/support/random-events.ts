/** Random events for a job: mostly about what it waits for now, sometimes stale, doubled or forged. */
import type { JsonObject } from '@avtomatika/protocol'
import fc from 'fast-check'
import type { Action, JobEvent, NewJob, Remarks, TaskOutcome } from '../../src/job/event.ts'
import type { Job } from '../../src/job/job.ts'
import type { TaskSpec } from '../../src/job/task.ts'
import type { Target, Transitions } from '../../src/job/vocabulary.ts'
import type { Approval, ChildReport } from '../../src/job/wait.ts'
import { deadlineOf, tasksOf } from '../../src/job/wait.ts'
import { EVENT_KINDS, TASK } from './jobs.ts'

const literal = <const Value extends string>(value: Value): fc.Arbitrary<Value> =>
  fc.constant(value)
const ms = fc.option(fc.integer({ min: 1, max: 3_000 }), { nil: null })
const target: fc.Arbitrary<Target> = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom({ state: 'a' }, { state: 'b' }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Target>(
      { state: 'x', end: 'finished' },
      { state: 'y', end: 'failed' },
    ),
  },
)
const maybeTarget = fc.option(target, { nil: null })
/** Most of the time there is a way on for the first key, so that jobs live on. */
const routes = (first: string, ...more: readonly string[]): fc.Arbitrary<Transitions> => {
  const some = fc.dictionary(fc.constantFrom(first, ...more), target, { noNullPrototype: true })
  const most = fc.tuple(some, target).map(([rest, way]) => ({ ...rest, [first]: way }))
  return fc.oneof({ weight: 4, arbitrary: most }, { weight: 1, arbitrary: some })
}
const name = fc.constantFrom('paid', 'shipped')
const data: fc.Arbitrary<JsonObject> = fc.oneof(
  fc.constantFrom<JsonObject>({}, { k: 1 }, { k: 2 }, { out: [1, { deep: null }] }),
  fc.constantFrom(10, 300, 700).map((size) => ({ [`t${String(size)}`]: 'ü'.repeat(size / 2) })),
  fc.constantFrom<JsonObject>({ text: '' }, JSON.parse('{"__proto__":{"a":1}}') as JsonObject),
)
const task: fc.Arbitrary<TaskSpec> = fc
  .record({
    dispatchTimeoutMs: ms,
    resultTimeoutMs: ms,
    executionTimeoutMs: fc.integer({ min: 1, max: 3_000 }),
    retry: fc.constantFrom(null, {
      maxRetries: 0,
      backoff: { initialMs: 10, factor: 2, maxMs: 100, jitter: 1 },
    }),
  })
  .map((limits) => ({ ...TASK, ...limits }))

const dispatchTask: fc.Arbitrary<Action> = fc.record({
  type: literal('dispatch_task'),
  task,
  transitions: routes('success', 'failure', 'cancelled'),
  eventTransitions: routes('half_way'),
  onFailure: fc.constantFrom('end' as const, 'end' as const, 'transition' as const),
})
const dispatchParallel: fc.Arbitrary<Action> = fc
  .record({
    type: literal('dispatch_parallel'),
    specs: fc.array(task, { maxLength: 4 }),
    aggregateInto: target,
    concurrency: fc.constantFrom(null, null, 1, 2),
    failFast: fc.boolean(),
  })
  .map(({ specs, ...rest }) => ({
    ...rest,
    tasks: specs.map((spec, n) => ({ name: `branch-${String(n)}`, spec })),
  }))
const awaitApproval: fc.Arbitrary<Action> = fc.record({
  type: literal('await_approval'),
  integration: fc.constant('telegram'),
  message: fc.constant('Go on?'),
  transitions: routes('approved', 'rejected'),
  timeoutMs: ms,
  onTimeout: maybeTarget,
})
const runChild: fc.Arbitrary<Action> = fc.record({
  type: literal('run_child'),
  transitions: routes('success', 'failure', 'cancelled', 'quarantined'),
  child: fc.record({
    blueprint: fc.constant({ name: 'invoice', version: null, hash: 'h2' }),
    start: fc.constant({ state: 'begin' }),
    initialData: data,
    dispatchTimeoutMs: ms,
    resultTimeoutMs: ms,
    timeoutMs: ms,
  }),
})
const sleep: fc.Arbitrary<Action> = fc.record({
  type: literal('sleep'),
  until: fc.oneof(
    fc.record({ ms: fc.integer({ min: 0, max: 3_000 }) }),
    fc.record({ at: fc.constantFrom(0, 1_767_225_601_000) }),
  ),
  next: target,
})
const waitForEvent: fc.Arbitrary<Action> = fc.record({
  type: literal('wait_for_event'),
  name,
  match: fc.constantFrom(null, null, { k: 1 }),
  timeoutMs: ms,
  received: target,
  timeout: maybeTarget,
})
const finish: fc.Arbitrary<Action> = fc.record(
  {
    type: literal('finish'),
    outcome: fc.constantFrom('finished' as const, 'failed' as const),
    result: fc.constantFrom(null, false, { n: 1 }),
  },
  { requiredKeys: ['type', 'outcome'] },
)
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: literal('go_to'), target }) },
  { weight: 8, arbitrary: dispatchTask },
  { weight: 8, arbitrary: dispatchParallel },
  { weight: 4, arbitrary: awaitApproval },
  { weight: 4, arbitrary: runChild },
  { weight: 3, arbitrary: sleep },
  { weight: 4, arbitrary: waitForEvent },
  { weight: 1, arbitrary: finish },
)
const remarks: fc.Arbitrary<Remarks> = fc.record({
  updates: fc.oneof({ weight: 5, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: data }),
  sent: fc.array(fc.record({ name, data, to: fc.constantFrom(null, 'job-2') }), { maxLength: 2 }),
})

const code = fc.constantFrom(
  'TRANSIENT_ERROR',
  'TRANSIENT_ERROR',
  'PERMANENT_ERROR',
  'INVALID_INPUT_ERROR',
  'NEW_ERROR',
)
const outcome: fc.Arbitrary<TaskOutcome> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: literal('completed'),
      status: fc.constantFrom(
        'success',
        'success',
        'success',
        'strange',
        'constructor',
        '__proto__',
      ),
      data,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: literal('failed'),
      error: fc.option(
        code.map((c) => ({ code: c, message: 'm' })),
        { nil: null },
      ),
      data,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<TaskOutcome>({ kind: 'cancelled' }, { kind: 'handed_back' }),
  },
)
const approval: fc.Arbitrary<Omit<Approval, 'decidedAt'>> = fc.record({
  decision: fc.constantFrom('approved', 'approved', 'rejected', 'constructor'),
  actor: fc.constantFrom(null, 'ann'),
  comment: fc.constant(null),
  data: fc.option(data, { nil: null }),
})
const report: fc.Arbitrary<Omit<ChildReport, 'jobId'>> = fc.oneof(
  fc.record({
    outcome: literal('success'),
    status: fc.constant('finished'),
    finalState: fc.constant('sent'),
    result: data,
    error: fc.constant(null),
  }),
  fc.record({
    outcome: literal('failure'),
    status: fc.constantFrom('failed', 'quarantined', 'cancelled'),
    finalState: fc.constant('begin'),
    result: fc.constant(null),
    error: fc.constantFrom(null, { code: 'E', message: 'm' }),
  }),
)

type Kind = (typeof EVENT_KINDS)[number]

const TASK_KINDS: readonly Kind[] = [
  'task_claimed',
  'task_result',
  'task_claimed',
  'task_result',
  'task_claimed',
  'task_result',
  'task_lost',
  'worker_event',
  'timer_fired',
]
/** What can move a job that waits so. */
const FITTING: Readonly<Record<NonNullable<Job['wait']>['for'], readonly Kind[]>> = {
  step: ['step_succeeded', 'step_succeeded', 'step_succeeded', 'step_failed'],
  retry: ['timer_fired'],
  sleep: ['timer_fired'],
  task: TASK_KINDS,
  branches: TASK_KINDS,
  approval: ['approval_decided', 'approval_decided', 'timer_fired'],
  child: ['child_ended'],
  event: ['event_received', 'event_received', 'timer_fired'],
}

/** How to make an event out of the job at hand; `aim` picks a present id, an old one or a forged one. */
export const plan = fc.record({
  kind: fc.constantFrom(...EVENT_KINDS),
  /** Most of the time something happens that can: the kind is then one that fits the wait. */
  fits: fc.constantFrom(true, true, true, false),
  aim: fc.constantFrom('present', 'present', 'present', 'present', 'old', 'forged'),
  /** Which of several tasks. */
  pick: fc.nat({ max: 71 }),
  workerId: fc.constantFrom('w1', 'w1', 'w1', 'w1', 'w1', 'w1', 'w2', 'w3'),
  passMs: fc.constantFrom(0, 0, 1, 100, 700, 2_500),
  chance: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  then: fc.constantFrom('retry' as const, 'retry' as const, 'retry' as const, 'fail' as const),
  action,
  remarks,
  outcome,
  approval,
  report,
  eventId: fc.constantFrom('e1', 'e2', 'e3', 'e4', 'e5', 'e6', 'e7', 'e8'),
  name,
  data,
  // Cancelling ends a job at once; most of the time something else shall happen.
  really: fc.constantFrom(true, false, false, false),
})
export type Plan = typeof plan extends fc.Arbitrary<infer P> ? P : never

/** Jobs of clients and children of other jobs, with and without limits. */
export const newJob: fc.Arbitrary<Partial<NewJob>> = fc.record({
  dispatchTimeoutMs: fc.constantFrom(null, null, 2_000),
  resultTimeoutMs: fc.constantFrom(null, null, 5_000),
  timeoutMs: fc.constantFrom(null, null, 8_000),
  webhookUrl: fc.constantFrom(null, 'https://client.test/hook'),
  parentId: fc.constantFrom(null, 'p'),
  depth: fc.constantFrom(0, 0, 2),
})

export interface World {
  job: Job
  now: number
  readonly oldIds: string[]
}

/** The ids of everything that the job waits for at present. */
export function presentIds({ wait }: Job): readonly string[] {
  switch (wait?.for) {
    case 'step':
      return [wait.stepId]
    case 'task':
    case 'branches':
      return tasksOf(wait).map(({ run }) => run.taskId)
    case 'approval':
      return [wait.approvalId]
    case 'child':
      return [wait.childId]
    default:
      return []
  }
}

function idFor(world: World, { aim, pick }: Plan): string {
  if (aim === 'forged') return 'task-other-1-1'
  const ids = aim === 'old' ? world.oldIds.slice(-8) : presentIds(world.job)
  return ids[(pick >> 3) % Math.max(1, ids.length)] ?? world.oldIds.at(-1) ?? 'none'
}

function kindFor({ job }: World, { fits, kind, pick }: Plan): Kind {
  if (!fits) return kind
  if (job.wait === null) return pick % 3 === 0 ? 'discard_requested' : 'retry_requested'
  const fitting = FITTING[job.wait.for]
  return fitting[pick % fitting.length] ?? kind
}

/** Time passes, and up to the deadline when it is a timer's turn. */
function pass(world: World, kind: Kind, { passMs, fits }: Plan): number {
  const due = kind === 'timer_fired' && fits ? deadlineOf(world.job.wait) : null
  world.now = Math.max(world.now + passMs, due ?? 0)
  return world.now
}

export function eventOf(world: World, p: Plan): JobEvent | undefined {
  const kind = kindFor(world, p)
  const [at, id] = [pass(world, kind, p), idFor(world, p)]
  const { workerId, chance, really } = p
  const error = { code: 'E', message: 'm' }
  switch (kind) {
    case 'step_succeeded':
      return { kind, at, stepId: id, action: p.action, remarks: p.remarks }
    case 'step_failed':
      return { kind, at, stepId: id, error, then: p.then, chance }
    case 'step_deferred':
      return { kind, at, stepId: id, reason: error, until: at + 100 }
    case 'task_claimed':
      return { kind, at, taskId: id, workerId }
    case 'task_progress': {
      const taskId = really ? null : id
      return { kind, at, taskId, workerId, progress: chance, message: null }
    }
    case 'task_result':
      return { kind, at, taskId: id, workerId, outcome: p.outcome, chance }
    case 'task_lost':
      return { kind, at, taskId: id }
    case 'worker_event': {
      const taskId = really ? null : id
      const eventId = `w-${p.eventId}`
      return { kind, at, taskId, workerId, eventId, type: 'half_way', payload: p.data }
    }
    case 'event_received':
      return { kind, at, eventId: p.eventId, name: p.name, data: p.data }
    case 'approval_decided':
      return { kind, at, approvalId: really ? null : id, approval: p.approval }
    case 'child_ended':
      return { kind, at, report: { ...p.report, jobId: id } }
    case 'timer_fired':
      return {
        kind,
        at,
        key: really && !p.fits ? 'job' : 'wait',
        chance,
        reasons: { [id]: 'all are busy' },
      }
    case 'cancel_requested':
      return really ? { kind, at, reason: 'No longer wanted.' } : undefined
    case 'retry_requested':
      return { kind, at, data: really ? p.data : null }
    case 'discard_requested':
      return { kind, at }
  }
}
