/** Text in quotes, inside a condition. */
import { conditionError } from './condition-error.ts'

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\\', '\\'],
  ["'", "'"],
  ['"', '"'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
])

const CODE_UNIT = /u([\da-f]{4})/iuy

interface ReadText {
  readonly value: string
  /** Where the text goes on after it. */
  readonly end: number
}

/**
 * Reads up to the quote that closes the one at `opened`; escapes are those of JSON, and `\'`.
 * @throws BlueprintError `CONDITION_INVALID`
 */
export function readString(text: string, opened: number): ReadText {
  const quote = text.charAt(opened)
  let value = ''
  for (let at = opened + 1; at < text.length;) {
    const character = text.charAt(at)
    if (character === quote) return { value, end: at + 1 }
    const read = character === '\\' ? readEscape(text, at) : { value: character, end: at + 1 }
    value += read.value
    at = read.end
  }
  throw conditionError(text, text.length, `expected the closing ${quote} of this text`)
}

function readEscape(text: string, at: number): ReadText {
  const plain = ESCAPES.get(text.charAt(at + 1))
  if (plain !== undefined) return { value: plain, end: at + 2 }
  CODE_UNIT.lastIndex = at + 1
  const [, digits] = CODE_UNIT.exec(text) ?? []
  if (digits !== undefined) {
    return { value: String.fromCharCode(Number.parseInt(digits, 16)), end: at + 6 }
  }
  const known = '\\\\ \\\' \\" \\/ \\b \\f \\n \\r \\t \\uXXXX'
  throw conditionError(text, at, `expected one of ${known}; a backslash itself is written twice`)
}
