import type { Decision } from '../../job/decision.ts'
import type { Effect } from '../../job/effect.ts'

export type Changed = Extract<Decision, { kind: 'changed' }>

/**
 * Changes of a job, one upon the other, as one write: of each timer the last word counts.
 * @returns `undefined` for none.
 */
export function mergeChanges(changes: readonly Changed[]): Changed | undefined {
  const last = changes.at(-1)
  if (last === undefined || changes.length === 1) return last
  const effects = changes.flatMap((change) => change.effects)
  const lastWords = new Map(effects.map((effect, place) => [timerOf(effect), place]))
  const isSaid = (effect: Effect, place: number): boolean => {
    const timer = timerOf(effect)
    return timer === undefined || lastWords.get(timer) === place
  }
  return { kind: 'changed', job: last.job, effects: effects.filter(isSaid) }
}

/** The timer that an effect sets or clears. */
function timerOf(effect: Effect): string | undefined {
  return effect.kind === 'set_deadline' || effect.kind === 'clear_deadline' ? effect.key : undefined
}
