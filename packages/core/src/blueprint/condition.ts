// The text form of a condition, as `.when()` takes it. docs/reference/conditions.md is its manual.
//   K1 Compiled once, to closures; no text is ever run as code.
//   K2 A test never throws and changes nothing: what is missing is null, what cannot be compared
//      does not compare.
//   K3 Only own data properties are seen, so no path leads to a prototype or runs a getter.
import { AvtomatikaError, type JsonObject } from '@avtomatika/protocol'
import { conditionError } from './condition-error.ts'
import { parseOlderForm } from './condition-older-form.ts'
import { parseCondition } from './condition-parser.ts'
import type { ConditionNode } from './condition-tree.ts'
import { holds, isTruthy, valueAt } from './condition-values.ts'

/** What a condition sees: the context of a handler. */
export interface ConditionContext {
  readonly initialData: JsonObject
  readonly stateHistory: JsonObject
  readonly [key: string]: unknown
}

/** A condition that is ready to be tested, as often as needed. */
export interface Condition {
  /** As its author wrote it. */
  readonly text: string
  /** Whether it holds. Never throws. */
  test(context: ConditionContext): boolean
}

/** Enough for any condition that a person can read; bounds the work at registration. */
const MAX_LENGTH = 2_000

type Evaluate = (context: ConditionContext) => unknown

/**
 * Compiles a condition such as `context.initial_data.type == 'urgent' and not event.data.late`.
 *
 * @throws BlueprintError `CONDITION_INVALID` for text that is no condition, longer than 2 000
 *   characters or nested more than 100 levels deep. The message quotes the text and says what was
 *   expected at which column.
 */
export function compileCondition(text: string): Condition {
  if (text.length > MAX_LENGTH) {
    const problem = `expected at most ${String(MAX_LENGTH)} characters, found ${String(text.length)}`
    throw conditionError(text, MAX_LENGTH, problem)
  }
  const evaluate = compile(readCondition(text))
  return { text, test: (context) => isTruthy(evaluate(context)) }
}

function readCondition(text: string): ConditionNode {
  try {
    return parseCondition(text)
  } catch (error) {
    const older = AvtomatikaError.is(error) ? parseOlderForm(text) : undefined
    if (older === undefined) throw error
    return older
  }
}

function compile(node: ConditionNode): Evaluate {
  switch (node.kind) {
    case 'literal':
      return () => node.value
    case 'path':
      return (context) => valueAt(context, node.keys)
    case 'list':
      return compileList(node.items)
    case 'comparison':
      return compileComparison(node)
    case 'not':
      return negated(compile(node.inner))
    case 'and':
    case 'or':
      return compileJunction(node)
  }
}

function compileList(nodes: readonly ConditionNode[]): Evaluate {
  const items = nodes.map(compile)
  return (context) => items.map((item) => item(context))
}

type NodeOf<Kind> = Extract<ConditionNode, { readonly kind: Kind }>

function compileComparison({ operator, ...sides }: NodeOf<'comparison'>): Evaluate {
  const left = compile(sides.left)
  const right = compile(sides.right)
  return (context) => holds(operator, left(context), right(context))
}

function negated(inner: Evaluate): Evaluate {
  return (context) => !isTruthy(inner(context))
}

function compileJunction({ kind, parts }: NodeOf<'and' | 'or'>): Evaluate {
  const each = parts.map(compile)
  return kind === 'and'
    ? (context) => each.every((part) => isTruthy(part(context)))
    : (context) => each.some((part) => isTruthy(part(context)))
}
