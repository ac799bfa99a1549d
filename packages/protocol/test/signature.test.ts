import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { canonicalJson, canonicalText, signatureOf, unsignedFields } from '../src/index.ts'

interface Vector {
  readonly about: string
  readonly kind: 'event' | 'message'
  readonly secret: string
  /** As another implementation sends it: spaces, escapes and numbers in its own way. */
  readonly sent: string
  readonly canonical: string
  readonly signature: string
}

const vectors = JSON.parse(
  readFileSync(new URL('golden/signatures.json', import.meta.url), 'utf8'),
) as Vector[]

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

describe('the text that is signed', () => {
  it.each(vectors)('is what other implementations make of $about (A.8)', (vector) => {
    const text = canonicalText(vector.sent, { without: unsignedFields(vector.kind) })
    expect(text).toBe(vector.canonical)
    const signature = createHmac('sha256', vector.secret).update(text).digest('hex')
    expect(signature).toBe(vector.signature)
    expect(signatureOf(JSON.parse(vector.sent))).toMatchObject({ signature, signerId: 'gpu-7' })
  })

  it('is the same from a value as from a text that JavaScript wrote', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value)
        expect(canonicalText(text)).toBe(canonicalJson(value))
      }),
    )
  })

  it('is that of the parsed text, whatever spaces and escapes it has, but for its numbers', () => {
    const spaced = fc.record({
      value: fc.jsonValue({ maxDepth: 5 }),
      indent: fc.constantFrom('', ' ', '\t', '\n'),
      isEscaped: fc.boolean(),
    })
    fc.assert(
      fc.property(spaced, ({ value, indent, isEscaped }) => {
        const plain = JSON.stringify(value, null, indent)
        const text = isEscaped ? plain.replaceAll(/[^\x00-\x7f]/g, escaped) : plain
        expect(canonicalText(` \r\n${text}\t`)).toBe(canonicalJson(value))
      }),
    )
  })

  it.each([
    ['{"a":1,"b":2,"a":3}', '{"a":3,"b":2}'],
    ['{"a":1,"\\u0061":null}', '{}'],
    [
      '{ "a" : [ 1.0 , 1e-06 , -0 , 12345678901234567890 ] }',
      '{"a":[1.0,1e-06,-0,12345678901234567890]}',
    ],
    ['{"a":"null","b":null,"c":[null],"d":{},"e":[]}', '{"a":"null","c":[null],"d":{},"e":[]}'],
    ['{"a\\/b\\"":"\\u00e9\\ud83d\\ude00\\\\"}', '{"a/b\\"":"é😀\\\\"}'],
    ['{"__proto__":1,"constructor":2}', '{"__proto__":1,"constructor":2}'],
    ['{"a":"x\\\\","b":"\\\\\\""}', '{"a":"x\\\\","b":"\\\\\\""}'],
    [' 7 ', '7'],
    ['true', 'true'],
    ['null', 'null'],
    ['"\\u0041"', '"A"'],
  ])('of %s is %s', (text, canonical) => {
    expect(canonicalText(text)).toBe(canonical)
  })

  it.each(['', '{', '{"a":}', '[1,]', "{'a':1}", '{"a":1}x', 'nul', '01'])(
    'does not exist for %j, which is no JSON',
    (text) => {
      expect(() => canonicalText(text)).toThrow(SyntaxError)
    },
  )

  it('stays the same when it is read and written once more', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = canonicalJson(value)
        expect(canonicalText(text)).toBe(text)
      }),
    )
  })

  it('sorts keys by their bytes in UTF-8', () => {
    const keys = fc.uniqueArray(fc.string({ unit: 'binary', minLength: 1 }), { maxLength: 8 })
    fc.assert(
      fc.property(keys, (names) => {
        const value = Object.fromEntries(names.map((name) => [name, 1]))
        const bytes = names.map((name) => Buffer.from(name)).sort(Buffer.compare)
        const text = `{${bytes.map((name) => `${JSON.stringify(name.toString())}:1`).join(',')}}`
        expect(canonicalJson(value)).toBe(text)
      }),
    )
  })

  it('has no more than 100 levels', () => {
    const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
    expect(canonicalText(nested(100))).toBe(nested(100))
    expect(() => canonicalText(nested(101))).toThrow('nested deeper than 100 levels')
  })
})

describe('what a message says about its signature', () => {
  it.each([
    [undefined],
    [null],
    [[]],
    ['text'],
    [{}],
    [{ security: null }],
    [{ security: {} }],
    [{ security: { signature: null } }],
    [{ security: { signature: '', signer_id: 'w1' } }],
  ])('is nothing in %j', (message) => {
    expect(signatureOf(message)).toBeUndefined()
  })

  it('is never nothing when there is something, however odd', () => {
    const odd = { security: { signature: 7, signer_id: { a: 1 } }, timestamp: 'now' }
    expect(signatureOf(odd)).toEqual({
      signature: '',
      signerId: '{"a":1}',
      timestamp: undefined,
    })
  })
})
