/** The lines of a drawn graph, as SVG path data. */

export interface Point {
  readonly x: number
  readonly y: number
}

/** A rectangle around a point. */
export interface Box extends Point {
  readonly width: number
  readonly height: number
}

/** How far a loop reaches beyond its box. */
export const LOOP_REACH = 34

/** What a line keeps away from the corners of a box. */
const CORNER = 14

/** How long a line goes straight before it bends. */
const LEAD = 16

/** A coordinate with one decimal, so that a drawing is the same wherever it is made. */
export function coordinate(value: number): string {
  return String(Math.round(value * 10) / 10 + 0)
}

/** A smooth line that begins and ends exactly, and is led by the points between (a cubic B-spline). */
export function smoothPath(points: readonly Point[]): string {
  const [first, ...rest] = points
  const last = rest.pop()
  if (first === undefined || last === undefined) return ''
  let [before, current] = [first, first]
  let path = `M${at(first)}`
  for (const [index, next] of [...rest, last].entries()) {
    const joint = weighted([before, 1], [current, 4], [next, 1])
    path += index === 0 ? `L${at(joint)}` : curve(before, current, joint)
    ;[before, current] = [current, next]
  }
  if (rest.length > 0) path += curve(before, last, weighted([before, 1], [last, 5]))
  return `${path}L${at(last)}`
}

/** A line from a box back to itself, at its right or its left side. */
export function loopPath({ x, y, width }: Box, side: 1 | -1): string {
  const border = x + (side * width) / 2
  const far = border + side * LOOP_REACH * 1.3
  const point = (px: number, py: number): string => at({ x: px, y: py })
  return `M${point(border, y - 10)}C${point(far, y - 28)} ${point(far, y + 28)} ${point(border, y + 10)}`
}

/**
 * Where a line between a box and a point meets the box: at its top or bottom, as far towards the
 * point as its corners allow. A point beside the box is met at its side.
 */
export function borderPoint({ x, y, width, height }: Box, { x: px, y: py }: Point): Point {
  const [dx, dy] = [px - x, py - y]
  if (Math.abs(dy) <= height / 2) return { x: x + (Math.sign(dx) * width) / 2, y }
  const reach = Math.max(0, width / 2 - CORNER)
  const ideal = (dx * height) / 2 / Math.abs(dy)
  const offset = Math.min(reach, Math.max(-reach, ideal))
  return { x: x + offset, y: y + (Math.sign(dy) * height) / 2 }
}

/** A point straight off a border point, so that a line meets its box at a right angle. */
export function leadPoint(box: Box, { x, y }: Point): Point {
  if (y === box.y) return { x: x + Math.sign(x - box.x) * LEAD, y }
  return { x, y: y + Math.sign(y - box.y) * LEAD }
}

function curve(from: Point, to: Point, end: Point): string {
  const controls = [weighted([from, 2], [to, 1]), weighted([from, 1], [to, 2])]
  return `C${[...controls, end].map(at).join(' ')}`
}

function weighted(...parts: readonly (readonly [Point, number])[]): Point {
  const total = parts.reduce((sum, [, weight]) => sum + weight, 0)
  const mean = (axis: 'x' | 'y'): number =>
    parts.reduce((sum, [point, weight]) => sum + point[axis] * weight, 0) / total
  return { x: mean('x'), y: mean('y') }
}

function at({ x, y }: Point): string {
  return `${coordinate(x)},${coordinate(y)}`
}
