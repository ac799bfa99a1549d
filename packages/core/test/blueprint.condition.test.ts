import { readFileSync } from 'node:fs'
import { BlueprintError, type JsonObject, type JsonValue } from '@avtomatika/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileCondition, type ConditionContext } from '../src/blueprint/condition.ts'
import { aConditionTree, printed, valueOf } from './support/condition-reference.ts'

const CONTEXT: ConditionContext = {
  jobId: 'job-1',
  attempt: 2,
  initialData: {
    type: 'urgent',
    amount: 12.5,
    count: 3,
    zero: 0,
    debt: -4,
    paid: true,
    late: false,
    note: null,
    empty: '',
    code: '3',
    tags: ['a', 'b', 3],
    none: [],
    blank: {},
    items: [{ id: 7 }, { id: 8 }],
    address: { city: 'Oslo', 'a b': 1, in: 'yes', "it's": 2 },
    quote: 'say "hi"\\\n',
    version: 'v1.2',
    day: '2026-01-31',
    place: 'New York',
    author: "O'Brien",
    kind: 'in-progress',
  },
  stateHistory: { a: { b: { c: 1 } }, result: { tags: ['a', 'b', 3] } },
  aggregationResults: { 'task-1': { status: 'success', data: { n: 1 }, error: null } },
  branches: [{ name: 'left', status: 'failure' }],
  approval: { decision: 'approved', actor: 'ann', data: { limit: 100 } },
  child: { outcome: 'finished', finalState: 'done' },
  event: undefined,
  amount: 12.5,
  role: 'admin',
}

const test = (text: string, context = CONTEXT): boolean => compileCondition(text).test(context)

function problemOf(text: string): { readonly message: string; readonly column: unknown } {
  try {
    compileCondition(text)
  } catch (error) {
    if (!BlueprintError.is(error)) throw error
    expect(error.code).toBe('CONDITION_INVALID')
    return { message: error.message, column: (error.details as JsonObject)['column'] }
  }
  throw new Error(`\`${text}\` was taken for a condition.`)
}

/** Rows of text, and whether it holds of {@link CONTEXT}. */
function table(rows: readonly (readonly [text: string, expected: boolean])[]): void {
  it.each(rows)('%s is %s', (text, expected) => {
    expect(test(text)).toBe(expected)
  })
}

describe('a condition compares', () => {
  table([
    ["context.initial_data.type == 'urgent'", true],
    ['context.initial_data.type == "urgent"', true],
    ["context.initial_data.type == 'Urgent'", false],
    ["context.initial_data.type != 'urgent'", false],
    ["context.initial_data.type != 'normal'", true],
    ['context.initial_data.count > 3', false],
    ['context.initial_data.count >= 3', true],
    ['context.initial_data.count < 3.5', true],
    ['context.initial_data.count <= 2.5', false],
    ['context.initial_data.amount == 1.25e1', true],
    ['context.initial_data.debt == -4', true],
    ['context.initial_data.debt < -3.9e0', true],
    ["'a' < 'b'", true],
    ["context.initial_data.day >= '2026-01-01'", true],
    ['3 < context.initial_data.amount', true],
    ['context.initial_data.count < context.initial_data.amount', true],
    ['initial_data.amount <= approval.data.limit', true],
    ['context.initial_data.amount == context.amount', true],
    ['initial_data.tags == state_history.result.tags', true],
    ["initial_data.tags == ['a', 'b', 3]", true],
    ["initial_data.tags == ['a', 3, 'b']", false],
    ['initial_data.none == []', true],
    ['initial_data.items[0] == initial_data.items[1]', false],
    ['1 == 1', true],
  ])
})

describe('a condition compares types strictly, and nothing that does not compare', () => {
  table([
    ["context.initial_data.code == '3'", true],
    ['context.initial_data.code == 3', false],
    ['context.initial_data.paid == 1', false],
    ["context.initial_data.paid == 'true'", false],
    ['context.initial_data.zero == false', false],
    ['context.initial_data.empty == null', false],
    ["'a' > 3", false],
    ["'a' <= 3", false],
    ["3 < 'a'", false],
    ['true > false', false],
    ['null <= null', false],
    ['[1] < [2]', false],
    ['context.initial_data.type > 3', false],
    ['context.initial_data.address == context.initial_data.tags', false],
    ['context.initial_data.blank == []', false],
    ['[] == context.initial_data.blank', false],
    ['[] == context.initial_data.nope', false],
  ])
})

