/** Any sequence of events, sensible, stale or forged, keeps the promises of `advance`. */
import { isTerminalJobStatus } from '@avtomatika/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { advance } from '../src/job/advance.ts'
import type { Decision } from '../src/job/decision.ts'
import type { Effect } from '../src/job/effect.ts'
import type { JobEvent } from '../src/job/event.ts'
import { assertChange } from '../src/job/invariants.ts'
import type { Job } from '../src/job/job.ts'
import { deadlineOf } from '../src/job/on-timer.ts'
import { DEFAULT_RULES, type Rules } from '../src/job/rules.ts'
import { T0 } from '../src/testing/index.ts'
import { created, readyJob } from './support/jobs.ts'
import { eventOf, idFor, plan, type Plan, type World } from './support/random-events.ts'

const RULES: Rules = { ...DEFAULT_RULES, maxTransitions: 6 }

/** What is out because of a job, kept by nothing but its effects. */
class Out {
  readonly ids = new Set<string>()
  deadline: number | null = null

  apply(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'run_step') this.ids.add(effect.stepId)
      if (effect.kind === 'offer_task') this.ids.add(effect.task.taskId)
      if (effect.kind === 'withdraw_step') expect(this.ids.delete(effect.stepId)).toBe(true)
      if (effect.kind === 'withdraw_task') expect(this.ids.delete(effect.taskId)).toBe(true)
      if (effect.kind === 'set_deadline') this.deadline = effect.at
      if (effect.kind === 'clear_deadline') this.deadline = null
    }
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

function checkOut(out: Out, job: Job): void {
  const wait = job.wait
  const awaited =
    wait?.for === 'step'
      ? [wait.stepId]
      : wait?.for === 'task' && wait.phase.kind !== 'backing_off'
        ? [wait.taskId]
        : []
  expect([...out.ids]).toEqual(awaited)
  if (wait === null || wait.for === 'step') expect(out.deadline).toBeNull()
  if (wait?.for === 'retry') expect(out.deadline).toBe(wait.until)
}

describe('advance, over any sequence of events', () => {
  const run = (
    plans: readonly Plan[],
    look: (before: Job, event: JobEvent, decision: Decision) => void,
  ): Job => {
    const world: World = { job: readyJob(), now: T0, oldIds: [] }
    for (const p of plans) {
      const event = eventOf(world, p)
      if (event === undefined) continue
      const before = world.job
      const present = idFor(world, { ...p, aim: 'present' })
      const decision = decideTwice(before, event)
      look(before, event, decision)
      if (decision.kind !== 'changed') continue
      world.job = decision.job
      if (world.oldIds.at(-1) !== present) world.oldIds.push(present)
    }
    return world.job
  }
  const plans = fc.array(plan, { minLength: 5, maxLength: 40, size: 'max' })
  const numRuns = 400

  it('keeps its promises, gives the same answer twice and changes nothing in place (J1 to J8)', () => {
    fc.assert(
      fc.property(plans, (all) => {
        run(all, () => undefined)
      }),
      { numRuns },
    )
  })

  it('never changes a job that has ended (J2, D-16)', () => {
    fc.assert(
      fc.property(plans, (all) => {
        run(all, (before, _event, decision) => {
          if (isTerminalJobStatus(before.status)) expect(decision.kind).not.toBe('changed')
        })
      }),
      { numRuns },
    )
  })

  it('has out exactly what the job waits for, by its effects alone (J3, J5, D-11)', () => {
    fc.assert(
      fc.property(plans, (all) => {
        const out = new Out()
        const first = advance(undefined, created(), RULES)
        if (first.kind === 'changed') out.apply(first.effects)
        run(all, (_before, _event, decision) => {
          if (decision.kind !== 'changed') return
          out.apply(decision.effects)
          checkOut(out, decision.job)
        })
      }),
      { numRuns },
    )
  })

  it('is moved only by the step, task or deadline that it waits for (D-14, D-21, D-22, D-27)', () => {
    fc.assert(
      fc.property(plans, (all) => {
        run(all, ({ wait }, event, decision) => {
          if (decision.kind !== 'changed') return
          if ('stepId' in event) expect(wait).toMatchObject({ stepId: event.stepId })
          if ('taskId' in event && event.taskId !== null) {
            expect(wait).toMatchObject({ taskId: event.taskId })
          }
          if (event.kind === 'timer_fired') {
            expect(wait === null ? null : deadlineOf(wait)).toBeLessThanOrEqual(event.at)
          }
        })
      }),
      { numRuns },
    )
  })

  it('takes a result only once and only from the holder of the live attempt (J4, D-13, D-14)', () => {
    fc.assert(
      fc.property(plans, (all) => {
        const taken = new Set<string>()
        run(all, (before, event, decision) => {
          if (event.kind !== 'task_result' || decision.kind !== 'changed') return
          expect(taken.has(event.taskId)).toBe(false)
          taken.add(event.taskId)
          const { workerId } = event
          const holder = { for: 'task', taskId: event.taskId, phase: { kind: 'claimed', workerId } }
          expect(before.wait).toMatchObject(holder)
        })
      }),
      { numRuns },
    )
  })

  it('names each history row once, and each job’s end once (J6, D-31)', () => {
    fc.assert(
      fc.property(plans, (all) => {
        const ids: string[] = []
        const ends: string[] = []
        const job = run(all, (_before, _event, decision) => {
          if (decision.kind !== 'changed') return
          for (const effect of decision.effects) {
            if (effect.kind !== 'record') continue
            ids.push(effect.record.eventId)
            if (effect.record.type.startsWith('job_')) ends.push(effect.record.type)
          }
        })
        expect(new Set(ids).size).toBe(ids.length)
        expect(ends).toEqual(isTerminalJobStatus(job.status) ? [`job_${job.status}`] : [])
      }),
      { numRuns },
    )
  })

  it('brings any job to its end by nothing but time (J3, D-9)', () => {
    fc.assert(
      fc.property(plans, (all) => {
        let job = run(all, () => undefined)
        let now = T0 + 1e6
        // Whatever is ready fails, whatever is offered or pausing waits for its deadline.
        for (let n = 0; n < 50 && job.wait !== null; n += 1) {
          now += 1e6
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
          if (decision.kind !== 'changed') break
          job = decision.job
        }
        const waitsForEver = job.wait?.for === 'task' && job.wait.phase.kind === 'offered'
        expect(isTerminalJobStatus(job.status) || waitsForEver).toBe(true)
      }),
      { numRuns },
    )
  })
})
