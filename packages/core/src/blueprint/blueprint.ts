/** How an author describes a workflow: states, each with a handler that takes one action. */
import { BlueprintError, isIdentifier, type JsonObject } from '@avtomatika/protocol'
import type { ZodType, output } from 'zod'
import type { EndOutcome } from '../job/job.ts'
import { checkStates, type BlueprintIssue } from './check.ts'
import { asDataStore } from './data-store.ts'
import { fingerprint, type BlueprintDefinition, type StateDefinition } from './definition.ts'
import type { Handler } from './handler-context.ts'
import { endOutcome } from './outcome.ts'
import { scanHandler } from './scan.ts'

export interface BlueprintOptions<Schema extends ZodType = ZodType> {
  /** Path under the API prefix at which clients create jobs, for example `/jobs/orders`. */
  readonly endpoint?: string
  /** One path segment before the endpoint, for example `v1`; also part of what a job is pinned to. */
  readonly version?: string
  /** Checked when a job is created; types `initialData`. */
  readonly input?: Schema
  /** Objects handed to every handler; plain dictionaries become asynchronous stores. */
  readonly dataStores?: Readonly<Record<string, unknown>>
}

export interface StateOptions {
  /** Jobs begin here. Exactly one state has it. */
  readonly start?: boolean
  /** Jobs end here: `true` lets the name decide (`failed`, `…_error`, … fail), or say the outcome. */
  readonly end?: boolean | EndOutcome
  /** Targets that a scan of the handler's source cannot see. */
  readonly to?: readonly string[]
}

// In a tuple, since `never` (no schema) alone would make the whole type `never`.
type InputOf<Schema> = [Schema] extends [never]
  ? JsonObject
  : Schema extends ZodType
    ? output<Schema>
    : JsonObject

/**
 * A workflow as a state machine.
 *
 * @example
 * ```ts
 * const hello = new Blueprint('hello', { endpoint: '/jobs/hello', version: 'v1' })
 * hello.state('start', { start: true }, ({ actions }) => {
 *   actions.dispatchTask({ type: 'greet', transitions: { success: 'done' } })
 * })
 * hello.state('done', { end: true })
 * ```
 */
export class Blueprint<Schema extends ZodType = never> {
  readonly name: string
  readonly #options: BlueprintOptions<Schema>
  readonly #states = new Map<string, StateDefinition>()
  #definition: BlueprintDefinition | undefined

  /** @throws BlueprintError `BLUEPRINT_INVALID` for a name, version or endpoint that cannot be one. */
  constructor(name: string, options: BlueprintOptions<Schema> = {}) {
    this.name = name
    this.#options = options
    if (!isIdentifier(name))
      throw this.#invalid(['its name may have letters, digits, _ and - only'])
    const { version, endpoint } = options
    if (version !== undefined && !/^\w[\w.-]*$/.test(version)) {
      throw this.#invalid([`its version '${version}' must be one path segment, for example 'v1'`])
    }
    if (endpoint !== undefined && !/^\/?\w[\w.~-]*(\/\w[\w.~-]*)*$/.test(endpoint)) {
      throw this.#invalid([
        `its endpoint '${endpoint}' must be a plain path, for example '/jobs/x'`,
      ])
    }
  }

  /**
   * Adds a state. End states need no handler; all others do.
   * @throws BlueprintError `BLUEPRINT_INVALID` for a name taken before, or after registration.
   */
  state(name: string, options: StateOptions, handler?: Handler<InputOf<Schema>>): this
  state(name: string, handler: Handler<InputOf<Schema>>): this
  state(
    name: string,
    given: StateOptions | Handler<InputOf<Schema>>,
    second?: Handler<InputOf<Schema>>,
  ): this {
    const [options, handler] = typeof given === 'function' ? [{}, given] : [given, second]
    if (this.#definition !== undefined) {
      throw this.#invalid([`state '${name}' was added after the blueprint was registered`])
    }
    if (name === '') throw this.#invalid(['a state has an empty name'])
    if (this.#states.has(name)) {
      throw this.#invalid([`state '${name}' is declared twice; give the second one another name`])
    }
    this.#states.set(name, stateDefinition(name, options, handler))
    return this
  }

  /** Issues that registration would find; errors first. */
  check(): readonly BlueprintIssue[] {
    return checkStates(this.#states)
  }

  /**
   * The finished definition. From here on the blueprint cannot be changed.
   * @throws BlueprintError `BLUEPRINT_INVALID` listing everything that is wrong.
   */
  define(): BlueprintDefinition {
    if (this.#definition !== undefined) return this.#definition
    const errors = this.check().filter((issue) => issue.level === 'error')
    if (errors.length > 0) throw this.#invalid(errors.map((issue) => issue.message))
    const { version = null, endpoint, input, dataStores = {} } = this.#options
    const stores = Object.entries(dataStores).map(
      ([key, store]) => [key, asDataStore(store)] as const,
    )
    this.#definition = {
      name: this.name,
      version,
      endpoint: endpoint === undefined ? null : `/${endpoint.replace(/^\//, '')}`,
      input: input ?? null,
      dataStores: Object.freeze(Object.fromEntries(stores)),
      states: this.#states,
      ref: { name: this.name, version, hash: fingerprint(this.#states.values()) },
    }
    return this.#definition
  }

  #invalid(problems: readonly string[]): BlueprintError {
    const message = `Blueprint '${this.name}' cannot be used: ${problems.join('; ')}.`
    return new BlueprintError('BLUEPRINT_INVALID', { message, details: { problems } })
  }
}

function stateDefinition<Input>(
  name: string,
  options: StateOptions,
  handler: Handler<Input> | undefined,
): StateDefinition {
  const { start = false, end = false, to = [] } = options
  return {
    name,
    start,
    end: end === false ? null : endOutcome(name, end),
    // Safe: the engine hands over only data that this blueprint's input schema has accepted.
    handler: handler === undefined ? null : (handler as unknown as Handler),
    to,
    scan: handler === undefined ? NOTHING_TO_SCAN : scanHandler(String(handler)),
  }
}

const NOTHING_TO_SCAN = { targets: [], hasUnseen: false } as const
