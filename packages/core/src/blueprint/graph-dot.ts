/** A blueprint's graph in the language of Graphviz. */
import {
  drawnEdges,
  type BlueprintGraph,
  type DrawnEdge,
  type GraphNode,
  type RenderOptions,
} from './graph.ts'
import { GRAPH_COLOURS, nodeRole, nodeTags } from './graph-look.ts'
import { textLines } from './text-lines.ts'

/** Graphviz itself breaks no lines, and gives up on labels that are too wide. */
const LABEL_LIMITS = { fontSize: 13, maxWidth: 340, maxLines: 6 }

/** The graph as DOT; nodes are called as their states, and look alike in every format. */
export function toDot(graph: BlueprintGraph, { name, highlight }: RenderOptions): string {
  return [
    `// State Machine for ${name.replace(/\p{C}|\p{Z}/gu, ' ')}`,
    `digraph ${id(name)} {`,
    '  graph [rankdir=TB, nodesep=0.5, ranksep=0.6, bgcolor=transparent]',
    `  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=13, margin="0.2,0.1"]`,
    `  edge [color="${GRAPH_COLOURS.edge}", fontname="Helvetica", fontsize=11, fontcolor="${GRAPH_COLOURS.edge}"]`,
    ...graph.nodes.map((node) => `  ${nodeLine(node, highlight)}`),
    ...drawnEdges(graph).map((edge) => `  ${edgeLine(edge)}`),
    '}',
    '',
  ].join('\n')
}

function nodeLine(node: GraphNode, highlight: string | undefined): string {
  const isCurrent = node.name === highlight
  const { fill, stroke, text } = GRAPH_COLOURS[nodeRole(node, isCurrent)]
  const tags = nodeTags(node, isCurrent)
  const lines = tags === '' ? [node.name] : [node.name, tags]
  const attributes = [
    `label=${label(lines)}`,
    `fillcolor="${fill}"`,
    `color="${stroke}"`,
    `fontcolor="${text}"`,
    ...(node.end === null ? [] : ['peripheries=2']),
    ...(isCurrent ? ['penwidth=3'] : node.start ? ['penwidth=2'] : []),
  ]
  return `${id(node.name)} [${attributes.join(', ')}]`
}

function edgeLine({ from, to, isConditional, lines }: DrawnEdge): string {
  const attributes = [
    ...(lines.length === 0 ? [] : [`label=${label(lines)}`]),
    ...(isConditional ? ['style=dashed'] : []),
  ]
  const tail = attributes.length === 0 ? '' : ` [${attributes.join(', ')}]`
  return `${id(from)} -> ${id(to)}${tail}`
}

/** Different texts stay different: what cannot be written is spelled with a single backslash. */
function id(text: string): string {
  const safe = text
    .replace(/["\\]/g, String.raw`\$&`)
    .replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/gu, (each) => String.raw`\u` + hex(each))
  return `"${safe}"`
}

/** Labels also read backslashes and character references, so both are written out. */
function label(texts: readonly string[]): string {
  const lines = texts.flatMap((text) => textLines(text, LABEL_LIMITS).lines)
  const safe = lines.map((line) =>
    line
      .replace(/\p{Cs}/gu, '\u{fffd}')
      .replaceAll('&', '&amp;')
      .replace(/["\\]/g, String.raw`\$&`),
  )
  return `"${safe.join(String.raw`\n`)}"`
}

function hex(character: string): string {
  return character.charCodeAt(0).toString(16).padStart(4, '0')
}
