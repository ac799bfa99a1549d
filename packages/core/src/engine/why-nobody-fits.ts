/** Says in one sentence why a task waits (W3). Pure. */
import type { TaskDemand } from '../job/task.ts'
import type { WorkerRecord } from '../ports/worker-record.ts'
import { mismatch, type Mismatch } from './eligibility.ts'

/** More kinds of reasons than these make no sentence. */
const MOST_REASONS = 4

/**
 * Why none of these workers has taken a task with this demand, for the job's error message:
 * `of 3 workers, 2 do not offer the skill 'render', 1 has too little VRAM (needs 24, has 8)`.
 *
 * @param isFull - whether a worker has no free slot. Default: by what it reported.
 */
export function whyNobodyFits(
  workers: readonly WorkerRecord[],
  demand: TaskDemand,
  isFull: (worker: WorkerRecord) => boolean = saysFull,
): string {
  if (workers.length === 0) return 'no worker is registered'
  const reasons = workers.map((worker) => mismatch(worker, demand))
  const fitting = workers.filter((_, i) => reasons[i] === null)
  if (fitting.length > 0) return whyNotTaken(fitting, isFull)
  const groups = grouped(reasons.filter((reason) => reason !== null))
  const named = groups.slice(0, MOST_REASONS)
  const others = workers.length - named.reduce((sum, { length }) => sum + length, 0)
  const parts = named.map(told)
  if (others > 0) parts.push(`${others} ${others === 1 ? 'does' : 'do'} not fit for other reasons`)
  if (workers.length === 1) return `the only worker ${said(named[0] ?? [])}`
  return `of ${workers.length} workers, ${parts.join(', ')}`
}

function saysFull({ status, currentTasks, maxConcurrentTasks }: WorkerRecord): boolean {
  return status === 'full' || currentTasks.length >= maxConcurrentTasks
}

function whyNotTaken(
  fitting: readonly WorkerRecord[],
  isFull: (worker: WorkerRecord) => boolean,
): string {
  const full = fitting.filter(isFull).length
  const free = fitting.length - full
  const isOne = fitting.length === 1
  const who = isOne ? '1 worker fits' : `${fitting.length} workers fit`
  if (free === 0) return `${who}, but ${isOne ? 'is' : 'all are'} full`
  if (full === 0) return `${who}, but did not ask for a task`
  return `${who}, but ${full} ${full === 1 ? 'is' : 'are'} full, ${free} did not ask for a task`
}

/** The most frequent reasons first; as frequent ones in the order of the workers. */
function grouped(reasons: readonly Mismatch[]): readonly (readonly Mismatch[])[] {
  const groups = new Map<string, Mismatch[]>()
  for (const reason of reasons) {
    const group = groups.get(reason.summary)
    if (group === undefined) groups.set(reason.summary, [reason])
    else group.push(reason)
  }
  return [...groups.values()].toSorted((a, b) => b.length - a.length)
}

function told(group: readonly Mismatch[]): string {
  return `${group.length} ${group.length === 1 ? said(group) : inPlural(said(group))}`
}

/** With its numbers only where they are the same for all. */
function said(group: readonly Mismatch[]): string {
  const [first] = group
  if (first === undefined) return ''
  return group.every(({ text }) => text === first.text) ? first.text : first.summary
}

/** Every reason begins with one of these verbs. */
function inPlural(text: string): string {
  const plurals = { does: 'do', has: 'have', is: 'are', costs: 'cost' }
  for (const [one, many] of Object.entries(plurals)) {
    if (text.startsWith(`${one} `)) return `${many}${text.slice(one.length)}`
  }
  return text
}
