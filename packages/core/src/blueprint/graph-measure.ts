/** How much room the boxes and labels of a drawn graph need. */
import type { DrawnEdge, GraphNode } from './graph.ts'
import { nodeTags } from './graph-look.ts'
import { textLines } from './text-lines.ts'

/** Sizes of text, in pixels. */
export const FONT = { name: 14, tags: 11, label: 11.5 } as const
export const LINE_HEIGHT = { name: 18, tags: 14, label: 14.5 } as const

/** A label that says more than this says too much for a picture. */
const MAX_LABEL_LINES = 6

export interface NodeBox {
  readonly node: GraphNode
  readonly lines: readonly string[]
  /** What the state is, in small letters; may be empty. */
  readonly tags: string
  readonly width: number
  readonly height: number
}

export interface LabelBox {
  readonly lines: readonly string[]
  readonly width: number
  readonly height: number
}

/** The box of a state, with its name in at most two lines. */
export function nodeBox(node: GraphNode): NodeBox {
  const name = textLines(node.name, { fontSize: FONT.name, maxWidth: 220, maxLines: 2 })
  const tags = nodeTags(node, false)
  const tagsWidth = textLines(tags, { fontSize: FONT.tags, maxWidth: 220, maxLines: 1 }).width
  const tagsHeight = tags === '' ? 0 : LINE_HEIGHT.tags
  return {
    ...{ node, lines: name.lines, tags },
    width: Math.max(88, Math.ceil(Math.max(name.width, tagsWidth)) + 32),
    height: name.lines.length * LINE_HEIGHT.name + tagsHeight + 20,
  }
}

/** The label of an edge; `null` where nothing is written. */
export function labelBox({ lines: texts }: DrawnEdge): LabelBox | null {
  if (texts.length === 0) return null
  const limits = { fontSize: FONT.label, maxWidth: 180, maxLines: 3 }
  const wrapped = texts.slice(0, MAX_LABEL_LINES).map((text) => textLines(text, limits))
  const lines = wrapped.flatMap((each) => each.lines)
  const shown = lines.slice(0, MAX_LABEL_LINES)
  if (texts.length > MAX_LABEL_LINES || lines.length > MAX_LABEL_LINES) shown.push('…')
  return {
    lines: shown,
    width: Math.ceil(Math.max(...wrapped.map(({ width }) => width))) + 14,
    height: shown.length * LINE_HEIGHT.label + 5,
  }
}
