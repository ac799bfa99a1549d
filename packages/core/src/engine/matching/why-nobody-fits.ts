/** Says in one sentence why a task waits (W3). Pure. */
import type { TaskDemand } from '../../job/task.ts'
import type { WorkerRecord } from '../../ports/worker-record.ts'
import { mismatch, type Mismatch } from './eligibility.ts'

/** More kinds of reasons than these make no sentence. */
const MOST_REASONS = 4

/** Why a task is not taken: in a sentence, and in numbers. */
export interface Shortage {
  /** `of 3 workers, 2 do not offer the skill 'render', 1 has too little VRAM (needs 24, has 8)`. */
  readonly text: string
  /** How many workers there are. */
  readonly workers: number
  /** Each worker counts for its first reason; the most frequent reasons first. */
  readonly reasons: readonly ShortageReason[]
}

export interface ShortageReason {
  readonly kind: Mismatch['kind'] | 'full' | 'not_asking'
  readonly count: number
  /** In the words of the sentence. */
  readonly text: string
}

export interface ShortageOptions {
  /** Whether a worker has no free slot. Default: by what it reported. */
  readonly isFull?: (worker: WorkerRecord) => boolean
  /** Workers that are trusted less get nothing. Default 0. */
  readonly minReputation?: number
}

/** Why none of these workers has taken a task with this demand. */
export function shortageOf(
  workers: readonly WorkerRecord[],
  demand: TaskDemand,
  { isFull = saysFull, minReputation = 0 }: ShortageOptions = {},
): Shortage {
  const all = workers.length
  if (all === 0) return { text: 'no worker is registered', workers: 0, reasons: [] }
  const mismatches = workers.map(
    (worker) => mismatch(worker, demand) ?? distrust(worker, minReputation),
  )
  const fitting = workers.filter((_, i) => mismatches[i] === null)
  const groups = grouped(mismatches.filter((reason) => reason !== null))
  const reasons = groups.flatMap((group) => {
    const kind = group[0]?.kind
    return kind === undefined ? [] : [{ kind, count: group.length, text: said(group) }]
  })
  if (fitting.length === 0) return { text: whyNoneFits(groups, all), workers: all, reasons }
  const full = fitting.filter(isFull).length
  const taken: ShortageReason[] = [
    { kind: 'full', count: full, text: 'is full' },
    { kind: 'not_asking', count: fitting.length - full, text: 'did not ask for a task' },
  ]
  const told = [...taken.filter(({ count }) => count > 0), ...reasons]
  return { text: whyNotTaken(fitting.length, full), workers: all, reasons: told }
}

function whyNoneFits(groups: readonly (readonly Mismatch[])[], all: number): string {
  const named = groups.slice(0, MOST_REASONS)
  const others = all - named.reduce((sum, { length }) => sum + length, 0)
  const parts = named.map(told)
  if (others > 0) parts.push(`${others} ${others === 1 ? 'does' : 'do'} not fit for other reasons`)
  if (all === 1) return `the only worker ${said(named[0] ?? [])}`
  return `of ${all} workers, ${parts.join(', ')}`
}

function distrust({ reputation }: WorkerRecord, minReputation: number): Mismatch | null {
  if (reputation >= minReputation) return null
  const summary = 'has too little reputation'
  const numbers = `needs ${String(minReputation)}, has ${reputation.toFixed(2)}`
  return { kind: 'reputation', text: `${summary} (${numbers})`, summary }
}

function saysFull({ status, currentTasks, maxConcurrentTasks }: WorkerRecord): boolean {
  return status === 'full' || currentTasks.length >= maxConcurrentTasks
}

function whyNotTaken(fitting: number, full: number): string {
  const free = fitting - full
  const isOne = fitting === 1
  const who = isOne ? '1 worker fits' : `${fitting} workers fit`
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
