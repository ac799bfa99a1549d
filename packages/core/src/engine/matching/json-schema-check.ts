/**
 * Whether a value matches a JSON Schema that a worker has sent. Pure, and without code made from it.
 *
 * It is the worker that validates in the end: what is not understood here (formats, patterns, references
 * elsewhere) counts as matched, so that no task waits for a worker that would have taken it.
 */
import type { JsonObject, JsonValue } from '@avtomatika/protocol'
import { entriesOf, isList } from '../workers/machine.ts'

/** Deeper schemas count as matched, and so does what is not decided after so many looks. */
const MAX_DEPTH = 32
const MAX_LOOKS = 20_000

type Said = ReadonlyMap<string, JsonValue>

interface Place {
  readonly root: JsonObject
  readonly depth: number
  /** References can make a small schema endless. */
  readonly budget: { looks: number }
}

type Check = (value: JsonValue, want: JsonValue, said: Said, place: Place) => boolean

const CHECKS: ReadonlyMap<string, Check> = new Map<string, Check>([
  ['type', (value, want) => (isList(want) ? want : [want]).some((type) => isOfType(value, type))],
  ['enum', (value, want) => !isList(want) || want.some((one) => isEqual(one, value))],
  ['const', (value, want) => isEqual(want, value)],
  ['minimum', (value, want) => !(numeric(value) < numeric(want))],
  ['maximum', (value, want) => !(numeric(value) > numeric(want))],
  ['exclusiveMinimum', (value, want) => !(numeric(value) <= numeric(want))],
  ['exclusiveMaximum', (value, want) => !(numeric(value) >= numeric(want))],
  [
    'minLength',
    (value, want) => typeof value !== 'string' || !isLess(Array.from(value).length, want),
  ],
  [
    'maxLength',
    (value, want) => typeof value !== 'string' || !isMore(Array.from(value).length, want),
  ],
  ['minItems', (value, want) => !isList(value) || !isLess(value.length, want)],
  ['maxItems', (value, want) => !isList(value) || !isMore(value.length, want)],
  ['required', checkRequired],
  ['properties', checkProperties],
  ['additionalProperties', checkAdditional],
  ['items', checkItems],
  ['allOf', (value, want, _, at) => listed(want).every((one) => matches(value, one, at))],
  ['anyOf', (value, want, _, at) => listed(want).some((one) => matches(value, one, at))],
  ['oneOf', (value, want, _, at) => listed(want).some((one) => matches(value, one, at))],
  ['$ref', checkReference],
])

/** Whether a value matches, as far as can be said. */
export function matchesSchema(value: JsonValue, schema: JsonObject): boolean {
  return matches(value, schema, { root: schema, depth: 0, budget: { looks: MAX_LOOKS } })
}

function matches(value: JsonValue, schema: JsonValue, at: Place): boolean {
  const { budget } = at
  budget.looks -= 1
  if (at.depth > MAX_DEPTH || budget.looks < 0) return true
  if (schema === false) return false
  const said = entriesOf(schema)
  const place = { ...at, depth: at.depth + 1 }
  for (const [word, want] of said) {
    if (CHECKS.get(word)?.(value, want, said, place) === false) return false
  }
  return true
}

function isOfType(value: JsonValue, type: JsonValue): boolean {
  switch (type) {
    case 'null':
      return value === null
    case 'array':
      return isList(value)
    case 'object':
      return value !== null && typeof value === 'object' && !isList(value)
    case 'integer':
      return typeof value === 'number' && Number.isInteger(value)
    case 'number':
    case 'string':
    case 'boolean':
      return typeof value === type
    default:
      return true
  }
}

/** Comparisons with what is not a number are never true. */
function numeric(value: JsonValue): number {
  return typeof value === 'number' ? value : NaN
}

function isLess(count: number, want: JsonValue): boolean {
  return typeof want === 'number' && count < want
}

function isMore(count: number, want: JsonValue): boolean {
  return typeof want === 'number' && count > want
}

function isObject(value: JsonValue): boolean {
  return isOfType(value, 'object')
}

function checkRequired(value: JsonValue, want: JsonValue): boolean {
  if (!isObject(value)) return true
  const has = entriesOf(value)
  return listed(want, []).every((name) => typeof name !== 'string' || has.has(name))
}

function checkProperties(value: JsonValue, want: JsonValue, _: Said, place: Place): boolean {
  const has = entriesOf(value)
  return [...entriesOf(want)].every(([name, schema]) => {
    const one = has.get(name)
    return one === undefined || matches(one, schema, place)
  })
}

function checkAdditional(value: JsonValue, want: JsonValue, said: Said, place: Place): boolean {
  if (said.has('patternProperties')) return true
  const named = entriesOf(said.get('properties'))
  return [...entriesOf(value)].every(([name, one]) => named.has(name) || matches(one, want, place))
}

function checkItems(value: JsonValue, want: JsonValue, said: Said, place: Place): boolean {
  // A list here is the older way to describe the first items one by one.
  if (!isList(value) || isList(want) || said.has('prefixItems')) return true
  return value.every((one) => matches(one, want, place))
}

/** Inside the same schema only. */
function checkReference(value: JsonValue, want: JsonValue, _: Said, place: Place): boolean {
  if (want === '#') return matches(value, place.root, place)
  if (typeof want !== 'string' || !want.startsWith('#/')) return true
  let target: JsonValue | undefined = place.root
  for (const part of want.slice(2).split('/')) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~')
    target = entriesOf(target).get(name)
  }
  return target === undefined || matches(value, target, place)
}

/** What stands where a list should stand says nothing. */
function listed(want: JsonValue, otherwise: readonly JsonValue[] = [true]): readonly JsonValue[] {
  return isList(want) && want.length > 0 ? want : otherwise
}

function isEqual(a: JsonValue, b: JsonValue): boolean {
  if (a === b) return true
  if (isList(a) || isList(b)) {
    if (!isList(a) || !isList(b) || a.length !== b.length) return false
    return a.every((one, n) => isEqual(one, b[n] ?? null))
  }
  if (!isObject(a) || !isObject(b)) return false
  const [one, other] = [entriesOf(a), entriesOf(b)]
  return (
    one.size === other.size &&
    [...one].every(([name, item]) => {
      const counterpart = other.get(name)
      return counterpart !== undefined && isEqual(item, counterpart)
    })
  )
}