describe('booleans and null match those of JSON, in both spellings (D-78)', () => {
  table([
    ['context.initial_data.paid == true', true],
    ['context.initial_data.paid == True', true],
    ['context.initial_data.late == false', true],
    ['context.initial_data.late == False', true],
    ['context.initial_data.paid != True', false],
    ['context.initial_data.note == null', true],
    ['context.initial_data.note == None', true],
    ['context.initial_data.note != None', false],
    ["context.initial_data.paid == 'True'", false],
  ])
})

describe('a path leads', () => {
  table([
    ['context.state_history.a.b.c == 1', true],
    ['state_history.a.b.c == 1', true],
    ['stateHistory.a.b.c == 1', true],
    ['context.stateHistory.a.b.c == 1', true],
    ['initial_data.items[0].id == 7', true],
    ['initial_data.items.1.id == 8', true],
    ['initial_data.items[ 1 ].id == 8', true],
    ['initial_data.items[2].id == null', true],
    ['initial_data.items.length == 2', true],
    ["initial_data.address['a b'] == 1", true],
    ['initial_data["address"]["a b"] == 1', true],
    ["initial_data.address['it\\'s'] == 2", true],
    ["initial_data.address.in == 'yes'", true],
    ["context['initial_data'].type == 'urgent'", true],
    ["aggregation_results['task-1'].data.n == 1", true],
    ["aggregationResults['task-1'].status == 'success'", true],
    ["branches[0].status == 'failure'", true],
    ["approval.decision == 'approved'", true],
    ["child.outcome == 'finished' and child.finalState == 'done'", true],
    ["context.role == 'admin'", true],
    ["role == 'admin'", true],
    ["job_id == 'job-1' and context.job_id == context.jobId", true],
  ])
})

describe('what is missing is null', () => {
  table([
    ['context.initial_data.nope == null', true],
    ['context.initial_data.nope != null', false],
    ["context.initial_data.nope == 'a'", false],
    ["context.initial_data.nope != 'a'", true],
    ["not (context.initial_data.nope == 'a')", true],
    ['context.initial_data.nope > 0', false],
    ['context.initial_data.nope <= 0', false],
    ['context.initial_data.nope', false],
    ['not context.initial_data.nope', true],
    ['context.initial_data.nope in [1, null]', true],
    ["'a' in context.initial_data.nope", false],
    ["'a' not in context.initial_data.nope", true],
    ['context.initial_data.type.deeper.still == null', true],
    ['context.initial_data.note.deeper == null', true],
    ['no_such_area.field == null', true],
    ["event.name == 'paid'", false],
    ['context.initial_data.type.length == null', true],
  ])
})

describe('nothing inherited can be seen', () => {
  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty', 'constructor.name'])(
    '%s is missing, of the context, of data, of arrays and of text',
    (key) => {
      for (const owner of ['context', 'initial_data', 'initial_data.tags', 'initial_data.type']) {
        expect(test(`${owner}.${key} == null`)).toBe(true)
        expect(test(`${owner}['${key}'] == null`)).toBe(true)
      }
    },
  )

  it('keys of an inherited name are seen where the data has them', () => {
    const initialData = JSON.parse('{"__proto__": 1, "constructor": {"name": 2}}') as JsonObject
    const context = { initialData, stateHistory: {} }
    expect(test('initial_data.__proto__ == 1', context)).toBe(true)
    expect(test('initial_data.constructor.name == 2', context)).toBe(true)
  })

  it('neither getters nor what is not JSON', () => {
    const stores = {
      get secret(): string {
        throw new Error('A getter ran.')
      },
      client: new (class {
        readonly token = 't'
      })(),
      get: () => 1,
    }
    const context = { initialData: {}, stateHistory: {}, dataStores: stores }
    expect(test('dataStores.secret == null', context)).toBe(true)
    expect(test('dataStores.client.token == null', context)).toBe(true)
    expect(test('dataStores.client', context)).toBe(false)
    expect(test('dataStores.get', context)).toBe(false)
    expect(test('dataStores == context.dataStores.nope', context)).toBe(false)
  })
})

describe('an operand alone is its truth', () => {
  table([
    ['context.initial_data.paid', true],
    ['context.initial_data.late', false],
    ['context.initial_data.zero', false],
    ['context.initial_data.empty', false],
    ['context.initial_data.note', false],
    ['context.initial_data.type', true],
    ['context.initial_data.debt', true],
    ['context.initial_data.none', true],
    ['context.initial_data.address', true],
    ['true', true],
    ['(null)', false],
  ])
})

