import { z } from 'zod'

/** Anything JSON can say. */
export type JsonValue =
  string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue }

/** A JSON object. */
export interface JsonObject {
  readonly [key: string]: JsonValue
}

/** Deepest nesting of objects and arrays in a message; older generations have the same limit. */
export const MAX_JSON_DEPTH = 100

/** A JSON object whose members are nobody's business here. */
export const jsonObjectSchema = z.record(z.string(), z.unknown())

/** Whether a value is an object in JSON's sense: not an array, not null, not an instance of a class. */
export function isJsonObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/**
 * Whether a value is nested deeper than `limit` levels of objects and arrays; `{}` is one level.
 * Walks level by level without recursion, so a hostile body cannot exhaust the stack; each level is
 * a set, so a circular value stays small and ends as "too deep".
 */
export function isDeeperThan(value: unknown, limit: number): boolean {
  let level = containersIn([value])
  for (let depth = 1; level.size > 0; depth += 1) {
    if (depth > limit) return true
    const next = new Set<object>()
    for (const item of level) for (const inner of containersIn(Object.values(item))) next.add(inner)
    level = next
  }
  return false
}

function containersIn(values: readonly unknown[]): Set<object> {
  return new Set(values.filter((value) => typeof value === 'object' && value !== null))
}
