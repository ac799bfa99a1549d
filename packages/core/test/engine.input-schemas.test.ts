/** Tasks go only to workers whose input schema takes their params (W2). */
import type { JsonObject, JsonValue } from '@avtomatika/protocol'
import { describe, expect, it } from 'vitest'
import { matchesSchema } from '../src/engine/matching/json-schema-check.ts'
import { create, Hand, oneTask, World } from './support/engine-world.ts'

function skill(input_schema: object, fields: object = {}): object {
  return { supported_skills: [{ name: 'resize', input_schema, ...fields }] }
}

const WIDE = skill({ type: 'object', required: ['width'] })
const HIGH = skill({ type: 'object', required: ['height'] })

describe('a task', () => {
  it('goes to the worker whose schema its params match', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const wide = await Hand.hire(engine, 'wide', { ...WIDE })
    const high = await Hand.hire(engine, 'high', { ...HIGH })
    const [atWide, atHigh] = [wide.poll(2_000), high.poll(2_000)]
    await create(engine, oneTask(), { initialData: { height: 3 } })
    await world.clock.advance(2_000)
    expect([(await atWide).length, (await atHigh).length]).toEqual([0, 1])
  })

  it('waits when nobody takes its params, and says so', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const wide = await Hand.hire(engine, 'wide', { ...WIDE })
    await create(engine, oneTask())
    expect(await wide.poll()).toEqual([])
    const [pending] = await engine.shortages.list({ limit: 1 })
    expect(pending?.shortage.text).toBe(
      "the only worker does not take the params of this 'resize' (its input schema)",
    )
    await Hand.hire(engine, 'any')
    expect(await new Hand(engine, 'any').poll()).toHaveLength(1)
  })

  it('that was offered before its worker came is not handed over either, and costs no retry', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const jobId = await create(engine, oneTask(), { initialData: { height: 3 } })
    const wide = await Hand.hire(engine, 'wide', { ...WIDE })
    expect(await wide.poll()).toEqual([])
    expect(await wide.poll()).toEqual([])
    const { wait } = await world.job(jobId)
    // Offered once more, with its schema in mind, and then not again and again.
    expect(wait).toMatchObject({ for: 'task', retries: 0, attempt: 2 })
    const high = await Hand.hire(engine, 'high', { ...HIGH })
    expect(await high.poll()).toMatchObject([{ task: { params: { height: 3 } } }])
  })

  it('is kept from a worker at another orchestrator, too', async () => {
    const world = new World()
    const [here, there] = [world.engine(oneTask()), world.engine(oneTask())]
    const wide = await Hand.hire(there, 'wide', { ...WIDE })
    const polled = wide.poll(5_000)
    await create(here, oneTask(), { initialData: { height: 3 } })
    await world.clock.advance(5_000)
    expect(await polled).toEqual([])
  })

  it('goes to any version of a skill that takes its params', async () => {
    const world = new World()
    const engine = world.engine(oneTask())
    const both = await Hand.hire(engine, 'both', {
      supported_skills: [
        { name: 'resize', version: '1', input_schema: { required: ['width'] } },
        { name: 'resize', version: '2', input_schema: { required: ['height'] } },
      ],
    })
    await create(engine, oneTask(), { initialData: { height: 3 } })
    expect(await both.poll()).toHaveLength(1)
  })
})

describe('a value matches a schema', () => {
  const point = {
    type: 'object',
    properties: {
      x: { type: 'integer', minimum: 0 },
      tags: { type: 'array', items: { type: 'string' }, maxItems: 2 },
    },
    required: ['x'],
    additionalProperties: false,
  }
  const tree = {
    $ref: '#/$defs/node',
    $defs: {
      node: {
        type: 'object',
        properties: { next: { $ref: '#/$defs/node' }, n: { type: 'number' } },
      },
    },
  }
  it.each<[string, JsonObject, JsonValue, boolean]>([
    ['of its type', point, { x: 1 }, true],
    ['without a required field', point, {}, false],
    ['with a field of another type', point, { x: '1' }, false],
    ['with a fraction', point, { x: 1.5 }, false],
    ['below the minimum', point, { x: -1 }, false],
    ['with a field too many', point, { x: 1, y: 2 }, false],
    ['with items', point, { x: 1, tags: ['a', 'b'] }, true],
    ['with too many items', point, { x: 1, tags: ['a', 'b', 'c'] }, false],
    ['with a wrong item', point, { x: 1, tags: [1] }, false],
    ['of one of several types', { type: ['string', 'null'] }, null, true],
    ['of none of several types', { type: ['string', 'null'] }, 1, false],
    ['of an enum', { enum: [1, { a: [2] }] }, { a: [2] }, true],
    ['not of an enum', { enum: [1, 2] }, 3, false],
    ['a constant', { const: 'a' }, 'b', false],
    ['any of', { anyOf: [{ type: 'string' }, { minimum: 5 }] }, 4, false],
    ['all of', { allOf: [{ type: 'number' }, { maximum: 5 }] }, 4, true],
    ['exactly one of, as any of', { oneOf: [{ type: 'number' }, { type: 'string' }] }, true, false],
    ['a reference', tree, { next: { next: { n: 'x' } } }, false],
    ['a reference, and all is well', tree, { next: { next: { n: 1 } } }, true],
    ['lengths', { minLength: 2, maxLength: 3 }, 'ä', false],
    ['a limit without the limit itself', { exclusiveMaximum: 3 }, 3, false],
    [
      'words that nobody knows',
      { type: 'color', format: 'hex', pattern: '^(a+)+$', if: {} },
      'x',
      true,
    ],
    ['a reference elsewhere', { $ref: 'https://example.org/x.json' }, 1, true],
    ['a schema that makes no sense', { required: 'x', properties: 3, items: 'y' }, { a: 1 }, true],
  ])('%s', (_, schema, value, expected) => {
    expect(matchesSchema(value, schema)).toBe(expected)
  })

  it('takes no longer for a schema that grows without end', () => {
    const endless = { allOf: [{ $ref: '#' }, { $ref: '#' }, { properties: { a: { $ref: '#' } } }] }
    const before = performance.now()
    expect(matchesSchema({ a: { a: {} } }, endless)).toBe(true)
    expect(performance.now() - before).toBeLessThan(2_000)
  })
})