describe('and, or and not', () => {
  table([
    ["initial_data.type == 'urgent' and initial_data.count > 2", true],
    ["initial_data.type == 'urgent' && initial_data.count > 3", false],
    ["initial_data.type == 'no' or initial_data.count == 3", true],
    ["initial_data.type == 'no' || initial_data.count == 4", false],
    ['true or false and false', true],
    ['(true or false) and false', false],
    ['false and false or true', true],
    ['not false and false', false],
    ['not (false and false)', true],
    ['not 1 == 2', true],
    ['not not true', true],
    ['!false', true],
    ['!!initial_data.type', true],
    ['!(1 == 1)', false],
    ['not !true', true],
    ['true && !false || false', true],
    ['(1 == 1) == true', true],
    ['(1 == 2) == false', true],
    ['(initial_data.count) == (3)', true],
    ['initial_data.count == (initial_data.amount)', false],
    ['initial_data.paid and(initial_data.type)', true],
    ['  true\n  and\ttrue ', true],
  ])
})

describe('in and not in', () => {
  table([
    ["initial_data.type in ['urgent', 'high']", true],
    ["initial_data.type in ['low']", false],
    ["initial_data.type not in ['low']", true],
    ["initial_data.type not  in ['urgent']", false],
    ['initial_data.count in [1, 2, 3]', true],
    ['initial_data.code in [1, 2, 3]', false],
    ['initial_data.count in []', false],
    ['initial_data.late in [false, null]', true],
    ['initial_data.count in [context.initial_data.zero, initial_data.count]', true],
    ["'a' in initial_data.tags", true],
    ["'c' in initial_data.tags", false],
    ['3 in initial_data.tags', true],
    ["'3' in initial_data.tags", false],
    ['[1] in [[1], [2]]', true],
    ["'rgen' in initial_data.type", true],
    ["'x' in initial_data.type", false],
    ["'x' not in initial_data.type", true],
    ['3 in initial_data.code', false],
    ["'city' in initial_data.address", true],
    ["'constructor' in initial_data.address", false],
    ["'a' in 3", false],
    ["'admin' in role", true],
    ['initial_data.count in[3]', true],
  ])
})

describe('text in quotes', () => {
  table([
    [String.raw`initial_data.quote == 'say "hi"\\\n'`, true],
    [String.raw`initial_data.quote == "say \"hi\"\\\n"`, true],
    [String.raw`'\u00e9\t\'' == "é	'"`, true],
    ["'' == initial_data.empty", true],
    ["'and' == 'or'", false],
    ['\'(\' == "("', true],
    ["'context.role' == context.role", false],
  ])
})

describe('the older form, words without quotes, goes on working', () => {
  table([
    ['context.initial_data.type == urgent', true],
    ['context.initial_data.type != urgent', false],
    ['context.initial_data.type==urgent', true],
    ['  context.initial_data.type  ==  urgent  ', true],
    ['context.initial_data.type == role', false],
    ['context.initial_data.place == New York', true],
    ['context.initial_data.version == v1.2', true],
    ['context.initial_data.day == 2026-01-31', true],
    ['context.initial_data.day >= 2026-01-01', true],
    ["context.initial_data.author == O'Brien", true],
    ['context.initial_data.kind == in-progress', true],
    ['context.initial_data.amount > +12', true],
    ['context.initial_data.amount > .5', true],
    ['context.initial_data.count == 3.', true],
    ['context.initial_data.count == 03', true],
    ['context.initial_data.type == http://a.b/c?d=e', false],
    ['context.initial_data.type == 550e8400-e29b', false],
    ['context.initial_data.nope == urgent', false],
    ['context.state_history.a.b.c == 1 apple', false],
  ])

  it('also beside other comparisons, where the text is one word', () => {
    expect(test('initial_data.type == urgent and initial_data.count == 3')).toBe(true)
    expect(test('(initial_data.type != urgent) or initial_data.kind == done')).toBe(false)
  })
})

