/** Where the states and edges of a graph go on a page, top down. */
import { drawnEdges, type BlueprintGraph, type DrawnEdge } from './graph.ts'
import { labelBox, nodeBox, type LabelBox, type NodeBox } from './graph-measure.ts'
import {
  borderPoint,
  leadPoint,
  LOOP_REACH,
  loopPath,
  smoothPath,
  type Box,
  type Point,
} from './graph-path.ts'
import { placeInGrid, placeInRanks, type Cell, type Link, type Places } from './graph-places.ts'

export type PlacedNode = NodeBox & Point
export type PlacedLabel = LabelBox & Point

export interface PlacedEdge {
  readonly edge: DrawnEdge
  readonly path: string
  readonly label: PlacedLabel | null
}

export interface GraphLayout {
  readonly width: number
  readonly height: number
  readonly nodes: readonly PlacedNode[]
  readonly edges: readonly PlacedEdge[]
  /** The dots from which jobs come, each with its line to a start state. */
  readonly entries: readonly (Point & { readonly path: string })[]
}

/** Radius of the dot before a start state. */
export const ENTRY_RADIUS = 6

/** States and edges. Ranks cost more than linear time; beyond this, nobody could read the drawing. */
const MAX_RANKED = 800

interface MeasuredEdge {
  readonly edge: DrawnEdge
  readonly from: number
  readonly to: number
  readonly label: LabelBox | null
}

/** Lays out a graph; the same graph always in the same way. */
export function layoutGraph(graph: BlueprintGraph): GraphLayout {
  const boxes = graph.nodes.map(nodeBox)
  const edges = measuredEdges(graph)
  const entries = boxes.flatMap(({ node }, index) => (node.start ? [index] : []))
  const entryBox = { width: 2 * ENTRY_RADIUS, height: 2 * ENTRY_RADIUS }
  // Entries come first, so that the ranks begin with them even where every state has a way in.
  const cells = [...entries.map(() => entryBox), ...boxes.map((box, at) => cellOf(box, at, edges))]
  const indexOf = (node: number): number => entries.length + node
  const links: Link[] = [
    ...entries.map((node, index) => ({ from: index, to: indexOf(node), label: null })),
    ...edges.map(({ from, to, label }) => ({ from: indexOf(from), to: indexOf(to), label })),
  ]
  const place = cells.length + links.length > MAX_RANKED ? placeInGrid : placeInRanks
  const places = place(cells, links)
  const nodes = boxes.map((box, index) => ({ ...box, ...pointOf(places, indexOf(index)) }))
  return {
    ...{ width: places.width, height: places.height, nodes },
    edges: edges.map((edge, index) => placedEdge(edge, nodes, places, entries.length + index)),
    entries: entries.map((node, index) => {
      const point = pointOf(places, index)
      const [from, to] = [{ ...point, ...entryBox }, nodes[node] ?? { ...point, ...entryBox }]
      return { ...point, path: smoothPath(clipped(from, to, [])) }
    }),
  }
}

function measuredEdges(graph: BlueprintGraph): readonly MeasuredEdge[] {
  const indexes = new Map(graph.nodes.map(({ name }, index) => [name, index]))
  return drawnEdges(graph).flatMap((edge) => {
    const [from, to] = [indexes.get(edge.from), indexes.get(edge.to)]
    return from === undefined || to === undefined ? [] : [{ edge, from, to, label: labelBox(edge) }]
  })
}

/** A state's box with room for its loops, alike on both sides so that it stays in the middle. */
function cellOf(box: NodeBox, index: number, edges: readonly MeasuredEdge[]): Cell {
  const loops = edges.filter(({ from, to }) => from === index && to === index)
  const room = Math.max(0, ...loops.map(({ label }) => LOOP_REACH + (label?.width ?? 0) + 4))
  const height = Math.max(box.height, ...loops.map(({ label }) => label?.height ?? 0))
  return { width: box.width + 2 * room, height }
}

function placedEdge(
  { edge, from, to, label }: MeasuredEdge,
  nodes: readonly PlacedNode[],
  places: Places,
  link: number,
): PlacedEdge {
  const [source, target] = [nodes[from], nodes[to]]
  if (source === undefined || target === undefined) return { edge, path: '', label: null }
  if (source === target) return placedLoop(edge, source, label)
  const route = places.routes[link]
  return {
    edge,
    path: smoothPath(clipped(source, target, route?.bends ?? [])),
    label: label === null ? null : { ...label, ...(route?.label ?? source) },
  }
}

/** Loops on a condition go to the left, others to the right; there is at most one of each. */
function placedLoop(edge: DrawnEdge, box: Box, label: LabelBox | null): PlacedEdge {
  const side = edge.isConditional ? -1 : 1
  const path = loopPath(box, side)
  if (label === null) return { edge, path, label }
  const x = box.x + side * (box.width / 2 + LOOP_REACH + label.width / 2)
  return { edge, path, label: { ...label, x, y: box.y } }
}

/** From border to border, by way of the bends, leaving and coming straight on. */
function clipped(from: Box, to: Box, bends: readonly Point[]): readonly Point[] {
  const start = borderPoint(from, bends[0] ?? to)
  const end = borderPoint(to, bends.at(-1) ?? from)
  if (bends.length === 0) return [start, end]
  return [start, leadPoint(from, start), ...bends, leadPoint(to, end), end]
}

function pointOf({ points }: Places, index: number): Point {
  const { x, y } = points[index] ?? { x: 0, y: 0 }
  return { x, y }
}
