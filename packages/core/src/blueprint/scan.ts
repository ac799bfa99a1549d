/**
 * Which states a handler can go to, read from its source as far as literals show it.
 *
 * A best effort: a target that is computed is only reported as unseen, so that its author can
 * declare it with `to`.
 */
import {
  parseExpressionAt,
  type AnyNode,
  type AssignmentProperty,
  type CallExpression,
  type Property,
} from 'acorn'
import { simple } from 'acorn-walk'

export interface ScanResult {
  /** Literal targets, in order of appearance. */
  readonly targets: readonly string[]
  /** Whether there are targets that the scan could not read. */
  readonly hasUnseen: boolean
}

const TRANSITION_CALLS = new Set(['transitionTo', 'goTo'])

/** Scans the source text of a handler. */
export function scanHandler(source: string): ScanResult {
  const root = parseFunction(source)
  if (root === undefined) return { targets: [], hasUnseen: true }
  const found = new Found()
  simple(root, {
    CallExpression: (node) => {
      const action = actionName(node)
      if (TRANSITION_CALLS.has(action)) found.add(node.arguments[0])
      if (action === 'dispatchTask') found.addTransitionsOf(node.arguments[0])
    },
  })
  return found
}

class Found implements ScanResult {
  readonly targets: string[] = []
  hasUnseen = false

  add(node: AnyNode | undefined): void {
    if (node?.type === 'Literal' && typeof node.value === 'string') {
      if (!this.targets.includes(node.value)) this.targets.push(node.value)
    } else if (node?.type === 'ConditionalExpression') {
      this.add(node.consequent)
      this.add(node.alternate)
    } else if (node?.type === 'TemplateLiteral' && node.expressions.length === 0) {
      const text = node.quasis[0]?.value.cooked ?? ''
      if (!this.targets.includes(text)) this.targets.push(text)
    } else {
      this.hasUnseen = true
    }
  }

  /** Only the options' own key: `params` may hold a key of the same name. */
  addTransitionsOf(options: AnyNode | undefined): void {
    const properties = options?.type === 'ObjectExpression' ? options.properties : []
    const own = properties.filter((property) => property.type === 'Property')
    const transitions = own.find((property) => propertyName(property) === 'transitions')
    if (transitions === undefined) this.hasUnseen = true
    else this.#addValuesOf(transitions.value)
  }

  #addValuesOf(node: AnyNode): void {
    if (node.type !== 'ObjectExpression') {
      this.hasUnseen = true
      return
    }
    for (const property of node.properties) {
      if (property.type === 'Property') this.add(property.value)
      else this.hasUnseen = true
    }
  }
}

/** Arrow and function expressions parse as they are; methods only inside an object or a class. */
function parseFunction(source: string): AnyNode | undefined {
  for (const text of [`(${source})`, `({${source}})`, `(class { ${source} })`]) {
    try {
      return parseExpressionAt(text, 0, { ecmaVersion: 'latest' })
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
    }
  }
  return undefined
}

/** The name of the action that is called: `goTo(…)`, `actions.goTo(…)` or `context.actions.goTo(…)`. */
function actionName({ callee }: CallExpression): string {
  if (callee.type === 'Identifier') return callee.name
  if (callee.type !== 'MemberExpression' || callee.property.type !== 'Identifier') return ''
  return isActions(callee.object) ? callee.property.name : ''
}

function isActions(node: AnyNode): boolean {
  if (node.type === 'Identifier') return node.name === 'actions'
  const isMember = node.type === 'MemberExpression' && node.property.type === 'Identifier'
  return isMember && node.property.type === 'Identifier' && node.property.name === 'actions'
}

function propertyName({ key }: Property | AssignmentProperty): string {
  if (key.type === 'Identifier') return key.name
  return key.type === 'Literal' && typeof key.value === 'string' ? key.value : ''
}