describe('text that is no condition is refused where it goes wrong', () => {
  it.each([
    ['', 1, 'expected a value, found the end'],
    ['   ', 4, 'expected a value, found the end'],
    ['context', 8, 'expected a name, as in `context.name`'],
    ['context. ', 9, 'expected a name or an index after the dot'],
    ['a.b.', 5, 'expected a name or an index after the dot'],
    ['a[', 3, 'expected an index, or a key in quotes'],
    ['a[-1]', 3, 'expected an index, or a key in quotes'],
    ['a[b]', 3, 'expected an index, or a key in quotes'],
    ['a[0', 4, 'expected `]`'],
    ['a.b ==', 7, 'expected a value, found the end'],
    ['== 3', 1, 'expected a value, found `==`'],
    ['a.b = 3', 5, 'expected `==`, found `=`'],
    ['a.b === 3', 5, 'expected `==`, found `===`'],
    ['a.b !== 3', 5, 'expected `!=`, found `!==`'],
    ['a.b <> 3', 5, 'expected `!=`, found `<>`'],
    ['a.b & c.d', 5, 'expected `and`, found `&`'],
    ['a.b | c.d', 5, 'expected `or`, found `|`'],
    ['1 < 2 < 3', 7, 'expected `and`, `or` or the end, found `<`'],
    ['1 == 2 3', 8, 'expected `and`, `or` or the end, found `3`'],
    ['(1 == 2', 8, 'expected `and`, `or` or `)`, found the end'],
    ['1 == 2)', 7, 'expected `and`, `or` or the end, found `)`'],
    ['1 in [1, 2', 11, 'expected `,` or `]`, found the end'],
    ['1 in [1,]', 9, 'expected a value, found `]`'],
    ['1 in [1 2]', 9, 'expected `,` or `]`, found `2`'],
    ['1 not 2', 3, 'expected `and`, `or` or the end, found `not`'],
    ['true and', 9, 'expected a value, found the end'],
    ['not', 4, 'expected a value, found the end'],
    ['1 == not 2', 6, 'expected a value, found `not`'],
    ['!a.b == 3', 6, 'parentheses that say what `!` negates: `!(a == b)` or `(!a) == b`'],
    ["'abc", 5, "expected the closing ' of this text"],
    [String.raw`'C:\dir'`, 4, 'a backslash itself is written twice'],
    ['1e999 > 2', 1, 'expected a number below 1.8e308, found `1e999`'],
    ['a.b == 3abc', 8, 'expected a value or an operator, found `3`; text needs quotes'],
    ['a.b @ 3', 5, 'found `@`'],
    ['a.b == 😀', 8, 'found `😀`'],
    ["'x' == word", 8, "quotes for text, as in `'word'`, or `context.word`, found `word`"],
    ['a.b in [low, high]', 9, "quotes for text, as in `'low'`, or `context.low`, found `low`"],
    ['a.b < order.limit and true', 7, 'or `context.order.limit`, found `order.limit`'],
  ])('%s', (text, column, problem) => {
    const found = problemOf(text)
    expect(found.message).toContain(
      `Condition \`${text}\` cannot be read at column ${String(column)}:`,
    )
    expect(found.message).toContain(problem)
    expect(found.column).toBe(column)
  })

  it.each([
    "context.initial_data.type == 'urgent",
    'context.initial_data.type == urgent"',
    "context.initial_data.type == 'urgent' and",
    'context.initial_data.type == new york and',
    'context.initial_data.type == a-b or c-d',
    'context.initial_data.type == not ready',
    'context.initial_data.type == (urgent',
    'context.initial_data.type == [1, 2',
    'context.initial_data.type === urgent',
    'context.initial_data.type == a == b c',
    'context.initial_data.type == !urgent',
    'context.initial_data.type == a-b && c',
    'context.initial_data.type ==',
    'context.initial_data.count == 1e999',
    'initial_data.place == New York',
  ])('a slip is no text of the older form: %s', (text) => {
    expect(problemOf(text).message).toContain(text)
  })

  it('names the place in a text too long to be quoted', () => {
    const text = `${'true and '.repeat(100)}= ${'or true '.repeat(100)}`
    const { message, column } = problemOf(text)
    expect(column).toBe(901)
    expect(message).toContain('and = or')
    expect(message.length).toBeLessThan(400)
  })
})

describe('size is bounded', () => {
  const inside = (levels: number, open: string, close: string): string =>
    `${open.repeat(levels)}true${close.repeat(levels)}`

  it.each([
    ['(', ')'],
    ['[', ']'],
    ['not ', ''],
    ['!', ''],
  ])('%s %s may be nested 100 levels deep and no deeper', (open, close) => {
    expect(test(inside(100, open, close))).toBe(true)
    const { message } = problemOf(inside(101, open, close))
    expect(message).toContain('expected at most 100 levels of brackets and negations')
  })

  it('brackets that were closed do not count', () => {
    expect(test(Array.from({ length: 150 }, () => '(true)').join(' and '))).toBe(true)
  })

  it('2 000 characters are read, one more is not, and millions cost nothing', () => {
    expect(test('true'.padEnd(2_000))).toBe(true)
    const { message } = problemOf('true'.padEnd(2_001))
    expect(message).toContain('expected at most 2000 characters, found 2001')
    expect(problemOf('('.repeat(5_000_000)).message.length).toBeLessThan(400)
  })

  it('a long chain is no nesting', () => {
    expect(test('true and '.repeat(220) + 'true')).toBe(true)
    expect(test('0 or '.repeat(390) + 'false')).toBe(false)
  })

  it('data of any depth can be compared', () => {
    const deep = (levels: number): JsonValue => {
      let value: JsonValue = 1
      for (let i = 0; i < levels; i += 1) value = [value]
      return value
    }
    const compare = (levels: number): boolean => {
      const initialData = { a: deep(levels), b: deep(levels) }
      return test('initial_data.a == context.initial_data.b', { initialData, stateHistory: {} })
    }
    expect(compare(100)).toBe(true)
    expect(compare(100_000)).toBe(false)
  })
})

