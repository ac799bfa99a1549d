/** What a worker earns by how its task came out. Pure. */
import { TASK_ERROR_CODES, taskErrorSemantics } from '@avtomatika/protocol'
import type { TaskOutcome } from '../../job/event.ts'
import type { Rating, Reputation } from '../../ports/reputation-store.ts'

/** How a task came out, as far as its worker is to be praised or blamed for it. */
export type Verdict = 'good' | 'transient' | 'timeout' | 'lost' | 'permanent' | 'violation'

type Earned = Omit<Rating, 'workerId'>

/** The first, fifth and sixth number are those of the older generations. */
const EARNED: Readonly<Record<Verdict, Earned>> = {
  good: { by: 0.001, good: 1, bad: 0 },
  transient: { by: -0.005, good: 0, bad: 1 },
  timeout: { by: -0.02, good: 0, bad: 1 },
  lost: { by: -0.02, good: 0, bad: 1 },
  permanent: { by: -0.05, good: 0, bad: 1 },
  violation: { by: -0.2, good: 0, bad: 1 },
}

/** Outcomes that every worker is taken to have had: one failure of a beginner is no failure rate. */
const PRIOR_GOOD = 10
const RATE_WEIGHT = 0.7
/** A recalculation alone does not lower a reputation below this. */
const FLOOR = 0.1

export function earnedBy(verdict: Verdict): Earned {
  return EARNED[verdict]
}

/**
 * What a result says of its worker; `null` where it says nothing: the input was wrong, the job was
 * cancelled, the task was handed back, or it failed on purpose, without an error.
 */
export function verdictOn(outcome: TaskOutcome): Verdict | null {
  if (outcome.kind === 'completed') return 'good'
  if (outcome.kind !== 'failed' || outcome.error === null) return null
  const { code } = outcome.error
  if (code === TASK_ERROR_CODES.contractViolation) return 'violation'
  const semantics = taskErrorSemantics(code)
  if (semantics === 'fail') return null
  return semantics === 'quarantine' ? 'permanent' : 'transient'
}

/**
 * What the share of good outcomes leaves of a reputation: 0.7 of that share, and 0.3 of what it was. Only
 * time raises it: a few bad outcomes would else be forgiven at the next full hour.
 */
export function recalculated({ reputation, good, bad }: Reputation): number {
  if (good + bad === 0) return reputation
  const rate = (good + PRIOR_GOOD) / (good + bad + PRIOR_GOOD)
  const judged = Math.max(FLOOR, RATE_WEIGHT * rate + (1 - RATE_WEIGHT) * reputation)
  return Math.min(reputation, judged)
}
