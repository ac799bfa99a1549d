/** What a decision costs: `advance` alone, on documents of a known size, without any I/O. */
import { advance } from '../../packages/core/src/job/advance.ts'
import type { JobEvent } from '../../packages/core/src/job/event.ts'
import type { Job } from '../../packages/core/src/job/job.ts'
import { DEFAULT_RULES } from '../../packages/core/src/job/rules.ts'
import { percentile } from './percentile.ts'

export interface AdvanceFigures {
  /** Size of the document as JSON. */
  readonly bytes: number
  readonly p50Us: number
  readonly p99Us: number
}

const OWNER = { clientId: 'bench', plan: null, params: {} }
const TARGET = { state: 'next' }
const ROUNDS = 20_000
/** What an event of one of them costs must not depend on how many there are. */
const BRANCHES = [100, 1_000, 10_000]

export function advanceScenario(): Readonly<Record<string, AdvanceFigures>> {
  const created = first()
  const data = { blob: filler(9_000) }
  const waiting = claimed(dispatched({ ...created, stateHistory: data }))
  const results = BRANCHES.map((count) => {
    const fanned = claimed(fannedOut({ ...created, stateHistory: data }, count))
    return [`result of one branch of ${String(count)}`, measure(fanned, resultOf(fanned))] as const
  })
  return {
    'result of a task, 10 kB': measure(waiting, resultOf(waiting)),
    'progress, 10 kB': measure(waiting, progressOf(waiting)),
    ...Object.fromEntries(results),
  }
}

function measure(job: Job, event: JobEvent): AdvanceFigures {
  const times: number[] = []
  for (let i = 0; i < ROUNDS; i += 1) {
    const begin = process.hrtime.bigint()
    const decision = advance(job, event, DEFAULT_RULES)
    times.push(Number(process.hrtime.bigint() - begin) / 1000)
    if (decision.kind !== 'changed') throw new Error(`The event was not taken: ${decision.kind}`)
  }
  // The first tenth warms the compiler up.
  const warm = times.slice(ROUNDS / 10)
  const bytes = Buffer.byteLength(JSON.stringify(job))
  return { bytes, p50Us: percentile(warm, 0.5), p99Us: percentile(warm, 0.99) }
}

function first(): Job {
  const blueprint = { name: 'bench', version: 'v1', hash: 'h' }
  const job = {
    id: '00000000-0000-4000-8000-000000000000',
    blueprint,
    initialData: {},
    owner: OWNER,
    tracing: {},
    metadata: {},
    webhookUrl: null,
    parentId: null,
    depth: 0,
    dispatchTimeoutMs: null,
    resultTimeoutMs: null,
    timeoutMs: null,
  }
  return next(undefined, { kind: 'created', at: 1, job, start: { state: 'start' } })
}

const SPEC = {
  demand: { type: 'echo' },
  params: { n: 1 },
  priority: 0,
  strategy: 'default',
  dispatchTimeoutMs: null,
  executionTimeoutMs: 300_000,
  resultTimeoutMs: null,
  retry: null,
}

function dispatched(job: Job): Job {
  const action = {
    type: 'dispatch_task',
    task: SPEC,
    transitions: { success: TARGET },
    eventTransitions: {},
    onFailure: 'end',
  } as const
  return next(job, stepDone(job, action))
}

function fannedOut(job: Job, count: number): Job {
  const tasks = Array.from({ length: count }, (_, i) => ({ name: String(i), spec: SPEC }))
  const action = {
    type: 'dispatch_parallel',
    tasks,
    aggregateInto: TARGET,
    concurrency: null,
    failFast: false,
  } as const
  return next(job, stepDone(job, action))
}

function stepDone(
  job: Job,
  action: Extract<JobEvent, { kind: 'step_succeeded' }>['action'],
): JobEvent {
  const stepId = job.wait?.for === 'step' ? job.wait.stepId : ''
  return { kind: 'step_succeeded', at: 2, stepId, action, remarks: { updates: null, sent: [] } }
}

function claimed(job: Job): Job {
  return next(job, { kind: 'task_claimed', at: 3, taskId: taskOf(job), workerId: 'w' })
}

function resultOf(job: Job): JobEvent {
  const outcome = { kind: 'completed', status: 'success', data: { out: filler(500) } } as const
  return { kind: 'task_result', at: 4, taskId: taskOf(job), workerId: 'w', outcome, chance: 0 }
}

function progressOf(job: Job): JobEvent {
  const event = { kind: 'task_progress', at: 4, taskId: taskOf(job), workerId: 'w' } as const
  return { ...event, progress: 0.5, message: null }
}

function taskOf({ wait }: Job): string {
  if (wait?.for === 'task') return wait.taskId
  const branch = wait?.for === 'branches' ? wait.branches[0]?.[0] : undefined
  return branch?.kind === 'out' ? branch.run.taskId : ''
}

function next(job: Job | undefined, event: JobEvent): Job {
  const decision = advance(job, event, DEFAULT_RULES)
  if (decision.kind !== 'changed') throw new Error(`The event was not taken: ${decision.kind}`)
  return decision.job
}

/** Text of about this many bytes, in keys of their own as workers' data are. */
function filler(bytes: number): Record<string, string> {
  const entries = Array.from({ length: Math.ceil(bytes / 60) }, (_, i) => [
    `key_${String(i)}`,
    'x'.repeat(44),
  ])
  return Object.fromEntries(entries) as Record<string, string>
}
