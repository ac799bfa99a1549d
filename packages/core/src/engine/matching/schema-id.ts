import { createHash } from 'node:crypto'
import { isJsonObject, type JsonObject } from '@avtomatika/protocol'

const known = new WeakMap<JsonObject, string>()

/** What tells schemas apart, whatever the order of their keys. */
export function schemaIdOf(schema: JsonObject): string {
  const before = known.get(schema)
  if (before !== undefined) return before
  const text = JSON.stringify(schema, (_key, inner: unknown) =>
    isJsonObject(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
  const id = createHash('sha256').update(text).digest('hex').slice(0, 16)
  known.set(schema, id)
  return id
}
