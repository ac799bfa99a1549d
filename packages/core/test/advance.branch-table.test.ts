/** Thousands of branches: what the table answers is what a plain list would, at the price of one leaf. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  branchAt,
  branchesApart,
  branchesIn,
  branchesWhere,
  changeBranches,
  tableOf,
  tallyOf,
  withBranch,
} from '../src/job/branch-table.ts'
import type { JobEvent } from '../src/job/event.ts'
import type { Job } from '../src/job/job.ts'
import { find } from '../src/job/on-task.ts'
import type { Branch, TaskRun } from '../src/job/task.ts'
import { taskDeadline } from '../src/job/task-deadline.ts'
import { tasksOf } from '../src/job/wait.ts'
import { T0 } from '../src/testing/index.ts'
import {
  afterBy,
  aggregated,
  change,
  decide,
  ERROR,
  fanOut,
  RULES,
  taskClaimed,
  taskLost,
  taskResult,
  timerFired,
  waitingJob,
} from './support/jobs.ts'

const KINDS = ['waiting', 'offered', 'claimed', 'backing_off', 'done', 'failed'] as const
type Kind = (typeof KINDS)[number]

function branch(index: number, kind: Kind, at: number | null): Branch {
  const name = String(index)
  const taskId = `task-j-${String(index + 2)}-1`
  const spec = {} as TaskRun['spec']
  switch (kind) {
    case 'waiting':
      return { kind, name, index, spec }
    case 'done':
    case 'failed': {
      const status = kind === 'done' ? 'success' : 'failure'
      return { kind: 'done', name, index, taskId, status, data: null, error: null }
    }
    default: {
      const common = { attempt: 1, retries: 0, spec, dispatchedAt: T0, resultDeadlineAt: null }
      const phase = phaseOf(kind, at)
      return { kind: 'out', name, index, run: { taskId, ...common, phase, avoid: null } }
    }
  }
}

function phaseOf(kind: 'offered' | 'claimed' | 'backing_off', at: number | null): TaskRun['phase'] {
  if (kind === 'offered') return { kind, dispatchDeadlineAt: at }
  if (kind === 'backing_off') return { kind, until: at ?? 0 }
  return { kind, workerId: 'w', claimedAt: T0, deadlineAt: at ?? 0 }
}

const kinds = fc.constantFrom(...KINDS)
const moments = fc.option(fc.integer({ min: 0, max: 1_000 }))
const branches = fc
  .array(fc.tuple(kinds, moments), { maxLength: 200 })
  .map((all) => all.map(([kind, at], index) => branch(index, kind, at)))
const changes = fc.array(fc.tuple(fc.nat(300), kinds, moments), { maxLength: 20 })

function tallyOfList(list: readonly Branch[]): object {
  const runs = list.flatMap((each) => (each.kind === 'out' ? [each.run] : []))
  const dues = runs.map(taskDeadline).filter((at) => at !== null)
  const done = list.filter(({ kind }) => kind === 'done')
  return {
    total: list.length,
    waiting: list.filter(({ kind }) => kind === 'waiting').length,
    out: runs.length,
    claimed: runs.filter(({ phase }) => phase.kind === 'claimed').length,
    done: done.length,
    failed: done.filter((each) => 'status' in each && each.status === 'failure').length,
    dueAt: dues.length === 0 ? null : Math.min(...dues),
  }
}

describe('a table of branches', () => {
  it('holds, finds and counts what a list would after any changes', () => {
    fc.assert(
      fc.property(branches, changes, (given, plan) => {
        let list: readonly Branch[] = given
        let table = tableOf(list)
        for (const [index, kind, at] of plan) {
          if (index >= list.length) continue
          const next = branch(index, kind, at)
          list = list.with(index, next)
          table = withBranch(table, next)
          expect(tallyOf(table)).toEqual(tallyOfList(list))
        }
        expect(branchesIn(table)).toEqual(list)
        for (const index of [-65, -1, ...list.keys(), list.length, 300, Number.NaN]) {
          expect(branchAt(table, index)).toBe(list[index])
        }
      }),
    )
  })

  it('tells what is not the same in another, and nothing else', () => {
    fc.assert(
      fc.property(branches, changes, (given, plan) => {
        const before = tableOf(given)
        const after = plan
          .filter(([index]) => index < given.length)
          .reduce((table, [index, kind, at]) => withBranch(table, branch(index, kind, at)), before)
        const changed = branchesIn(after).filter((each, i) => each !== given[i])
        expect(branchesApart(after, before)).toEqual(changed)
        expect(branchesApart(before, after)).toEqual(changed.map(({ index }) => given[index]))
        expect(branchesApart(after, [])).toEqual(branchesIn(after))
      }),
    )
  })

  it('keeps the leaves in which nothing changes', () => {
    const table = tableOf(Array.from({ length: 10_000 }, (_, n) => branch(n, 'offered', null)))
    const shared = (next: typeof table): number =>
      next.filter((leaf, i) => leaf === table[i]).length
    expect(shared(withBranch(table, branch(7_000, 'done', null)))).toBe(table.length - 1)
    const all = (): boolean => true
    const oneOf = (each: Branch): Branch => (each.index === 9_999 ? { ...each, name: 'x' } : each)
    expect(shared(changeBranches(table, all, oneOf))).toBe(table.length - 1)
    const first = ({ total }: { readonly total: number }): boolean => total < 64
    expect(branchesWhere(table, first).map(({ index }) => index)).toEqual(
      Array.from({ length: 10_000 % 64 }, (_, n) => 10_000 - (10_000 % 64) + n),
    )
  })
})

/** What happens to one branch: it is claimed, lost, late, failed or done, whatever fits. */
const plans = fc.record({
  count: fc.integer({ min: 60, max: 140 }),
  concurrency: fc.option(fc.integer({ min: 1, max: 140 })),
  steps: fc.array(fc.tuple(fc.nat(), fc.nat(9)), { minLength: 50, maxLength: 400 }),
})

