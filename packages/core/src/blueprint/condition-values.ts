/** How conditions look at data: as JSON, by own data properties only, and without ever throwing. */
import { isJsonObject } from '@avtomatika/protocol'
import { MAX_DEPTH } from '../json/to-json.ts'
import type { Comparison } from './condition-tree.ts'

/**
 * The value at the end of a path; `null` where there is none, or none that JSON could say. Getters
 * and inherited properties are not there.
 */
export function valueAt(root: unknown, keys: readonly string[]): unknown {
  let value = root
  for (const key of keys) {
    if (!isContainer(value)) return null
    value = ownValue(value, key)
  }
  return isJsonLike(value) ? value : null
}

/** Whether a value counts as true: all but `null`, `false`, `0` and empty text. */
export function isTruthy(value: unknown): boolean {
  return Boolean(value)
}

/** Whether a comparison holds; one of values that cannot be compared does not. */
export function holds(operator: Comparison, left: unknown, right: unknown): boolean {
  switch (operator) {
    case '==':
      return isEqual(left, right)
    case '!=':
      return !isEqual(left, right)
    case 'in':
      return isIn(left, right)
    case 'not in':
      return !isIn(left, right)
    default:
      return isOrdered(operator, left, right)
  }
}

/** Numbers by size, texts by their UTF-16 units. */
function isOrdered(operator: '<' | '<=' | '>' | '>=', left: unknown, right: unknown): boolean {
  if (typeof left === 'number' && typeof right === 'number') return ordered[operator](left, right)
  if (typeof left === 'string' && typeof right === 'string') return ordered[operator](left, right)
  return false
}

type InOrder = <T extends number | string>(left: T, right: T) => boolean

const ordered: Readonly<Record<'<' | '<=' | '>' | '>=', InOrder>> = {
  '<': (left, right) => left < right,
  '<=': (left, right) => left <= right,
  '>': (left, right) => left > right,
  '>=': (left, right) => left >= right,
}

/** An item of an array, a part of a text, a key of an object. */
function isIn(item: unknown, whole: unknown): boolean {
  if (Array.isArray(whole)) return whole.some((each) => isEqual(item, each))
  if (typeof item !== 'string') return false
  if (typeof whole === 'string') return whole.includes(item)
  return isJsonObject(whole) && Object.hasOwn(whole, item)
}

/** Same type and same content; deeper than data can be, nothing is equal. */
function isEqual(a: unknown, b: unknown, depth = 0): boolean {
  if (a === b) return true
  if (depth > MAX_DEPTH || !isContainer(a) || !isContainer(b)) return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every(
    (key) => Object.hasOwn(b, key) && isEqual(ownValue(a, key), ownValue(b, key), depth + 1),
  )
}

type Container = Readonly<Record<string, unknown>> | readonly unknown[]

function isContainer(value: unknown): value is Container {
  return Array.isArray(value) || isJsonObject(value)
}

function isJsonLike(value: unknown): boolean {
  const isScalar = ['string', 'number', 'boolean'].includes(typeof value)
  return isScalar || isContainer(value)
}

/** Asks for the descriptor, since reading the property might run a getter. */
function ownValue(container: Container, key: string): unknown {
  const property = Object.getOwnPropertyDescriptor(container, key)
  return property?.value
}
