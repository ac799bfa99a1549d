// Grammar, loosest first. A condition is a `choice`.
//   choice     = all { "or" all }
//   all        = negation { "and" negation }
//   negation   = "not" negation | comparison
//   comparison = flip | operand [ operator value ]
//   flip       = "!" ( flip | operand )
//   operand    = literal | path | "[" [ value { "," value } ] "]" | "(" choice ")"
//   value      = operand, but a path begins with "context." or an area, and a word is text
// `and` and `or` are lists, not trees, so that only brackets and negations cost stack.
import { conditionError } from './condition-error.ts'
import { readTokens, type Token } from './condition-lexer.ts'
import type { Comparison, ConditionNode } from './condition-tree.ts'

const MAX_NESTING = 100

const COMPARISONS: ReadonlyMap<string, Comparison> = new Map(
  (['==', '!=', '<', '<=', '>', '>=', 'in'] as const).map((sign) => [sign, sign]),
)

/**
 * Reads a condition.
 * @throws BlueprintError `CONDITION_INVALID`
 */
export function parseCondition(text: string): ConditionNode {
  return new ConditionParser(text).read()
}

class ConditionParser {
  readonly #text: string
  readonly #tokens: readonly Token[]
  #position = 0
  #nesting = 0

  constructor(text: string) {
    this.#text = text
    this.#tokens = readTokens(text)
  }

  read(): ConditionNode {
    const node = this.#choice()
    if (!this.#take('end')) throw this.#expected('`and`, `or` or the end')
    return node
  }

  #choice(): ConditionNode {
    const parts = [this.#all()]
    while (this.#take('or')) parts.push(this.#all())
    return joined('or', parts)
  }

  #all(): ConditionNode {
    const parts = [this.#negation()]
    while (this.#take('and')) parts.push(this.#negation())
    return joined('and', parts)
  }

  #negation(): ConditionNode {
    if (!this.#take('not')) return this.#comparison()
    return { kind: 'not', inner: this.#nested(() => this.#negation()) }
  }

  #comparison(): ConditionNode {
    if (this.#take('!')) return this.#flip()
    const left = this.#operand()
    const operator = this.#operator()
    if (operator === undefined) return left
    return { kind: 'comparison', operator, left, right: this.#right(operator, left) }
  }

  /** In some languages `!` binds closer than `==`, in others `not` does not: nobody should guess. */
  #flip(): ConditionNode {
    const inner = this.#nested(() => (this.#take('!') ? this.#flip() : this.#operand()))
    const next = this.#next
    if (this.#operator() === undefined) return { kind: 'not', inner }
    const advice = 'parentheses that say what `!` negates: `!(a == b)` or `(!a) == b`'
    throw conditionError(this.#text, next.at, `expected ${advice}`)
  }

  #operator(): Comparison | undefined {
    const next = this.#next
    if (next.kind !== 'sign') return undefined
    const after = this.#tokens[this.#position + 1]
    if (next.sign === 'not' && after?.kind === 'sign' && after.sign === 'in') {
      this.#position += 2
      return 'not in'
    }
    const comparison = COMPARISONS.get(next.sign)
    if (comparison !== undefined) this.#position += 1
    return comparison
  }

  #right(operator: Comparison, left: ConditionNode): ConditionNode {
    const next = this.#next
    if (operator === 'in' || operator === 'not in') return this.#operand()
    if (!isWord(next, this.#text) || left.kind !== 'path') return this.#value()
    this.#position += 1
    return { kind: 'literal', value: this.#text.slice(next.at, next.end) }
  }

  #value(): ConditionNode {
    const next = this.#next
    if (next.kind !== 'path' || next.isPlain) return this.#operand()
    const written = this.#text.slice(next.at, next.end)
    throw this.#expected(`quotes for text, as in \`'${written}'\`, or \`context.${written}\``)
  }

  #operand(): ConditionNode {
    const next = this.#next
    if (next.kind === 'sign') return this.#bracketed()
    this.#position += 1
    return next.kind === 'path'
      ? { kind: 'path', keys: next.keys }
      : { kind: 'literal', value: next.value }
  }

  #bracketed(): ConditionNode {
    if (this.#take('[')) return { kind: 'list', items: this.#nested(() => this.#items()) }
    if (!this.#take('(')) throw this.#expected('a value')
    const inner = this.#nested(() => this.#choice())
    if (!this.#take(')')) throw this.#expected('`and`, `or` or `)`')
    return inner
  }

  #items(): readonly ConditionNode[] {
    if (this.#take(']')) return []
    const items = [this.#value()]
    while (this.#take(',')) items.push(this.#value())
    if (!this.#take(']')) throw this.#expected('`,` or `]`')
    return items
  }

  #nested<T>(read: () => T): T {
    if (this.#nesting >= MAX_NESTING) {
      throw this.#expected(`at most ${String(MAX_NESTING)} levels of brackets and negations`)
    }
    this.#nesting += 1
    const inner = read()
    this.#nesting -= 1
    return inner
  }

  get #next(): Token {
    return this.#tokens[this.#position] ?? { kind: 'sign', sign: 'end', at: 0, end: 0 }
  }

  #take(sign: string): boolean {
    const next = this.#next
    const isIt = next.kind === 'sign' && next.sign === sign
    if (isIt) this.#position += 1
    return isIt
  }

  #expected(what: string): Error {
    const { at, end } = this.#next
    const found = at === this.#text.length ? 'the end' : `\`${this.#text.slice(at, end)}\``
    return conditionError(this.#text, at, `expected ${what}, found ${found}`)
  }
}

/** Whether a token is one name and nothing else: neither `context.name` nor `name.key`. */
function isWord(token: Token, text: string): boolean {
  if (token.kind !== 'path' || token.isPlain) return false
  return !/[.[]/u.test(text.slice(token.at, token.end))
}

function joined(kind: 'and' | 'or', parts: readonly ConditionNode[]): ConditionNode {
  const [first] = parts
  return first !== undefined && parts.length === 1 ? first : { kind, parts }
}