function eventFor(job: Job, { taskId, phase }: TaskRun, dice: number): JobEvent {
  const at = job.updatedAt + 1
  if (dice === 0) return timerFired(job.updatedAt + 20_000)
  if (phase.kind !== 'claimed') return taskClaimed(taskId, 'w', at)
  if (dice === 1) return taskLost(taskId, at)
  const failed = { kind: 'failed', error: ERROR, data: {} } as const
  const completed = { kind: 'completed', status: 'success', data: { of: taskId } } as const
  return taskResult(taskId, dice === 2 ? failed : completed, { at })
}

describe('a fan-out over several leaves', () => {
  it('keeps every promise, and finds each task by its id', () => {
    fc.assert(
      fc.property(plans, ({ count, concurrency, steps }) => {
        const names = Array.from({ length: count }, (_, n) => String(n))
        const tasks = Object.fromEntries(names.map((name) => [`b${name}`, {}]))
        let job = waitingJob(fanOut(tasks, { concurrency }))
        for (const [pick, dice] of steps) {
          const out = tasksOf(job.wait)
          const run = out[pick % Math.max(1, out.length)]?.run
          if (run === undefined) break
          const decision = decide(job, eventFor(job, run, dice))
          if (decision.kind === 'changed') ({ job } = decision)
          for (const each of tasksOf(job.wait)) expect(find(job, each.run.taskId)).toEqual(each)
        }
      }),
      { numRuns: 30 },
    )
  })

  it('knows the answer to a result that comes twice, during the wait and after it', () => {
    const names = Array.from({ length: 130 }, (_, n) => [`b${String(n)}`, {}] as const)
    let job = waitingJob(fanOut(Object.fromEntries(names)))
    const ids = tasksOf(job.wait).map(({ run }) => run.taskId)
    const result = (id: string): JobEvent =>
      taskResult(id, { kind: 'completed', status: 'success', data: { id } })
    const known = { transition: 'parallel_branch_accepted' }
    for (const id of ids) {
      job = afterBy(RULES, job, taskClaimed(id))
      job = change(job, result(id)).job
      expect(decide(job, result(ids[0] ?? ''))).toMatchObject({ kind: 'repeated', answer: known })
    }
    expect(aggregated(job).map(({ data }) => data)).toEqual(ids.map((id) => ({ id })))
    for (const id of ids) expect(decide(job, result(id))).toMatchObject({ kind: 'repeated' })
    const strange = result('task-j-1-1')
    expect(decide(job, strange)).toEqual({ kind: 'ignored', reason: 'stale_task' })
  })
})
