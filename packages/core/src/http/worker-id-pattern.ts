/** Patterns of worker ids: `*` stands for any characters, `?` for one, `[abc]`, `[a-z]`, `[!a]` for one of a set. */

/** What matches a pattern as a whole. A bracket that nothing closes stands for itself. */
export function workerIdPattern(pattern: string): RegExp {
  const parts = pattern.match(/\[!?[^\]]+\]|\*+|[^]/g) ?? []
  return new RegExp(`^${parts.map(translated).join('')}$`)
}

function translated(part: string): string {
  if (part.startsWith('*')) return '.*'
  if (part === '?') return '.'
  if (part.length === 1) return escaped(part)
  const isNot = part.startsWith('[!')
  const set = part.slice(isNot ? 2 : 1, -1).replaceAll(/[\\^\]]/g, '\\$&')
  return `[${isNot ? '^' : ''}${set}]`
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
}
