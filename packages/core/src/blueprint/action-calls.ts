/**
 * Which calls in the source of a handler are actions, by whatever name the handler knows them:
 * `actions.goTo(…)`, `context.actions.goTo(…)`, `({ actions: { goTo } }) => goTo(…)`, or the short
 * names that a minifier gives.
 */
import type {
  AnyNode,
  AssignmentProperty,
  CallExpression,
  MemberExpression,
  Pattern,
  Property,
} from 'acorn'
import { ancestor, simple } from 'acorn-walk'

export interface ActionCall {
  /** The name of the action; `null` when it is computed. */
  readonly name: string | null
  readonly argument: AnyNode | undefined
}

export interface ActionCalls {
  /** In order of appearance; a call inside another one's arguments comes first. */
  readonly calls: readonly ActionCall[]
  /** Whether the handler hands its actions to somebody else, who may call more of them. */
  readonly escapes: boolean
}

/** Finds the actions that a function calls. */
export function actionCalls(handler: AnyNode): ActionCalls {
  const names = new ActionNames(handler)
  const calls: ActionCall[] = []
  simple(handler, {
    CallExpression: (node) => {
      const name = names.called(node)
      if (name !== undefined) calls.push({ name, argument: node.arguments[0] })
    },
  })
  return { calls, escapes: escapes(handler, names) }
}

/** What a handler calls its context, its actions, and single ones of them. */
class ActionNames {
  readonly #context: string | undefined
  readonly #actions = new Set(['actions'])
  readonly #single = new Map<string, string | null>()

  constructor(handler: AnyNode) {
    this.#context = contextName(handler)
    simple(handler, {
      ObjectPattern: ({ properties }) => {
        for (const property of properties) {
          if (property.type === 'Property' && propertyName(property) === 'actions') {
            this.#bind(property.value)
          }
        }
      },
      VariableDeclarator: ({ id, init }) => {
        if (init?.type === 'MemberExpression' && id.type === 'Identifier') {
          if (this.#isActions(init.object)) this.#single.set(id.name, memberName(init))
        }
        if (init != null && this.#isActions(init)) this.#bind(id)
      },
    })
  }

  /** The name of the action that is called, `null` if it is computed, `undefined` for other calls. */
  called({ callee }: CallExpression): string | null | undefined {
    if (callee.type === 'Identifier') return this.#single.get(callee.name)
    if (callee.type !== 'MemberExpression' || !this.#isActions(callee.object)) return undefined
    return memberName(callee)
  }

  /** Whether a node stands for all actions: the object itself, or the context that has it. */
  holdsActions(node: AnyNode): boolean {
    if (node.type === 'Identifier' && node.name === this.#context) return true
    return this.#isActions(node)
  }

  #isActions(node: AnyNode): boolean {
    if (node.type === 'Identifier') return this.#actions.has(node.name)
    return node.type === 'MemberExpression' && memberName(node) === 'actions'
  }

  #bind(pattern: Pattern): void {
    if (pattern.type === 'Identifier') this.#actions.add(pattern.name)
    if (pattern.type !== 'ObjectPattern') return
    for (const property of pattern.properties) {
      if (property.type !== 'Property' || property.value.type !== 'Identifier') continue
      this.#single.set(property.value.name, propertyName(property))
    }
  }
}

/** Actions that are more than looked into or taken apart: passed on, kept, returned. */
function escapes(handler: AnyNode, names: ActionNames): boolean {
  let found = false
  const look = (node: AnyNode, _state: unknown, ancestors: readonly AnyNode[]): void => {
    if (!names.holdsActions(node)) return
    const parent = ancestors.at(-2)
    const isLookedInto = parent?.type === 'MemberExpression' && parent.object === node
    const isTakenApart = parent?.type === 'VariableDeclarator'
    if (!isLookedInto && !isTakenApart) found = true
  }
  ancestor(handler, { Identifier: look, MemberExpression: look })
  return found
}

/** The handler's one parameter, if it has a name. */
function contextName(handler: AnyNode): string | undefined {
  const [parameter] = parametersOf(handler)
  return parameter?.type === 'Identifier' ? parameter.name : undefined
}

/** A method is parsed within an object or a class of its own. */
function parametersOf(handler: AnyNode): readonly Pattern[] {
  switch (handler.type) {
    case 'ArrowFunctionExpression':
    case 'FunctionExpression':
      return handler.params
    case 'ObjectExpression':
      return handler.properties.flatMap((each) =>
        each.type === 'Property' ? parametersOf(each.value) : [],
      )
    case 'ClassExpression':
      return handler.body.body.flatMap((each) =>
        each.type === 'MethodDefinition' ? parametersOf(each.value) : [],
      )
    default:
      return []
  }
}

function memberName({ property, computed }: MemberExpression): string | null {
  if (!computed) return property.type === 'Identifier' ? property.name : null
  return property.type === 'Literal' && typeof property.value === 'string' ? property.value : null
}

/** The name of a key; `null` when it is computed. */
export function propertyName({ key, computed }: Property | AssignmentProperty): string | null {
  if (key.type === 'Identifier') return computed ? null : key.name
  if (key.type !== 'Literal') return null
  return typeof key.value === 'string' || typeof key.value === 'number' ? String(key.value) : null
}
