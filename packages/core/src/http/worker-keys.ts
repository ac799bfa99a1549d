/**
 * The tokens that workers were given, and which of them is good for which worker: its own one; if it has
 * none, those of patterns that its id matches; if there is none, the one that all share.
 */
import { ConfigError, isIdentifier } from '@avtomatika/protocol'
import { hashToken, TokenMap } from './tokens.ts'
import { workerIdPattern } from './worker-id-pattern.ts'

export interface WorkerTokens {
  /** Shared by all workers that have no token of their own. */
  readonly shared?: string
  /** By worker id; such a worker cannot use the shared token. */
  readonly individual?: Readonly<Record<string, string>>
  /**
   * By a pattern of worker ids, such as `gpu-*`; workers that match it and have no token of their own use
   * this one, and cannot use the shared one.
   */
  readonly patterns?: Readonly<Record<string, string>>
}

/** A token that workers were given. */
export interface WorkerKey {
  /** Names the token without telling it. */
  readonly credential: string
  /** The token itself: signatures are made with it. */
  readonly secret: string
  /** The one worker that it belongs to; `null`: it says that there is a worker, not which. */
  readonly workerId: string | null
  /** For people. */
  readonly name: string
}

interface PatternKey {
  readonly pattern: RegExp
  readonly key: WorkerKey
}

/** Everything that one reading of the tokens brought. */
interface KeySet {
  readonly byToken: TokenMap<WorkerKey>
  readonly byCredential: ReadonlyMap<string, WorkerKey>
  readonly individual: ReadonlyMap<string, WorkerKey>
  readonly patterns: readonly PatternKey[]
  readonly shared: WorkerKey | undefined
}

export class WorkerKeys {
  #keys: KeySet
  readonly #listeners = new Set<() => void>()

  /** @throws ConfigError `CONFIG_INVALID` for tokens that are empty or used twice, and for impossible ids. */
  constructor(tokens: WorkerTokens = {}) {
    this.#keys = keySet(tokens)
  }

  /**
   * These tokens are good from now on, and no others. When it throws, nothing has changed.
   * @throws ConfigError `CONFIG_INVALID`, as the constructor.
   */
  replace(tokens: WorkerTokens): void {
    this.#keys = keySet(tokens)
    for (const listener of this.#listeners) listener()
  }

  /** Calls back when there are other tokens. Returns the way to stop. */
  onReplaced(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  find(token: string): WorkerKey | undefined {
    return this.#keys.byToken.find(token)
  }

  byCredential(credential: string): WorkerKey | undefined {
    return this.#keys.byCredential.get(credential)
  }

  /** The tokens that are good for a worker. */
  of(workerId: string): readonly WorkerKey[] {
    const { individual, patterns, shared } = this.#keys
    const own = individual.get(workerId)
    if (own !== undefined) return [own]
    const matching = patterns.filter(({ pattern }) => pattern.test(workerId))
    if (matching.length > 0) return matching.map(({ key }) => key)
    return shared === undefined ? [] : [shared]
  }
}

function keySet({ shared, individual = {}, patterns = {} }: WorkerTokens): KeySet {
  const byToken = new TokenMap<WorkerKey>()
  const byCredential = new Map<string, WorkerKey>()
  const add = (name: string, secret: string, workerId: string | null = null): WorkerKey => {
    // What reads tokens from a file may find anything there.
    const isText: boolean = typeof secret === 'string' && secret !== ''
    const key = { credential: isText ? credentialOf(secret) : '', secret, workerId, name }
    if (!isText || !byToken.add(secret, key)) throw invalid(`${name} is empty or used twice.`)
    byCredential.set(key.credential, key)
    return key
  }
  const own = Object.entries(individual).map(([workerId, token]) => {
    if (isIdentifier(workerId)) return add(`The token of worker '${workerId}'`, token, workerId)
    throw invalid(
      `'${String(workerId)}' is no worker id: it has 1 to 128 letters, digits, _ and -.`,
    )
  })
  return {
    individual: new Map(own.map((key) => [String(key.workerId), key])),
    patterns: Object.entries(patterns).map(([pattern, token]) => ({
      pattern: compiled(pattern),
      key: add(`The token of workers '${pattern}'`, token),
    })),
    shared: shared === undefined ? undefined : add('The shared worker token', shared),
    byToken,
    byCredential,
  }
}

function compiled(pattern: string): RegExp {
  try {
    return workerIdPattern(pattern)
  } catch (cause) {
    throw invalid(`'${pattern}' is no pattern of worker ids.`, cause)
  }
}

/** Another hash than the one that tokens are looked up by, so that neither can stand for the other. */
function credentialOf(secret: string): string {
  return `token:${hashToken(`credential of ${secret}`).slice(0, 32)}`
}

function invalid(message: string, cause?: unknown): ConfigError {
  return new ConfigError('CONFIG_INVALID', { message, cause })
}
