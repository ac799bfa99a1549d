import type { EndOutcome } from '../job/vocabulary.ts'

/** Endings of state names that mean failure, alone or after an underscore. */
const FAILED_NAME = /(^|_)(failed|error|rejected|cancelled)$/

/** How a job ends in an end state: as declared, else `failed` for names that say so (D-30). */
export function endOutcome(state: string, declared: true | EndOutcome): EndOutcome {
  if (declared !== true) return declared
  return FAILED_NAME.test(state) ? 'failed' : 'finished'
}
