// A second opinion on conditions: random trees, how they may be written, and what they mean. It
// shares nothing with what it checks, and is slow and simple instead.
import type { JsonValue } from '@avtomatika/protocol'
import fc from 'fast-check'

type Spelling = number

/** `spelling` picks among the ways to write the same. */
export type Tree = { readonly spelling: Spelling } & (
  | { readonly is: 'literal'; readonly value: string | number | boolean | null }
  | { readonly is: 'path'; readonly area: Area; readonly keys: readonly string[] }
  | { readonly is: 'list'; readonly items: readonly Tree[] }
  | { readonly is: Operator; readonly left: Tree; readonly right: Tree }
  | { readonly is: 'not'; readonly inner: Tree }
)

const OPERATORS = ['==', '!=', '<', '<=', '>', '>=', 'in', 'not in', 'and', 'or'] as const
type Operator = (typeof OPERATORS)[number]
const AREAS = ['initialData', 'stateHistory', 'event'] as const
type Area = (typeof AREAS)[number]

const spelling = fc.nat(30)
const key = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'b', '0', '1', 'length', 'a b', '__proto__') },
  fc.string({ maxLength: 5 }),
)
const scalar = fc.oneof(
  fc.constantFrom(true, false, null, 0, 1, 2, '', 'a', 'ab'),
  fc.string({ unit: 'grapheme', maxLength: 6 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
)

const trees = fc.letrec<{ tree: Tree; item: Tree; literal: Tree; path: Tree }>((tie) => ({
  literal: fc.record({ is: fc.constant('literal' as const), value: scalar, spelling }),
  path: fc.record({
    is: fc.constant('path' as const),
    area: fc.constantFrom(...AREAS),
    keys: fc.array(key, { minLength: 1, maxLength: 3 }),
    spelling,
  }),
  item: fc.oneof(tie('literal'), tie('path')),
  tree: fc.oneof(
    { maxDepth: 5, depthSize: 'large', withCrossShrink: true },
    tie('literal'),
    tie('path'),
    fc.record({
      is: fc.constant('list' as const),
      items: fc.array(tie('item'), { maxLength: 3 }),
      spelling,
    }),
    {
      weight: 6,
      arbitrary: fc.record({
        is: fc.constantFrom(...OPERATORS),
        left: tie('tree'),
        right: tie('tree'),
        spelling,
      }),
    },
    fc.record({ is: fc.constant('not' as const), inner: tie('tree'), spelling }),
  ),
}))

/** Any condition. */
export const aConditionTree: fc.Arbitrary<Tree> = trees.tree

/** One way of writing a tree, with no more parentheses than it takes, or now and then some more. */
export function printed(tree: Tree): string {
  switch (tree.is) {
    case 'literal':
      return printedLiteral(tree.value, tree.spelling)
    case 'path':
      return printedPath(tree.area, tree.keys, tree.spelling)
    case 'list':
      return `[${tree.items.map(printed).join(pick([',', ', ', ' , '], tree.spelling))}]`
    case 'not':
      return pick([true, false], tree.spelling)
        ? `not ${within(tree.inner, 2)}`
        : `!${isFlip(tree.inner) ? printed(tree.inner) : within(tree.inner, 4)}`
    default: {
      const level = levelOf(tree)
      const sign = pick(SPELLINGS[tree.is], tree.spelling)
      const [left, right] = level === 3 ? [4, 4] : [level, level + 1]
      return `${within(tree.left, left)} ${sign} ${within(tree.right, right)}`
    }
  }
}

const SPELLINGS: Readonly<Record<Operator, readonly string[]>> = {
  ...{ '==': ['=='], '!=': ['!='], '<': ['<'], '<=': ['<='], '>': ['>'], '>=': ['>='] },
  ...{ in: ['in'], 'not in': ['not in', 'not\n in'], and: ['and', '&&'], or: ['or', '||'] },
}

function within(tree: Tree, level: number): string {
  const text = printed(tree)
  return levelOf(tree) < level || tree.spelling % 7 === 6 ? `(${text})` : text
}

/** How closely it binds: `or` 0, `and` 1, `not` 2, comparisons and `!` 3, values 4. */
function levelOf(tree: Tree): number {
  switch (tree.is) {
    case 'or':
      return 0
    case 'and':
      return 1
    case 'not':
      return isFlip(tree) ? 3 : 2
    case 'literal':
    case 'path':
    case 'list':
      return 4
    default:
      return 3
  }
}

function isFlip(tree: Tree): boolean {
  return tree.is === 'not' && !pick([true, false], tree.spelling)
}

function printedLiteral(value: string | number | boolean | null, spelling: Spelling): string {
  if (typeof value === 'number') return String(value)
  if (value === true) return pick(['true', 'True'], spelling)
  if (value === false) return pick(['false', 'False'], spelling)
  if (value === null) return pick(['null', 'None'], spelling)
  return quoted(value, spelling)
}

function quoted(text: string, spelling: Spelling): string {
  const json = JSON.stringify(text)
  const inside = json
    .slice(1, -1)
    .replaceAll('\\"', '"')
    .replaceAll("'", String.raw`\'`)
  return pick([json, `'${inside}'`], spelling)
}

function printedPath(area: Area, keys: readonly string[], spelling: Spelling): string {
  const older = { initialData: 'initial_data', stateHistory: 'state_history', event: 'event' }
  const name = pick([area, older[area]], spelling)
  const parts = keys.map((each) => {
    if (/^[a-z_]+$/u.test(each)) return pick([`.${each}`, `[${quoted(each, spelling)}]`], spelling)
    if (/^\d+$/u.test(each)) return pick([`.${each}`, `[${each}]`], spelling)
    return `[${quoted(each, spelling)}]`
  })
  return `${pick(['', '', 'context.'], spelling)}${name}${parts.join('')}`
}

function pick<T>(ways: readonly [T, ...T[]] | readonly T[], spelling: Spelling): T {
  return ways[spelling % ways.length] as T
}

/** What a tree means in a context. */
export function valueOf(tree: Tree, context: Readonly<Record<Area, JsonValue>>): JsonValue {
  if (tree.is === 'literal') return tree.value
  if (tree.is === 'list') return tree.items.map((item) => valueOf(item, context))
  if (tree.is === 'not') return !valueOf(tree.inner, context)
  if (tree.is === 'path') return tree.keys.reduce(memberOf, context[tree.area])
  const left = valueOf(tree.left, context)
  const right = valueOf(tree.right, context)
  return MEANINGS[tree.is](left, right)
}

function memberOf(owner: JsonValue, wanted: string): JsonValue {
  if (owner === null || typeof owner !== 'object') return null
  if (Array.isArray(owner) && wanted === 'length') return owner.length
  const found = Object.entries(owner).find(([name]) => name === wanted) as
    [string, JsonValue] | undefined
  return found === undefined ? null : found[1]
}

const MEANINGS: Readonly<Record<Operator, (left: JsonValue, right: JsonValue) => boolean>> = {
  '==': isSame,
  '!=': (left, right) => !isSame(left, right),
  '<': ordered((left, right) => left < right),
  '<=': ordered((left, right) => left <= right),
  '>': ordered((left, right) => left > right),
  '>=': ordered((left, right) => left >= right),
  in: isWithin,
  'not in': (left, right) => !isWithin(left, right),
  and: (left, right) => Boolean(left) && Boolean(right),
  or: (left, right) => Boolean(left) || Boolean(right),
}

function ordered(compare: (left: number | string, right: number | string) => boolean) {
  return (left: JsonValue, right: JsonValue): boolean => {
    if (typeof left === 'number' && typeof right === 'number') return compare(left, right)
    return typeof left === 'string' && typeof right === 'string' && compare(left, right)
  }
}

function isWithin(item: JsonValue, whole: JsonValue): boolean {
  if (Array.isArray(whole)) return whole.some((each: JsonValue) => isSame(item, each))
  if (typeof item !== 'string' || whole === null) return false
  if (typeof whole === 'string') return whole.includes(item)
  return typeof whole === 'object' && Object.keys(whole).includes(item)
}

function isSame(left: JsonValue, right: JsonValue): boolean {
  return canonical(left) === canonical(right)
}

/** The same text for the same data, whatever the order of its keys. */
function canonical(value: JsonValue): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  const entries = Object.entries<JsonValue>(value)
  const members = entries.map(([name, each]) => `${JSON.stringify(name)}:${canonical(each)}`)
  return `{${members.toSorted().join()}}`
}
