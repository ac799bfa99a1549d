/** Cuts the text of a condition into tokens. */
import { conditionError } from './condition-error.ts'
import { contextName, isArea } from './condition-names.ts'
import { readString } from './condition-string.ts'

interface Place {
  readonly at: number
  readonly end: number
}

export type Token = Place &
  (
    | { readonly kind: 'literal'; readonly value: string | number | boolean | null }
    | {
        readonly kind: 'path'
        readonly keys: readonly string[]
        /** Whether it can only be a path: it begins with `context.`, or with an area's name. */
        readonly isPlain: boolean
      }
    /** An operator, a bracket, a comma; `end` at the end of the text. */
    | { readonly kind: 'sign'; readonly sign: string }
  )

const SPACE = /\s*/uy
const NAME = /[\p{ID_Start}_$][\p{ID_Continue}$]*/uy
const KEY = /[\p{ID_Continue}$]+/uy
const INDEX = /\d+/uy
/** What runs on, as `3abc`, `2.5.1` or a date of which this is the year, is no number. */
const NUMBER = /-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\p{ID_Continue}$.])/iuy
const SIGN = /===|!==|<>|[=!<>]=|&&|\|\||[<>!()[\],=&|]/uy

const LITERAL_NAMES: ReadonlyMap<string, boolean | null> = new Map([
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['null', null],
  ['None', null],
])

const SIGN_NAMES: ReadonlySet<string> = new Set(['and', 'or', 'not', 'in'])

const SAME_SIGNS: ReadonlyMap<string, string> = new Map([
  ['&&', 'and'],
  ['||', 'or'],
])

/** Signs of other languages, each with what it is here. */
const FOREIGN_SIGNS: ReadonlyMap<string, string> = new Map([
  ['=', '=='],
  ['===', '=='],
  ['!==', '!='],
  ['<>', '!='],
  ['&', 'and'],
  ['|', 'or'],
])

/**
 * All tokens of a text; the last one is `end`.
 * @throws BlueprintError `CONDITION_INVALID`
 */
export function readTokens(text: string): readonly Token[] {
  const tokens: Token[] = []
  for (let at = skipSpace(text, 0); at < text.length;) {
    const token = readToken(text, at)
    tokens.push(token)
    at = skipSpace(text, token.end)
  }
  return [...tokens, { kind: 'sign', sign: 'end', at: text.length, end: text.length }]
}

function readToken(text: string, at: number): Token {
  const first = text.charAt(at)
  if (first === "'" || first === '"') return { kind: 'literal', at, ...readString(text, at) }
  const name = matchAt(NAME, text, at)
  if (name !== undefined) return readName(text, at, name)
  const number = matchAt(NUMBER, text, at)
  if (number !== undefined) return readNumber(text, at, number)
  return readSign(text, at)
}

function readName(text: string, at: number, name: string): Token {
  const end = at + name.length
  if (SIGN_NAMES.has(name)) return { kind: 'sign', sign: name, at, end }
  const value = LITERAL_NAMES.get(name)
  if (value !== undefined) return { kind: 'literal', value, at, end }
  return readPath(text, at, name)
}

function readPath(text: string, at: number, first: string): Token {
  const keys = [first]
  let end = at + first.length
  for (let part = readPart(text, end); part !== undefined; part = readPart(text, end)) {
    keys.push(part.value)
    end = part.end
  }
  const [root, ...rest] = first === 'context' ? keys.slice(1) : keys
  if (root === undefined) throw conditionError(text, end, 'expected a name, as in `context.name`')
  const name = contextName(root)
  const isPlain = first === 'context' || (isArea(name) && rest.length > 0)
  return { kind: 'path', keys: [name, ...rest], isPlain, at, end }
}

interface Part {
  readonly value: string
  readonly end: number
}

/** `.name`, `.0`, `[0]` or `['any key']`. */
function readPart(text: string, at: number): Part | undefined {
  if (text.charAt(at) === '.') {
    const key = matchAt(KEY, text, at + 1)
    if (key !== undefined) return { value: key, end: at + 1 + key.length }
    throw conditionError(text, at + 1, 'expected a name or an index after the dot')
  }
  return text.charAt(at) === '[' ? readBracketed(text, at) : undefined
}

function readBracketed(text: string, opened: number): Part {
  const at = skipSpace(text, opened + 1)
  const first = text.charAt(at)
  const isQuoted = first === "'" || first === '"'
  const index = matchAt(INDEX, text, at)
  if (!isQuoted && index === undefined) {
    throw conditionError(text, at, 'expected an index, or a key in quotes')
  }
  const { value, end } = isQuoted
    ? readString(text, at)
    : { value: index ?? '', end: at + (index ?? '').length }
  const closed = skipSpace(text, end)
  if (text.charAt(closed) !== ']') throw conditionError(text, closed, 'expected `]`')
  return { value, end: closed + 1 }
}

function readNumber(text: string, at: number, written: string): Token {
  const value = Number(written)
  if (!Number.isFinite(value)) {
    throw conditionError(text, at, `expected a number below 1.8e308, found \`${written}\``)
  }
  return { kind: 'literal', value, at, end: at + written.length }
}

function readSign(text: string, at: number): Token {
  const sign = matchAt(SIGN, text, at)
  if (sign === undefined) {
    const found = String.fromCodePoint(text.codePointAt(at) ?? 0)
    const advice = 'text needs quotes'
    throw conditionError(text, at, `expected a value or an operator, found \`${found}\`; ${advice}`)
  }
  const instead = FOREIGN_SIGNS.get(sign)
  if (instead !== undefined) {
    throw conditionError(text, at, `expected \`${instead}\`, found \`${sign}\``)
  }
  return { kind: 'sign', sign: SAME_SIGNS.get(sign) ?? sign, at, end: at + sign.length }
}

function skipSpace(text: string, at: number): number {
  return at + (matchAt(SPACE, text, at) ?? '').length
}

/** What a sticky pattern finds at a place. */
function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0]
}
