import { describe, expect, it } from 'vitest'
import { MAX_DEPTH, toJson, toJsonObject } from '../src/json/to-json.ts'

function nested(levels: number): unknown {
  let value: unknown = {}
  for (let i = 1; i < levels; i += 1) value = { next: value }
  return value
}

describe('toJson', () => {
  it('copies: later changes of the original do not reach the document', () => {
    const given = { list: [1], inner: { n: 1 } }
    const json = toJson(given, 'params')
    given.list.push(2)
    given.inner.n = 2
    expect(json).toEqual({ list: [1], inner: { n: 1 } })
  })

  it('freezes every level', () => {
    const json = toJsonObject({ list: [{ n: 1 }] }, 'params') as { list: { n: number }[] }
    expect(() => (json.list = [])).toThrow(TypeError)
    expect(() => json.list.push({ n: 2 })).toThrow(TypeError)
    expect(() => {
      for (const item of json.list) item.n = 2
    }).toThrow(TypeError)
  })

  it('returns what it made before as it is, alone and inside something new', () => {
    const json = toJsonObject({ n: { m: 1 } }, 'params')
    expect(toJson(json, 'params')).toBe(json)
    expect(toJsonObject({ json }, 'params')['json']).toBe(json)
  })

  it('says what JSON.stringify says of dates, undefined members, undefined items and holes', () => {
    // eslint-disable-next-line no-sparse-arrays
    const given = { at: new Date(0), gone: undefined, list: [1, undefined, , 2], nothing: null }
    const json = toJson(given, 'params')
    expect(json).toStrictEqual(JSON.parse(JSON.stringify(given)))
    expect(json).toStrictEqual({
      at: '1970-01-01T00:00:00.000Z',
      list: [1, null, null, 2],
      nothing: null,
    })
  })

  it('says null for a date that is none, as JSON.stringify does', () => {
    expect(toJson({ at: new Date(NaN) }, 'params')).toEqual({ at: null })
  })

  it.each([
    ['NaN', { n: NaN }, 'params.n is NaN'],
    ['an infinity', { n: [-Infinity] }, 'params.n[0] is -Infinity'],
    ['a function', { f: () => 1 }, 'params.f is of type function'],
    ['a bigint', { b: 1n }, 'params.b is of type bigint'],
    ['a symbol', { s: Symbol('s') }, 'params.s is of type symbol'],
    ['a map', { m: new Map() }, 'params.m is an instance of Map'],
    [
      'a class instance',
      { u: new URLSearchParams() },
      'params.u is an instance of URLSearchParams',
    ],
    ['an error', { e: new Error('no') }, 'params.e is an instance of Error'],
    [
      'an instance of an unnamed kind',
      { x: Object.create(Object.create(null)) },
      'params.x is an instance of',
    ],
    ['nothing at all', undefined, 'params is of type undefined'],
    ['what toJSON makes of it', { toJSON: () => undefined }, 'params is of type undefined'],
  ])('refuses %s and names the path', (_what, given, message) => {
    expect(() => toJson(given, 'params')).toThrow(
      expect.objectContaining({ code: 'DATA_NOT_JSON', message: expect.stringContaining(message) }),
    )
  })

  it('refuses a key __proto__, so that no copy of the data changes its prototype', () => {
    const given: unknown = JSON.parse('{"a":{"__proto__":{"isAdmin":true}}}')
    expect(() => toJson(given, 'params')).toThrow('params.a has a key "__proto__"')
  })

  it('keeps keys that every object inherits as the plain data they are', () => {
    const given: unknown = JSON.parse('{"constructor":{"prototype":1},"hasOwnProperty":2}')
    expect(toJson(given, 'params')).toEqual(given)
  })

  it(`takes ${String(MAX_DEPTH)} levels and refuses one more`, () => {
    expect(toJson(nested(MAX_DEPTH), 'params')).toEqual(nested(MAX_DEPTH))
    expect(() => toJson(nested(MAX_DEPTH + 1), 'params')).toThrow(
      expect.objectContaining({ code: 'DATA_TOO_DEEP' }),
    )
  })

  it('ends on a circle, with a message of bearable length', () => {
    const circle: Record<string, unknown> = {}
    circle['a_rather_long_name'] = circle
    const refused = (): unknown => toJson(circle, 'params')
    expect(refused).toThrow(expect.objectContaining({ code: 'DATA_TOO_DEEP' }))
    expect(refused).toThrow(/^.{1,300}$/)
  })

  it('takes objects without a prototype', () => {
    const given = Object.assign(Object.create(null) as object, { n: 1 })
    expect(toJson(given, 'params')).toEqual({ n: 1 })
  })

  it.each([[[]], ['text'], [null], [1]])('takes %j for no object', (given) => {
    expect(() => toJsonObject(given, 'params')).toThrow('params is not an object')
  })
})