describe('a compiled condition', () => {
  it('keeps the text as it was written', () => {
    expect(compileCondition(' a.b == 1 ').text).toBe(' a.b == 1 ')
  })

  it('can be tested again and again, of different data', () => {
    const condition = compileCondition('initial_data.n in [1, 2]')
    const results = [1, 3, 2].map((n) => condition.test({ initialData: { n }, stateHistory: {} }))
    expect(results).toEqual([true, false, true])
  })
})

describe('the manual', () => {
  const manual = readFileSync(
    new URL('../../../docs/reference/conditions.md', import.meta.url),
    'utf8',
  )
  const sections = manual.split(/^## /mu)

  /** The conditions of a section's table, each with what its row says. */
  function rowsOf(title: string): { readonly text: string; readonly says: string }[] {
    const section = sections.find((each) => each.startsWith(title)) ?? ''
    const rows = [...section.matchAll(/^\| (`.+`) \| (.+) \|$/gmu)]
    return rows.flatMap(([, texts = '', says = '']) =>
      [...texts.matchAll(/`([^`]+)`/gu)].map(([, text = '']) => ({ text, says })),
    )
  }

  it('shows no example that cannot be compiled', () => {
    const rows = [...rowsOf('Examples'), ...rowsOf('The older form').slice(0, 4)]
    expect(rows.length).toBeGreaterThan(12)
    for (const { text } of rows) expect(compileCondition(text).text).toBe(text)
  })

  it('says what holds of a missing value', () => {
    const rows = rowsOf('What is missing')
    expect(rows.length).toBeGreaterThan(8)
    for (const { text, says } of rows) expect(test(text) ? 'yes' : 'no', text).toBe(says)
  })
})

describe('for whatever conditions there are', () => {
  const aKey = fc.constantFrom('a', 'b', '0', 'length', 'a b', 'constructor', '__proto__')
  const someData = fc
    .dictionary(aKey, fc.jsonValue({ maxDepth: 3 }))
    .map((data) => data as JsonObject)
  const someContext = fc.record({ initialData: someData, stateHistory: someData, event: someData })

  it('printing a tree and compiling it means what the tree means', () => {
    fc.assert(
      fc.property(aConditionTree, someContext, (tree, context) => {
        const text = printed(tree)
        fc.pre(text.length <= 2_000)
        expect(compileCondition(text).test(context), text).toBe(Boolean(valueOf(tree, context)))
      }),
      { numRuns: 2_000 },
    )
  })

  const token = fc.constantFrom(
    ...['context', 'initial_data', '.', 'a', '[', ']', '(', ')', '0', '-1', "'x'", '"', '\\', ','],
    ...['==', '!=', '<', '>=', '=', 'and', 'or', 'not', 'in', '!', '&&', '|', 'null', 'True', ' '],
  )
  const soup = fc.array(token, { maxLength: 30 })
  const someText = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    soup.map((tokens) => tokens.join('')),
    soup.map((tokens) => `context.initial_data.a == ${tokens.join(' ')}`),
    fc.tuple(aConditionTree, fc.nat(), fc.nat()).map(([tree, from, length]) => {
      const text = printed(tree)
      const at = from % (text.length + 1)
      return text.slice(0, at) + text.slice(at + (length % 4))
    }),
  )

  it('any text compiles and never throws when tested, or is CONDITION_INVALID', () => {
    const outcomes = { compiled: 0, refused: 0 }
    fc.assert(
      fc.property(someText, someContext, (text, context) => {
        try {
          expect(compileCondition(text).test(context)).toBeTypeOf('boolean')
          outcomes.compiled += 1
        } catch (error) {
          if (!BlueprintError.is(error)) throw error
          expect(error.code).toBe('CONDITION_INVALID')
          outcomes.refused += 1
        }
      }),
      { numRuns: 3_000 },
    )
    expect(outcomes.compiled).toBeGreaterThan(100)
    expect(outcomes.refused).toBeGreaterThan(100)
  })
})
