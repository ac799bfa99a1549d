/** A blueprint's graph as a picture: no scripts, no styles from outside, readable on any background. */
import type { BlueprintGraph, RenderOptions } from './graph.ts'
import {
  ENTRY_RADIUS,
  layoutGraph,
  type GraphLayout,
  type PlacedEdge,
  type PlacedLabel,
  type PlacedNode,
} from './graph-layout.ts'
import { GRAPH_COLOURS, nodeRole } from './graph-look.ts'
import { FONT, LINE_HEIGHT } from './graph-measure.ts'
import { coordinate as c, type Box, type Point } from './graph-path.ts'

const SANS_SERIF =
  "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
const LABEL = { fill: '#ffffff', stroke: '#cbd5e1', text: '#334155' }
const HALO = '#f59e0b'

/** A graph is laid out once, however often a job in it is looked at. */
const layouts = new WeakMap<BlueprintGraph, GraphLayout>()

/** The graph as an SVG document. */
export function toSvg(graph: BlueprintGraph, { name, highlight }: RenderOptions): string {
  const layout = layouts.get(graph) ?? layoutGraph(graph)
  layouts.set(graph, layout)
  const { nodes, edges, entries } = layout
  const [width, height] = [c(Math.ceil(layout.width)), c(Math.ceil(layout.height))]
  const arrow = `arrow-${name.replace(/[^\w-]/g, '-')}`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" role="img" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${SANS_SERIF}" text-anchor="middle">`,
    `<title>${xml(`State machine of ${name}`)}</title>`,
    `<desc>${xml(describe(graph, highlight))}</desc>`,
    `<defs><marker id="${arrow}" viewBox="0 0 10 10" refX="10" refY="5" markerWidth="7.5" markerHeight="7.5" orient="auto"><path d="M0 1 L9.5 5 L0 9 z" fill="${GRAPH_COLOURS.edge}"/></marker></defs>`,
    `<g fill="none" stroke="${GRAPH_COLOURS.edge}" stroke-width="1.5">`,
    ...entries.map(({ path }) => `<path d="${path}" marker-end="url(#${arrow})"/>`),
    ...edges.map((edge) => line(edge, arrow)),
    '</g>',
    ...entries.map(entryDot),
    ...nodes.map((node) => box(node, node.node.name === highlight)),
    ...edges.flatMap(({ edge, label: placed }) =>
      placed === null ? [] : [label(placed, edge.lines)],
    ),
    '</svg>',
    '',
  ].join('\n')
}

/** What the picture shows, in a few words. */
function describe({ nodes, edges }: BlueprintGraph, highlight: string | undefined): string {
  const starts = nodes.filter(({ start }) => start).map(({ name }) => `'${name}'`)
  const ends = nodes.flatMap(({ name, end }) => (end === null ? [] : [`'${name}' (${end})`]))
  const isShown = nodes.some(({ name }) => name === highlight)
  return [
    `${String(nodes.length)} states, ${String(edges.length)} ways between them.`,
    ...(starts.length === 0 ? [] : [`It starts in ${starts.join(', ')}.`]),
    ...(ends.length === 0 ? [] : [`It ends in ${ends.join(', ')}.`]),
    ...(isShown && highlight !== undefined ? [`The job is in '${highlight}'.`] : []),
  ].join(' ')
}

function line({ edge, path }: PlacedEdge, arrow: string): string {
  const dashes = edge.isConditional ? ' stroke-dasharray="6 4"' : ''
  const text = [`${edge.from} → ${edge.to}`, ...edge.lines].join('\n')
  return `<path d="${path}"${dashes} marker-end="url(#${arrow})"><title>${xml(text)}</title></path>`
}

function entryDot({ x, y }: Point): string {
  const radius = String(ENTRY_RADIUS)
  return `<circle cx="${c(x)}" cy="${c(y)}" r="${radius}" fill="${GRAPH_COLOURS.edge}"/>`
}

function box(placed: PlacedNode, isCurrent: boolean): string {
  const { node, lines, tags, x, y } = placed
  const { fill, stroke, text } = GRAPH_COLOURS[nodeRole(node, isCurrent)]
  const hasTags = tags !== ''
  const top = y - (lines.length * LINE_HEIGHT.name + (hasTags ? LINE_HEIGHT.tags : 0)) / 2
  const nameEnd = top + lines.length * LINE_HEIGHT.name
  return [
    `<g fill="${text}">`,
    `<title>${xml(node.name)}</title>`,
    ...(isCurrent ? [rectangle(placed, -5, `fill="${HALO}" fill-opacity="0.35"`)] : []),
    rectangle(
      placed,
      0,
      `fill="${fill}" stroke="${stroke}" stroke-width="${isCurrent ? '2.5' : '1.5'}"`,
    ),
    ...(node.end === null ? [] : [rectangle(placed, 3.5, `fill="none" stroke="${stroke}"`)]),
    ...lines.map((each, index) => {
      const middle = top + (index + 0.5) * LINE_HEIGHT.name
      return words(each, { x, y: middle }, { size: FONT.name, attributes: ' font-weight="600"' })
    }),
    ...(hasTags
      ? [words(tags, { x, y: nameEnd + LINE_HEIGHT.tags / 2 }, { size: FONT.tags, attributes: '' })]
      : []),
    '</g>',
  ].join('')
}

function label(placed: PlacedLabel, texts: readonly string[]): string {
  const { lines, x, y } = placed
  const top = y - (lines.length * LINE_HEIGHT.label) / 2
  return [
    `<g fill="${LABEL.text}">`,
    `<title>${xml(texts.join('\n'))}</title>`,
    rectangle(placed, 0, `fill="${LABEL.fill}" stroke="${LABEL.stroke}"`),
    ...lines.map((each, index) => {
      const middle = top + (index + 0.5) * LINE_HEIGHT.label
      return words(each, { x, y: middle }, { size: FONT.label, attributes: '' })
    }),
    '</g>',
  ].join('')
}

/** A rounded rectangle, smaller than its box by `inset` on every side. */
function rectangle({ x, y, width, height }: Box, inset: number, attributes: string): string {
  const [w, h] = [width - 2 * inset, height - 2 * inset]
  const radius = Math.min(10 - inset, h / 2)
  return `<rect x="${c(x - w / 2)}" y="${c(y - h / 2)}" width="${c(w)}" height="${c(h)}" rx="${c(radius)}" ${attributes}/>`
}

/** Text in the middle of a point; not every viewer knows `dominant-baseline`. */
function words(
  text: string,
  { x, y }: Point,
  { size, attributes }: { readonly size: number; readonly attributes: string },
): string {
  const baseline = c(y + size * 0.35)
  return `<text x="${c(x)}" y="${baseline}" font-size="${String(size)}"${attributes}>${xml(text)}</text>`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text in XML; characters that it cannot have are shown as missing. */
function xml(text: string): string {
  return text
    .replace(
      /[^\t\n\u{20}-\u{7e}\u{a0}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu,
      '\u{fffd}',
    )
    .replace(/[&<>"']/g, (each) => ENTITIES[each] ?? each)
}
