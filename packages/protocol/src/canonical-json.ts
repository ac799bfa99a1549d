// One text for one meaning, so that both sides of a signature sign the same bytes: no whitespace, keys in
// the order of their UTF-8 bytes, no nulls in objects (they stay in arrays), nothing escaped that need not
// be. Numbers are a matter of taste (10, 10.0, 1e-06, 0.000001), so what was received is taken as it was
// written.
import { InputError } from './error.ts'
import { MAX_JSON_DEPTH } from './json.ts'

/** What is left out of the text. */
export interface CanonicalOptions {
  /** Fields of the outermost object. Default: none. */
  readonly without?: readonly string[]
}

/** A number as it stood in a text. */
class NumberLiteral {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/**
 * The canonical form of a value of JSON, its numbers as JavaScript writes them.
 *
 * @throws {@link InputError} `DATA_TOO_DEEP` for more than 100 levels.
 */
export function canonicalJson(value: unknown, { without = [] }: CanonicalOptions = {}): string {
  return written(value, { without, depth: 1 })
}

/**
 * The canonical form of a text of JSON, its numbers as they stand there.
 *
 * @throws {@link InputError} `DATA_TOO_DEEP` for more than 100 levels. SyntaxError for what is no JSON.
 */
export function canonicalText(text: string, options: CanonicalOptions = {}): string {
  return canonicalJson(parseKeepingNumbers(text), options)
}

type ParseWithSource = (
  text: string,
  reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
) => unknown

function parseKeepingNumbers(text: string): unknown {
  // The compiler does not know yet that revivers are shown the source.
  const parse = JSON.parse as ParseWithSource
  return parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined ? new NumberLiteral(source) : value,
  )
}

interface Place {
  readonly without: readonly string[]
  readonly depth: number
}

function written(value: unknown, { without, depth }: Place): string {
  if (value instanceof NumberLiteral) return value.text
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null)
  if (depth > MAX_JSON_DEPTH) {
    const message = `The message is nested deeper than ${String(MAX_JSON_DEPTH)} levels.`
    throw new InputError('DATA_TOO_DEEP', { message })
  }
  const inside: Place = { without: [], depth: depth + 1 }
  if (Array.isArray(value)) return `[${value.map((item) => written(item, inside)).join(',')}]`
  const members = Object.entries(value)
    .filter(([key, item]) => item !== null && item !== undefined && !without.includes(key))
    .sort(([a], [b]) => byCodePoint(a, b))
    .map(([key, item]) => `${JSON.stringify(key)}:${written(item, inside)}`)
  return `{${members.join(',')}}`
}

/** The order of code points, which is that of their UTF-8 bytes, and not that of UTF-16. */
function byCodePoint(a: string, b: string): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i += 1) {
    const order = rank(a.charCodeAt(i)) - rank(b.charCodeAt(i))
    if (order !== 0) return order
  }
  return a.length - b.length
}

/** Halves of a surrogate pair stand for characters that come after all others. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}
