/**
 * Which states a handler can go to, read from its source as far as literals show it.
 *
 * A best effort: a target that is computed is only reported as unseen, so that its author can
 * declare it with `to`.
 */
import { parseExpressionAt, type AnyNode, type ObjectExpression, type Property } from 'acorn'
import { actionCalls, propertyName, type ActionCall } from './action-calls.ts'

/** Which kind of decision or news leads along an edge. */
export type EdgeKind = 'transition' | 'task' | 'event' | 'parallel' | 'approval' | 'child' | 'timer'

export interface ScanEdge {
  readonly target: string
  /** The status, decision or event that leads there; `null` where the handler just goes. */
  readonly label: string | null
  readonly kind: EdgeKind
}

export interface ScanResult {
  /** Literal targets, each once, in order of appearance. */
  readonly targets: readonly string[]
  /** How each target is reached; one target can have several. */
  readonly edges: readonly ScanEdge[]
  /** Literal names of the blueprints that the handler runs as children, each once. */
  readonly children: readonly string[]
  /** Whether there are targets that the scan could not read. */
  readonly hasUnseen: boolean
}

/** An option of an action that says where to go. */
interface Route {
  readonly key: string
  readonly kind: EdgeKind
  /** The label of an option that is one state; `null`: it is a map, and its keys are the labels. */
  readonly label: string | null
  readonly isOptional?: true
}

/** Where each action that takes options says where it leads. */
const ROUTES: ReadonlyMap<string, readonly Route[]> = new Map([
  [
    'dispatchTask',
    [
      { key: 'transitions', kind: 'task', label: null },
      { key: 'eventTransitions', kind: 'event', label: null, isOptional: true },
    ],
  ],
  ['dispatchParallel', [{ key: 'aggregateInto', kind: 'parallel', label: 'all branches' }]],
  [
    'awaitHumanApproval',
    [
      { key: 'transitions', kind: 'approval', label: null },
      { key: 'onTimeout', kind: 'approval', label: 'timeout', isOptional: true },
    ],
  ],
  ['runBlueprint', [{ key: 'transitions', kind: 'child', label: null }]],
  ['sleep', [{ key: 'next', kind: 'timer', label: 'after sleep' }]],
  ['waitForEvent', [{ key: 'transitions', kind: 'event', label: null }]],
])

/** Scans the source text of a handler. */
export function scanHandler(source: string): ScanResult {
  const handler = parseFunction(source)
  const found = new Found()
  if (handler === undefined) {
    found.hasUnseen = true
    return found.result()
  }
  const { calls, escapes } = actionCalls(handler)
  for (const call of calls) found.addCall(call)
  if (escapes) found.hasUnseen = true
  return found.result()
}

class Found {
  readonly #edges = new Map<string, ScanEdge>()
  readonly #children = new Set<string>()
  hasUnseen = false

  addCall({ name, argument }: ActionCall): void {
    if (name === null) this.hasUnseen = true
    else if (name === 'transitionTo' || name === 'goTo') {
      this.#addTarget(argument, { kind: 'transition', label: null })
    } else {
      const routes = ROUTES.get(name)
      if (routes !== undefined) this.#addRoutes(routes, argument)
      if (name === 'runBlueprint') this.#addChildren(argument)
    }
  }

  result(): ScanResult {
    const edges = [...this.#edges.values()]
    const targets = [...new Set(edges.map(({ target }) => target))]
    return { targets, edges, children: [...this.#children], hasUnseen: this.hasUnseen }
  }

  #addRoutes(routes: readonly Route[], options: AnyNode | undefined): void {
    if (options?.type !== 'ObjectExpression' || !hasPlainKeys(options)) this.hasUnseen = true
    for (const { key, kind, label, isOptional } of routes) {
      const value = optionValue(options, key)
      if (value === undefined) {
        if (isOptional !== true) this.hasUnseen = true
      } else if (label !== null) this.#addTarget(value, { kind, label })
      else this.#addTargets(value, renamed(options, kind), kind)
    }
  }

  /** A map from what comes to where it leads. */
  #addTargets(map: AnyNode, labelOf: (key: string) => string, kind: EdgeKind): void {
    if (map.type === 'ConditionalExpression') {
      this.#addTargets(map.consequent, labelOf, kind)
      this.#addTargets(map.alternate, labelOf, kind)
      return
    }
    if (map.type !== 'ObjectExpression') {
      this.hasUnseen = true
      return
    }
    for (const property of map.properties) {
      if (property.type !== 'Property') {
        this.hasUnseen = true
        continue
      }
      const key = propertyName(property)
      this.#addTarget(property.value, { kind, label: key === null ? null : labelOf(key) })
    }
  }

  #addTarget(node: AnyNode | undefined, edge: Omit<ScanEdge, 'target'>): void {
    const { texts, isWhole } = literalTexts(node)
    for (const target of texts) {
      this.#edges.set(JSON.stringify([target, edge.kind, edge.label]), { target, ...edge })
    }
    if (!isWhole) this.hasUnseen = true
  }

  #addChildren(options: AnyNode | undefined): void {
    for (const name of literalTexts(optionValue(options, 'name')).texts) this.#children.add(name)
  }
}

/** The texts that an expression can be, as far as they are literal, and whether that is all. */
function literalTexts(node: AnyNode | undefined): { texts: readonly string[]; isWhole: boolean } {
  if (node?.type === 'Literal' && typeof node.value === 'string') {
    return { texts: [node.value], isWhole: true }
  }
  if (node?.type === 'TemplateLiteral' && node.expressions.length === 0) {
    return { texts: [node.quasis[0]?.value.cooked ?? ''], isWhole: true }
  }
  if (node?.type === 'ConditionalExpression') {
    const [yes, no] = [literalTexts(node.consequent), literalTexts(node.alternate)]
    return { texts: [...yes.texts, ...no.texts], isWhole: yes.isWhole && no.isWhole }
  }
  return { texts: [], isWhole: false }
}

/**
 * The value of an option; the last one counts, and `undefined` is none. Only the options' own key:
 * `params` may hold one of the same name.
 */
function optionValue(options: AnyNode | undefined, key: string): AnyNode | undefined {
  if (options?.type !== 'ObjectExpression') return undefined
  const value = options.properties
    .filter((property): property is Property => property.type === 'Property')
    .findLast((property) => propertyName(property) === key)?.value
  return value?.type === 'Identifier' && value.name === 'undefined' ? undefined : value
}

function hasPlainKeys({ properties }: ObjectExpression): boolean {
  return properties.every((each) => each.type === 'Property' && propertyName(each) !== null)
}

/** An event that is waited for has a name, which says more than `received`. */
function renamed(options: AnyNode | undefined, kind: EdgeKind): (key: string) => string {
  const [event] = kind === 'event' ? literalTexts(optionValue(options, 'name')).texts : []
  return (key) => (key === 'received' && event !== undefined ? event : key)
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
