/** A blueprint as nodes and edges: what the renderers draw. */
import type { EndOutcome } from '../job/vocabulary.ts'
import type { EdgeKind, ScanResult } from './scan.ts'

/** What a graph needs to know of a state. */
export interface GraphState {
  readonly name: string
  readonly start: boolean
  readonly end: EndOutcome | null
  readonly isAggregator: boolean
  /** The scans of the state's handlers, conditional ones with their condition. */
  readonly sources: readonly GraphSource[]
  /** Targets that the author declared. */
  readonly to: readonly string[]
}

export interface GraphSource {
  /** The text of the condition; `null` without one, and for a predicate function. */
  readonly condition: string | null
  readonly isConditional: boolean
  readonly scan: ScanResult
}

export interface GraphNode {
  readonly name: string
  readonly start: boolean
  readonly end: EndOutcome | null
  readonly isAggregator: boolean
}

export interface GraphEdge {
  readonly from: string
  readonly to: string
  /** The status, decision or event that leads along; `null` where a handler just goes. */
  readonly label: string | null
  readonly kind: EdgeKind
  /** Whether only a handler with a condition goes this way. */
  readonly isConditional: boolean
  /** The text of that condition; `null` without one, and for a predicate function. */
  readonly condition: string | null
  /** Whether it is known only from the author's `to`. */
  readonly isDeclared: boolean
}

export interface BlueprintGraph {
  /** In order of declaration, then those that are only referred to. */
  readonly nodes: readonly GraphNode[]
  readonly edges: readonly GraphEdge[]
}

export interface RenderOptions {
  /** The blueprint's name. */
  readonly name: string
  /** A state to stand out: where a job is. One that the graph does not have is ignored. */
  readonly highlight?: string | undefined
}

/** All edges of one look between two states, drawn as one. */
export interface DrawnEdge {
  readonly from: string
  readonly to: string
  readonly isConditional: boolean
  /** What is written at it, line by line; may be empty. */
  readonly lines: readonly string[]
}

/** The graph of a set of states. */
export function blueprintGraph(states: Iterable<GraphState>): BlueprintGraph {
  const defined = [...states]
  const edges = defined.flatMap(edgesOf)
  const nodes = new Map<string, GraphNode>(
    defined.map(({ name, start, end, isAggregator }) => [name, { name, start, end, isAggregator }]),
  )
  for (const { to: name } of edges) {
    if (!nodes.has(name)) nodes.set(name, { name, start: false, end: null, isAggregator: false })
  }
  return { nodes: [...nodes.values()], edges }
}

/**
 * The edges as a reader wants them: one line between two states for all that always leads there,
 * and one for all that leads there on a condition.
 */
export function drawnEdges({ edges }: BlueprintGraph): readonly DrawnEdge[] {
  const groups = new Map<string, GraphEdge[]>()
  for (const edge of edges) {
    const key = JSON.stringify([edge.from, edge.to, edge.isConditional])
    groups.set(key, [...(groups.get(key) ?? []), edge])
  }
  return [...groups.values()].flatMap((group) => {
    const [first] = group
    if (first === undefined) return []
    const { from, to, isConditional } = first
    return [{ from, to, isConditional, lines: isConditional ? guards(group) : labels(group) }]
  })
}

function edgesOf({ name, sources, to }: GraphState): readonly GraphEdge[] {
  const scanned = sources.flatMap(({ scan, isConditional, condition }) =>
    scan.edges.map(({ target, label, kind }) => ({
      ...{ from: name, to: target, label, kind },
      ...{ isConditional, condition, isDeclared: false },
    })),
  )
  const seen = new Set(scanned.map((edge) => edge.to))
  const declared = [...new Set(to)].filter((target) => !seen.has(target))
  return [
    ...scanned,
    ...declared.map((target) => ({
      ...{ from: name, to: target, label: null, kind: 'transition' as const },
      ...{ isConditional: false, condition: null, isDeclared: true },
    })),
  ]
}

/** One line; nothing at all where the only way is to just go. */
function labels(group: readonly GraphEdge[]): readonly string[] {
  const texts = [...new Set(group.map(({ label }) => label ?? 'directly'))]
  return group.every(({ label }) => label === null) ? [] : [texts.join(', ')]
}

/** A line per condition: `[condition] status, status`. */
function guards(group: readonly GraphEdge[]): readonly string[] {
  return [...new Set(group.map(({ condition }) => condition))].map((condition) => {
    const edges = group.filter((edge) => edge.condition === condition)
    return [`[${condition ?? 'function'}]`, ...labels(edges)].join(' ')
  })
}
