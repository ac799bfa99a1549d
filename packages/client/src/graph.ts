import { GRAPH_CONTENT_TYPES, graphQuerySchema, parseRequest } from '@avtomatika/protocol'
import type { GraphFormat } from '@avtomatika/protocol'

import type { Call } from './transport.ts'

/** How a graph is wanted. */
export interface GraphOptions {
  /** `dot` (Graphviz), `mermaid`, `svg` or `json`. Default `dot`. */
  readonly format?: GraphFormat | undefined
  /** Ends the call, with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/**
 * The call that asks for a graph. An answer of another type is refused: older servers know only DOT.
 *
 * @throws {@link InputError} `INVALID_REQUEST` when there is no such format.
 */
export function graphCall(path: string, { format, signal }: GraphOptions): Call {
  parseRequest(graphQuerySchema, { format }, 'graph query')
  return {
    method: 'GET',
    path: format === undefined ? path : `${path}?format=${format}`,
    textOfType: GRAPH_CONTENT_TYPES[format ?? 'dot'],
    signal,
  }
}
