/** The edge between a host's values and job documents, which hold plain JSON and nothing else. */
import { InputError, type JsonObject, type JsonValue } from '@avtomatika/protocol'

/** Deeper data is refused: it is a mistake or an attack, and recursion must stay bounded. */
export const MAX_DEPTH = 100

/** Values that went through here before are not walked again. */
const known = new WeakSet<object>()

/**
 * Copies a value into frozen JSON: own enumerable properties, `toJSON` honoured, `undefined`
 * properties left out. A value that came from here is returned as it is.
 *
 * @param what - how the value is called in errors, for example `params`.
 * @throws InputError `DATA_NOT_JSON` for anything JSON cannot say (functions, NaN, class instances)
 *   or must not (`__proto__`); `DATA_TOO_DEEP` past 100 levels, which ends cycles too. Both name the
 *   path.
 */
export function toJson(value: unknown, what: string): JsonValue {
  return copy(value, what, 0)
}

/** Like {@link toJson}, for values that must be objects. */
export function toJsonObject(value: unknown, what: string): JsonObject {
  const json = toJson(value, what)
  if (json === null || typeof json !== 'object' || Array.isArray(json)) {
    throw notJson(what, 'is not an object')
  }
  return json as JsonObject
}

function copy(value: unknown, path: string, depth: number): JsonValue {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return value
    throw notJson(path, `is ${String(value)}, which JSON cannot say`)
  }
  if (typeof value !== 'object') throw notJson(path, `is of type ${typeof value}`)
  if (known.has(value)) return value as JsonValue
  if (depth >= MAX_DEPTH) throw tooDeep(path)
  const frozen = Array.isArray(value)
    ? copyArray(value, path, depth)
    : copyObject(value, path, depth)
  if (typeof frozen === 'object' && frozen !== null) known.add(Object.freeze(frozen))
  return frozen
}

function copyArray(value: readonly unknown[], path: string, depth: number): JsonValue {
  // As in JSON.stringify: a hole must not shift what follows it.
  return Array.from(value, (item, i) =>
    item === undefined ? null : copy(item, `${path}[${String(i)}]`, depth + 1),
  )
}

function copyObject(value: object, path: string, depth: number): JsonValue {
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    return copy(Reflect.apply(value.toJSON, value, []), path, depth + 1)
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) {
    throw notJson(path, `is an instance of ${className(value)}`)
  }
  const result: Record<string, JsonValue> = {}
  for (const [key, item] of Object.entries(value)) {
    if (key === '__proto__') throw notJson(path, 'has a key "__proto__"')
    if (item !== undefined) result[key] = copy(item, `${path}.${key}`, depth + 1)
  }
  return result
}

function className({ constructor }: { readonly constructor?: unknown }): string {
  return typeof constructor === 'function' ? constructor.name : 'a class without a name'
}

function notJson(path: string, why: string): InputError {
  const message = `${path} ${why}. Use plain JSON: objects, arrays, strings, finite numbers, booleans, null.`
  return new InputError('DATA_NOT_JSON', { message, details: { path } })
}

function tooDeep(path: string): InputError {
  const shown = path.length > 120 ? `${path.slice(0, 120)}...` : path
  const message = `${shown} is nested more than ${String(MAX_DEPTH)} levels deep. Flatten it, or hand over a reference.`
  return new InputError('DATA_TOO_DEEP', { message, details: { path: shown } })
}
