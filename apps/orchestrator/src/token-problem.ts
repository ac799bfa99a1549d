/** Tokens that stand in public documents: whoever reads those could get in (D-57). */
const KNOWN_TOKENS = new Set([
  'secure-orchestrator-token',
  'secure-worker-token',
  'your-secret-worker-token',
])

/** Why a token cannot be used, without the token; `undefined` for one that can. */
export function tokenProblem(token: string): string | undefined {
  if (token === '') return 'is empty'
  if (KNOWN_TOKENS.has(token)) return 'is a default that everybody knows'
  if (/^[\x21-\x7e]+$/.test(token)) return undefined
  return 'has a space, or a character that a header cannot carry'
}
