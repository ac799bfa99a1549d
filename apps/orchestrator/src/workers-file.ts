/**
 * The tokens of workers, in TOML: a table for each worker id, or for each pattern of ids, with its `token`.
 * What else stands there is for people.
 */
import { readFile } from 'node:fs/promises'
import type { WorkerTokens } from '@avtomatika/core'
import { ConfigError } from '@avtomatika/protocol'
import { parse, TomlError } from 'smol-toml'
import { tokenProblem } from './token-problem.ts'

const PATTERN_PREFIX = 'pattern:'

/**
 * Reads the file.
 * @throws ConfigError `CONFIG_INVALID` listing all that is wrong, without any token.
 */
export async function readWorkersFile(
  path: string,
): Promise<Pick<WorkerTokens, 'individual' | 'patterns'>> {
  const individual: (readonly [workerId: string, token: string])[] = []
  const patterns: (readonly [pattern: string, token: string])[] = []
  const problems: string[] = []
  for (const [name, entry] of Object.entries(await parsed(path))) {
    const token = tokenIn(entry)
    const problem = token === undefined ? undefined : tokenProblem(token)
    if (token === undefined) problems.push(`[${name}] has no token`)
    else if (problem !== undefined) problems.push(`[${name}] ${problem}`)
    else if (isPattern(name)) patterns.push([name.replace(PATTERN_PREFIX, ''), token])
    else individual.push([name, token])
  }
  if (problems.length === 0) {
    return {
      individual: Object.fromEntries(individual),
      patterns: Object.fromEntries(patterns),
    }
  }
  const advice = 'Each table is named after a worker and says token = "…".'
  throw invalid(`${path}: ${problems.join('; ')}. ${advice}`)
}

async function parsed(path: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return parse(await readFile(path, 'utf8'))
  } catch (error) {
    // What is told of it shows the line, and with it perhaps a token.
    if (error instanceof TomlError) {
      const where = `line ${String(error.line)}, column ${String(error.column)}`
      throw invalid(`${path} is no TOML: see ${where}.`)
    }
    const why = error instanceof Error ? error.message : String(error)
    throw invalid(`WORKERS_CONFIG_PATH must be a file that can be read: ${why}.`)
  }
}

/** Ids have none of these characters. */
function isPattern(name: string): boolean {
  return name.startsWith(PATTERN_PREFIX) || /[*?[]/.test(name)
}

function tokenIn(entry: unknown): string | undefined {
  if (typeof entry !== 'object' || entry === null || !('token' in entry)) return undefined
  return typeof entry.token === 'string' ? entry.token : undefined
}

function invalid(message: string): ConfigError {
  return new ConfigError('CONFIG_INVALID', { message })
}
