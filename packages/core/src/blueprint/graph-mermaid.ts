/** A blueprint's graph as a Mermaid flowchart. */
import {
  drawnEdges,
  type BlueprintGraph,
  type DrawnEdge,
  type GraphNode,
  type RenderOptions,
} from './graph.ts'
import { GRAPH_COLOURS, nodeRole, nodeTags, type NodeRole } from './graph-look.ts'
import { textLines } from './text-lines.ts'

const ROLES = ['plain', 'start', 'aggregator', 'finished', 'failed', 'current'] as const

/** The graph as a flowchart; its ids are numbers, so that no name can be taken for syntax. */
export function toMermaid(graph: BlueprintGraph, { name, highlight }: RenderOptions): string {
  const ids = new Map(graph.nodes.map((node, index) => [node.name, `s${String(index)}`]))
  const roles = graph.nodes.map((node) => nodeRole(node, node.name === highlight))
  return [
    'flowchart TD',
    `  accTitle: State machine of ${text(name)}`,
    ...graph.nodes.map((node) => `  ${nodeLine(node, ids, highlight)}`),
    ...drawnEdges(graph).map((edge) => `  ${edgeLine(edge, ids)}`),
    ...ROLES.filter((role) => roles.includes(role)).map((role) => `  ${classLine(role)}`),
    '',
  ].join('\n')
}

type Ids = ReadonlyMap<string, string>

function nodeLine(node: GraphNode, ids: Ids, highlight: string | undefined): string {
  const isCurrent = node.name === highlight
  const tags = nodeTags(node, isCurrent)
  const label = tags === '' ? text(node.name) : `${text(node.name)}<br/>${text(tags)}`
  const isRound = node.start || node.end !== null
  const box = isRound ? `(["${label}"])` : `("${label}")`
  return `${idOf(node.name, ids)}${box}:::${className(nodeRole(node, isCurrent))}`
}

function edgeLine({ from, to, isConditional, lines }: DrawnEdge, ids: Ids): string {
  const arrow = isConditional ? '-.->' : '-->'
  const label = lines.length === 0 ? '' : `|"${lines.map(text).join('<br/>')}"|`
  return `${idOf(from, ids)} ${arrow}${label} ${idOf(to, ids)}`
}

function classLine(role: NodeRole): string {
  const { fill, stroke, text: color } = GRAPH_COLOURS[role]
  const width = role === 'current' ? '3px' : '1.5px'
  return `classDef ${className(role)} fill:${fill},stroke:${stroke},color:${color},stroke-width:${width}`
}

function className(role: NodeRole): string {
  return `${role}State`
}

function idOf(name: string, ids: Ids): string {
  return ids.get(name) ?? 'unknown'
}

/**
 * What could be syntax, an icon, HTML or Markdown, all of it ASCII. Hyphens, dots and underscores
 * mean nothing within words, nor does a colon before a space.
 */
const SPECIAL = /(?<![\p{L}\p{N}])[-._]|[-._](?![\p{L}\p{N}])|:(?! )|["#$%&()*+;<>?@\\^`{|}~!]/gu

/** Mermaid breaks lines by itself; only what is endless is cut. */
const ONE_LINE = { fontSize: 1, maxWidth: Infinity, maxLines: 1 }

/** Text as a label in quotes: whatever could mean something is spelled as a character code. */
function text(value: string): string {
  const [line = ''] = textLines(value, ONE_LINE).lines
  if (line.trim() === '') return '#160;'
  return line
    .replace(/\p{Cs}/gu, '\u{fffd}')
    .replace(SPECIAL, (each) => `#${String(each.charCodeAt(0))};`)
}
