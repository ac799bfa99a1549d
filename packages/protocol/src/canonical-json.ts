// One text for one meaning, so that both sides of a signature sign the same bytes: no whitespace, keys in
// the order of their UTF-8 bytes, no nulls in objects (they stay in arrays), nothing escaped that need not
// be.
import { InputError } from './error.ts'
import { MAX_JSON_DEPTH } from './json.ts'

/** What is left out of the text. */
export interface CanonicalOptions {
  /** Fields of the outermost object. Default: none. */
  readonly without?: readonly string[]
}

/**
 * The canonical form of a value of JSON, its numbers as JavaScript writes them.
 *
 * @throws {@link InputError} `DATA_TOO_DEEP` for more than 100 levels.
 */
export function canonicalJson(value: unknown, { without = [] }: CanonicalOptions = {}): string {
  return written(value, without, 1)
}

function written(value: unknown, without: readonly string[], depth: number): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null)
  assertDepth(depth)
  const inner = (item: unknown): string => written(item, [], depth + 1)
  if (Array.isArray(value)) return `[${value.map(inner).join(',')}]`
  const members = Object.entries(value)
    .filter(([key, item]) => item !== null && item !== undefined && !without.includes(key))
    .sort(([a], [b]) => byCodePoint(a, b))
    .map(([key, item]) => `${JSON.stringify(key)}:${inner(item)}`)
  return `{${members.join(',')}}`
}

/** @throws {@link InputError} `DATA_TOO_DEEP` */
export function assertDepth(depth: number): void {
  if (depth <= MAX_JSON_DEPTH) return
  const message = `The message is nested deeper than ${String(MAX_JSON_DEPTH)} levels.`
  throw new InputError('DATA_TOO_DEEP', { message })
}

/** The order of code points, which is that of their UTF-8 bytes, and not that of UTF-16. */
export function byCodePoint(a: string, b: string): number {
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
