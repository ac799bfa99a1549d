import type { BlueprintDefinition, ScannedHandler, StateDefinition } from './definition.ts'
import { blueprintGraph, type BlueprintGraph, type GraphSource, type GraphState } from './graph.ts'

/** The graph of a finished blueprint. */
export function graphOf({ states }: BlueprintDefinition): BlueprintGraph {
  return blueprintGraph([...states.values()].map(graphState))
}

function graphState(state: StateDefinition): GraphState {
  const { name, start, end, to, conditional, handler, aggregator } = state
  const plain = [handler, aggregator].filter((each) => each !== null).map(plainSource)
  const sources = conditional.map(({ condition, scan }) => ({
    condition,
    isConditional: true,
    scan,
  }))
  return {
    name,
    start,
    end,
    to,
    isAggregator: aggregator !== null,
    sources: [...sources, ...plain],
  }
}

function plainSource({ scan }: ScannedHandler): GraphSource {
  return { condition: null, isConditional: false, scan }
}
