/** Random events for a job: mostly about what it waits for now, sometimes stale or forged. */
import fc from 'fast-check'
import type { Action, JobEvent, TaskOutcome } from '../../src/job/event.ts'
import type { Job } from '../../src/job/job.ts'
import { TASK } from './jobs.ts'

const ms = fc.option(fc.integer({ min: 1, max: 3_000 }), { nil: null })
const target = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom({ state: 'a' }, { state: 'b' }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      { state: 'x', end: 'finished' as const },
      { state: 'y', end: 'failed' as const },
    ),
  },
)
const transitions = fc.dictionary(fc.constantFrom('success', 'failure', 'cancelled'), target, {
  noNullPrototype: true,
})
const task = fc
  .record({
    dispatchTimeoutMs: ms,
    resultTimeoutMs: ms,
    executionTimeoutMs: fc.integer({ min: 1, max: 3_000 }),
  })
  .map((limits) => ({ ...TASK, ...limits }))
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ type: fc.constant('go_to' as const), target }) },
  {
    weight: 5,
    arbitrary: fc.record({ type: fc.constant('dispatch_task' as const), task, transitions }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('finish' as const),
      outcome: fc.constantFrom('finished' as const, 'failed' as const),
    }),
  },
)
const code = fc.constantFrom(
  'TRANSIENT_ERROR',
  'TRANSIENT_ERROR',
  'PERMANENT_ERROR',
  'INVALID_INPUT_ERROR',
  'NEW_ERROR',
)
const outcome: fc.Arbitrary<TaskOutcome> = fc.oneof(
  fc.record({
    kind: fc.constant('completed' as const),
    status: fc.constantFrom('success', 'success', 'strange', 'constructor', '__proto__'),
    data: fc.constant({ out: 1 }),
  }),
  fc.record({
    kind: fc.constant('failed' as const),
    error: fc.option(
      code.map((c) => ({ code: c, message: 'm' })),
      { nil: null },
    ),
    data: fc.constant({}),
  }),
  fc.constantFrom<TaskOutcome>({ kind: 'cancelled' }, { kind: 'handed_back' }),
)

/** How to make an event out of the job at hand; `aim` picks the present id, an old one or a forged one. */
export const plan = fc.record({
  kind: fc.constantFrom(
    ...([
      'step_succeeded',
      'step_succeeded',
      'step_failed',
      'step_deferred',
      'task_claimed',
    ] as const),
    ...(['task_claimed', 'task_progress', 'task_result', 'task_result', 'task_lost'] as const),
    ...(['timer_fired', 'timer_fired', 'cancel_requested'] as const),
  ),
  aim: fc.constantFrom('present', 'present', 'present', 'present', 'old', 'forged'),
  workerId: fc.constantFrom('w1', 'w1', 'w1', 'w2', 'w3'),
  passMs: fc.constantFrom(0, 0, 1, 100, 700, 2_500),
  chance: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  then: fc.constantFrom('retry' as const, 'retry' as const, 'fail' as const),
  action,
  outcome,
  // Cancelling ends a job at once; most of the time something else shall happen.
  really: fc.constantFrom(true, false, false, false),
})
export type Plan = typeof plan extends fc.Arbitrary<infer P> ? P : never

export interface World {
  job: Job
  now: number
  readonly oldIds: string[]
}

export function idFor(world: World, { aim }: Plan): string {
  const wait = world.job.wait
  if (aim === 'forged') return 'task-other-1-1'
  if (aim === 'old') return world.oldIds.at(-2) ?? 'none'
  if (wait?.for === 'step') return wait.stepId
  return wait?.for === 'task' ? wait.taskId : (world.oldIds.at(-1) ?? 'none')
}

export function eventOf(world: World, p: Plan): JobEvent | undefined {
  world.now += p.passMs
  const [at, id] = [world.now, idFor(world, p)]
  const { workerId, chance, then, action, outcome } = p
  const error = { code: 'E', message: 'm' }
  switch (p.kind) {
    case 'step_succeeded':
      return { kind: p.kind, at, stepId: id, action }
    case 'step_failed':
      return { kind: p.kind, at, stepId: id, error, then, chance }
    case 'step_deferred':
      return { kind: p.kind, at, stepId: id, reason: error, until: at + 100 }
    case 'task_claimed':
      return { kind: p.kind, at, taskId: id, workerId }
    case 'task_progress':
      return {
        kind: p.kind,
        at,
        taskId: p.really ? null : id,
        workerId,
        progress: chance,
        message: null,
      }
    case 'task_result':
      return { kind: p.kind, at, taskId: id, workerId, outcome, chance }
    case 'task_lost':
      return { kind: p.kind, at, taskId: id }
    case 'timer_fired':
      return { kind: p.kind, at, key: 'wait', chance }
    case 'cancel_requested':
      return p.really ? { kind: p.kind, at } : undefined
  }
}
