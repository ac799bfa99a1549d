import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { isJsonObject, messageSchemas, parseRequest, toJsonSchemas } from '../src/index.ts'
import { allFixtures } from './fixtures.ts'

const fixtures = allFixtures()

/** The only fields that may hold anything; every other declared field has a type to defend. */
const FREE_FIELDS: ReadonlySet<string> = new Set([
  'data',
  'chunk',
  'details',
  'result',
  'context_snapshot',
  'current_task_info',
  'current_task_transitions',
])

/** Compared as text, so that a lost, added or reordered-away field cannot hide. */
function sorted(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    isJsonObject(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}

describe('golden messages', () => {
  it.each(fixtures)('$name is accepted and comes out unchanged', ({ message, json }) => {
    expect(sorted(parseRequest(messageSchemas[message], json, message))).toBe(sorted(json))
  })

  it('exist for every message of the contract', () => {
    const covered = new Set<string>(fixtures.map((fixture) => fixture.message))
    expect(Object.keys(messageSchemas).filter((name) => !covered.has(name))).toEqual([])
  })

  it.each(fixtures)('$name keeps fields that nobody knows yet', ({ message, json }) => {
    const schema = messageSchemas[message]
    if (!isJsonObject(json)) throw new Error('A golden message is an object')
    const unknownField = fc
      .string({ minLength: 1, maxLength: 12 })
      .map((key) => `x_${key}`)
      .filter((key) => !Object.hasOwn(schema.shape, key))
    fc.assert(
      fc.property(fc.dictionary(unknownField, fc.jsonValue({ maxDepth: 4 })), (extra) => {
        const sent: unknown = JSON.parse(JSON.stringify({ ...json, ...extra }))
        expect(sorted(parseRequest(schema, sent, message))).toBe(sorted(sent))
      }),
      { numRuns: 30 },
    )
  })

  it.each(fixtures)(
    '$name with a field of the wrong type is refused by path',
    ({ message, json }) => {
      const schema = messageSchemas[message]
      if (!isJsonObject(json)) throw new Error('A golden message is an object')
      const wrong = Symbol('wrong')
      for (const key of Object.keys(json)) {
        if (!Object.hasOwn(schema.shape, key)) continue
        if (FREE_FIELDS.has(key)) continue
        expect(() => parseRequest(schema, { ...json, [key]: wrong }, message)).toThrow(key)
      }
    },
  )
})

describe('toJsonSchemas', () => {
  it('describes every message in draft 2020-12 and lets unknown fields pass', () => {
    const schemas = toJsonSchemas()
    expect(Object.keys(schemas)).toEqual(Object.keys(messageSchemas))
    for (const schema of Object.values(schemas)) {
      expect(schema).toMatchObject({
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        type: 'object',
        additionalProperties: {},
      })
    }
  })

  it('requires of a task payload only what every generation sends', () => {
    expect(toJsonSchemas().TaskPayload).toMatchObject({ required: ['job_id', 'task_id', 'type'] })
  })
})
