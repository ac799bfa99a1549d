import type { Decision } from '../../job/decision.ts'
import type { Effect } from '../../job/effect.ts'

export type Changed = Extract<Decision, { kind: 'changed' }>

/** Two changes of a job, one upon the other, as one write: of each timer the last word counts. */
export function mergeChanges(first: Changed | undefined, second: Changed): Changed {
  if (first === undefined) return second
  const moved = new Set(second.effects.map(timerOf))
  const before = first.effects.filter((effect) => {
    const timer = timerOf(effect)
    return timer === undefined || !moved.has(timer)
  })
  return { kind: 'changed', job: second.job, effects: [...before, ...second.effects] }
}

/** The timer that an effect sets or clears. */
function timerOf(effect: Effect): string | undefined {
  return effect.kind === 'set_deadline' || effect.kind === 'clear_deadline' ? effect.key : undefined
}
