// The form of older generations: `context.area.field == anything to the end`, without quotes.
// O1 It is tried only when the text is not a condition otherwise.
// O2 What looks like a slip in a longer condition (an open quote, a dangling `and`) stays an error:
//    read as text it would never match, and nobody would notice.
import type { Comparison, ConditionNode } from './condition-tree.ts'
import { contextName } from './condition-names.ts'

const FORM =
  /^\s*context\.(?<path>[\p{L}\p{N}_]+(?:\.[\p{L}\p{N}_]+)*)\s*(?<operator>==|!=|>=|<=|>|<)(?<value>[^\n]*)$/u
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/iu
const SLIP = /^['"=!]|['"]$|[()[\]<>]|[=!]=|&&|\|\||(?:^|\s)(?:and|or|not|in)(?:\s|$)/u

/** The condition in its older form; `undefined` for text that is not in it. */
export function parseOlderForm(text: string): ConditionNode | undefined {
  const { path, operator, value = '' } = FORM.exec(text)?.groups ?? {}
  if (path === undefined || operator === undefined) return undefined
  const right = valueOf(value.trim())
  if (right === undefined) return undefined
  const [root = '', ...rest] = path.split('.')
  return {
    kind: 'comparison',
    // FORM lets no other through.
    operator: operator as Comparison,
    left: { kind: 'path', keys: [contextName(root), ...rest] },
    right: { kind: 'literal', value: right },
  }
}

function valueOf(written: string): string | number | undefined {
  if (written === '' || SLIP.test(written)) return undefined
  if (!NUMBER.test(written)) return written
  const number = Number(written)
  return Number.isFinite(number) ? number : undefined
}
