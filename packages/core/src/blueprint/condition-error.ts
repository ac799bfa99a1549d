/** What an author is told about a condition that cannot be read. */
import { BlueprintError } from '@avtomatika/protocol'

/** Longer conditions are shown around the place of the problem only. */
const MAX_SHOWN = 240

/**
 * A `CONDITION_INVALID` that quotes the condition.
 * @param at - where the problem is, from 0; shown as a column, from 1.
 * @param problem - what was expected there, and what was found.
 */
export function conditionError(text: string, at: number, problem: string): BlueprintError {
  const column = at + 1
  const message = `Condition \`${excerpt(text, at)}\` cannot be read at column ${String(column)}: ${problem}.`
  return new BlueprintError('CONDITION_INVALID', { message, details: { column } })
}

function excerpt(text: string, at: number): string {
  if (text.length <= MAX_SHOWN) return text
  const start = Math.max(0, Math.min(at - MAX_SHOWN / 2, text.length - MAX_SHOWN))
  const end = start + MAX_SHOWN
  return `${start > 0 ? '…' : ''}${text.slice(start, end)}${end < text.length ? '…' : ''}`
}
