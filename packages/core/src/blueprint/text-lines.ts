/** Breaks text into lines of a width that is estimated, since nobody here has the reader's font. */

export interface TextLines {
  readonly lines: readonly string[]
  /** Of the widest line, in the unit of the font size. */
  readonly width: number
}

export interface TextLimits {
  readonly fontSize: number
  readonly maxWidth: number
  readonly maxLines: number
}

/** More than can be shown anyway; keeps a name of any length from costing any time. */
const MAX_LENGTH = 400

const BREAK_AFTER = /[_\-.,:;/|]/u
const NARROW = /[ijltfrI.,:;'!|()[\] ]/u
const BROAD = /[A-Zmw@%&=<>+]/u
/** East Asian scripts and pictures, as wide as they are high. */
const SQUARE =
  /[\u{1100}-\u{115f}\u{2e80}-\u{a4cf}\u{ac00}-\u{d7a3}\u{f900}-\u{faff}\u{fe30}-\u{fe6f}\u{ff00}-\u{ff60}]|\p{Extended_Pictographic}|\p{RI}/u

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** The text in at most `maxLines` lines; an ellipsis stands for what does not fit. */
export function textLines(text: string, limits: TextLimits): TextLines {
  const { fontSize, maxWidth, maxLines } = limits
  const clean = text.slice(0, MAX_LENGTH).replace(/[\s\p{Cc}]+/gu, ' ')
  let rest = [...graphemes.segment(clean)].map(({ segment }) => segment)
  const lines: string[] = []
  while (rest.length > 0 && lines.length < maxLines) {
    const length = lineLength(rest, maxWidth / fontSize)
    lines.push(rest.slice(0, length).join('').trimEnd())
    rest = rest.slice(length)
    while (rest[0] === ' ') rest = rest.slice(1)
  }
  const isCut = rest.length > 0 || text.length > MAX_LENGTH
  if (isCut) lines.push(`${lines.pop() ?? ''}…`)
  return { lines, width: Math.max(0, ...lines.map(widthInEms)) * fontSize }
}

/** How many characters go into one line: up to a space if it is not far back, else to a sign. */
function lineLength(characters: readonly string[], maxEms: number): number {
  const breaks = { space: 0, sign: 0 }
  let width = 0
  for (const [index, each] of characters.entries()) {
    width += emsOf(each)
    if (width > maxEms) {
      const good = [breaks.space, breaks.sign].find((at) => at > index / 3)
      return good ?? Math.max(1, index)
    }
    if (each === ' ') breaks.space = index + 1
    if (BREAK_AFTER.test(each)) breaks.sign = index + 1
  }
  return characters.length
}

function widthInEms(line: string): number {
  return [...graphemes.segment(line)].reduce((sum, { segment }) => sum + emsOf(segment), 0)
}

/** Rather too wide than too narrow: measured on a wide one of the common sans-serif fonts. */
function emsOf(grapheme: string): number {
  if (SQUARE.test(grapheme)) return 1.1
  if (NARROW.test(grapheme)) return 0.4
  return BROAD.test(grapheme) ? 0.8 : 0.62
}
