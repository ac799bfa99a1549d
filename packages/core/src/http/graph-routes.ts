/** Blueprints as pictures: on their own, or with the place where a job is. */
import {
  GRAPH_CONTENT_TYPES,
  NotFoundError,
  parseGraphQuery,
  type GraphFormat,
} from '@avtomatika/protocol'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { BlueprintDefinition } from '../blueprint/definition.ts'
import { toDot } from '../blueprint/graph-dot.ts'
import { toMermaid } from '../blueprint/graph-mermaid.ts'
import { graphOf } from '../blueprint/graph-of.ts'
import { toSvg } from '../blueprint/graph-svg.ts'
import { unreachable } from '../job/unreachable.ts'
import { scopeOf } from './client-auth.ts'
import type { ClientRoutesOptions, JobParams } from './client-routes-options.ts'
import { graphView } from './graph-view.ts'

interface BlueprintGraphRoute {
  readonly Params: { readonly name: string }
  readonly Querystring: { readonly version?: string | readonly string[] }
}

export function graphRoutes(app: FastifyInstance, options: ClientRoutesOptions): void {
  const { engine, auth, blueprints } = options
  app.get<JobParams>('/jobs/:jobId/graph', async (request, reply) => {
    const { format } = parseGraphQuery(request.query)
    const job = await engine.reads.read(request.params.jobId, scopeOf(auth.callerOf(request)))
    const blueprint = blueprints.find(job.blueprint)
    return drawing(reply, blueprint, { format, highlight: job.state })
  })
  app.get<BlueprintGraphRoute>('/blueprints/:name/graph', (request, reply) => {
    auth.callerOf(request)
    const { format } = parseGraphQuery(request.query)
    const { name } = request.params
    const { version } = request.query
    const blueprint =
      version === undefined
        ? blueprints.findByName(name)
        : blueprints.find({ name, version: String(version) })
    return drawing(reply, blueprint, { format })
  })
}

interface Drawing {
  readonly format: GraphFormat
  readonly highlight?: string
}

/** @throws NotFoundError `BLUEPRINT_NOT_FOUND` */
function drawing(
  reply: FastifyReply,
  blueprint: BlueprintDefinition | undefined,
  { format, highlight }: Drawing,
): FastifyReply {
  if (blueprint === undefined) {
    throw new NotFoundError('BLUEPRINT_NOT_FOUND', { message: 'Blueprint not found' })
  }
  // A browser that is shown the picture by itself must not take it for a page of ours with scripts.
  reply.header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
  reply.header('x-content-type-options', 'nosniff')
  reply.type(`${GRAPH_CONTENT_TYPES[format]}; charset=utf-8`)
  return reply.send(drawn(blueprint, format, highlight))
}

function drawn(
  blueprint: BlueprintDefinition,
  format: GraphFormat,
  highlight: string | undefined,
): string {
  const graph = graphOf(blueprint)
  const look = { name: blueprint.name, highlight }
  switch (format) {
    case 'dot':
      return toDot(graph, look)
    case 'mermaid':
      return toMermaid(graph, look)
    case 'svg':
      return toSvg(graph, look)
    case 'json':
      return JSON.stringify(graphView(blueprint, graph, highlight))
    default:
      return unreachable(format)
  }
}
