/** Places for the cells of a drawing, and routes for the links between them. */
import { Graph, layout } from '@dagrejs/dagre'
import type { Point } from './graph-path.ts'

export interface Cell {
  readonly width: number
  readonly height: number
}

/** A line from one cell to another, both by index. */
export interface Link {
  readonly from: number
  readonly to: number
  /** The room for what is written at it. */
  readonly label: Cell | null
}

export interface Places {
  readonly width: number
  readonly height: number
  /** The middle of each cell. */
  readonly points: readonly Point[]
  /** One per link; `null` for those from a cell to itself, which its cell has room for. */
  readonly routes: readonly (Route | null)[]
}

export interface Route {
  readonly bends: readonly Point[]
  readonly label: Point
}

const MARGIN = 20
const SPACING = { nodesep: 40, edgesep: 24, ranksep: 54 } as const

/** What we use of the library's graph; its own types do not resolve for Node.js modules. */
interface RankedGraph {
  setGraph(options: object): void
  graph(): Cell
  setNode(id: string, cell: Cell): void
  node(id: string): Point
  setEdge(from: string, to: string, label: object, name: string): void
  edge(end: { v: string; w: string; name: string }): Point & { points: readonly Point[] }
}

const RankedGraph = Graph as unknown as new (options: { multigraph: true }) => RankedGraph
const rank = layout as unknown as (graph: RankedGraph) => void

/** Layers from top to bottom, with as few crossings as a good heuristic finds. */
export function placeInRanks(cells: readonly Cell[], links: readonly Link[]): Places {
  if (cells.length === 0) return { width: 2 * MARGIN, height: 2 * MARGIN, points: [], routes: [] }
  const graph = new RankedGraph({ multigraph: true })
  graph.setGraph({ rankdir: 'TB', marginx: MARGIN, marginy: MARGIN, ...SPACING })
  for (const [index, { width, height }] of cells.entries()) {
    graph.setNode(idOf(index), { width, height })
  }
  for (const [index, { from, to, label }] of links.entries()) {
    if (from === to) continue
    const room = { width: label?.width ?? 0, height: label?.height ?? 0, labelpos: 'c' }
    graph.setEdge(idOf(from), idOf(to), room, String(index))
  }
  rank(graph)
  const { width, height } = graph.graph()
  const points = cells.map((_cell, index) => graph.node(idOf(index)))
  const routes = links.map(({ from, to }, index) => {
    if (from === to) return null
    const { points: all, ...label } = graph.edge({
      v: idOf(from),
      w: idOf(to),
      name: String(index),
    })
    return { bends: all.slice(1, -1), label }
  })
  return { width, height, points, routes }
}

/** A plain grid with straight lines, for graphs of any size. */
export function placeInGrid(cells: readonly Cell[], links: readonly Link[]): Places {
  const columns = Math.ceil(Math.sqrt(cells.length))
  const cellWidth = Math.max(0, ...cells.map(({ width }) => width)) + SPACING.nodesep
  const cellHeight = Math.max(0, ...cells.map(({ height }) => height)) + SPACING.ranksep
  const points = cells.map((_cell, index) => ({
    x: MARGIN + ((index % columns) + 0.5) * cellWidth,
    y: MARGIN + (Math.floor(index / columns) + 0.5) * cellHeight,
  }))
  const middle = (index: number): Point => points[index] ?? { x: 0, y: 0 }
  const routes = links.map(({ from, to }) => {
    if (from === to) return null
    const [start, end] = [middle(from), middle(to)]
    return { bends: [], label: { x: (start.x + end.x) / 2, y: (start.y + end.y) / 2 } }
  })
  const rows = Math.ceil(cells.length / Math.max(1, columns))
  const [width, height] = [columns * cellWidth + 2 * MARGIN, rows * cellHeight + 2 * MARGIN]
  return { width, height, points, routes }
}

function idOf(index: number): string {
  return `n${String(index)}`
}
