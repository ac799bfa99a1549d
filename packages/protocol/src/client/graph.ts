import { z } from 'zod'

import { parseRequest } from '../parse-request.ts'

/** What a blueprint's graph can be drawn as. */
export const GRAPH_FORMATS = ['dot', 'mermaid', 'svg', 'json'] as const

/** One of {@link GRAPH_FORMATS}. */
export type GraphFormat = (typeof GRAPH_FORMATS)[number]

/** The content type that each format is sent with. */
export const GRAPH_CONTENT_TYPES = {
  dot: 'text/vnd.graphviz',
  mermaid: 'text/vnd.mermaid',
  svg: 'image/svg+xml',
  json: 'application/json',
} as const satisfies Record<GraphFormat, string>

/** The query of a graph, as text from the URL. */
export const graphQuerySchema = z.looseObject({
  /** Default `dot`, as older servers send it. */
  format: z.enum(GRAPH_FORMATS).nullish(),
})

/** How a graph is wanted. */
export interface GraphQuery {
  readonly format: GraphFormat
}

/**
 * Reads the query of a graph.
 *
 * @throws {@link InputError} `INVALID_REQUEST` when the format is none of {@link GRAPH_FORMATS}.
 */
export function parseGraphQuery(query: unknown): GraphQuery {
  const { format } = parseRequest(graphQuerySchema, query, 'graph query')
  return { format: format ?? 'dot' }
}
