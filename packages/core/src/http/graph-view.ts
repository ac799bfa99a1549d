import type { BlueprintDefinition } from '../blueprint/definition.ts'
import type { BlueprintGraph } from '../blueprint/graph.ts'

/** A graph for programs; names as on the wire. */
interface GraphView {
  readonly name: string
  readonly version: string | null
  /** The state that a job is in; `null` for a graph without a job. */
  readonly current_state: string | null
  readonly nodes: readonly {
    readonly name: string
    readonly start: boolean
    /** How a job ends here; `null` in states that are no end. */
    readonly end: string | null
    readonly is_aggregator: boolean
  }[]
  readonly edges: readonly {
    readonly from: string
    readonly to: string
    /** The status, decision or event that leads along; `null` where a handler just goes. */
    readonly label: string | null
    readonly kind: string
    readonly is_conditional: boolean
    readonly condition: string | null
    readonly is_declared: boolean
  }[]
}

/** @param current - the state that a job is in. Default: none. */
export function graphView(
  { name, version }: BlueprintDefinition,
  { nodes, edges }: BlueprintGraph,
  current?: string,
): GraphView {
  return {
    name,
    version,
    current_state: current ?? null,
    nodes: nodes.map(({ isAggregator, ...node }) => ({ ...node, is_aggregator: isAggregator })),
    edges: edges.map(({ isConditional, isDeclared, condition, ...edge }) => ({
      ...edge,
      is_conditional: isConditional,
      condition,
      is_declared: isDeclared,
    })),
  }
}
