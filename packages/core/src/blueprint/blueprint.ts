/** How an author describes a workflow: states, each with a handler that takes one action. */
import { BlueprintError, isIdentifier, type JsonObject } from '@avtomatika/protocol'
import type { ZodType, output } from 'zod'
import { checkStates, type BlueprintIssue } from './check.ts'
import { asDataStore } from './data-store.ts'
import { fingerprint, type BlueprintDefinition, type StateDefinition } from './definition.ts'
import { toDot } from './graph-dot.ts'
import { toMermaid } from './graph-mermaid.ts'
import { graphOf } from './graph-of.ts'
import { toSvg } from './graph-svg.ts'
import type { Handler, Predicate } from './handler-context.ts'
import { StateDraft, type StateOptions } from './state-draft.ts'

export interface BlueprintOptions<Schema extends ZodType = ZodType> {
  /** Path under the API prefix at which clients create jobs, for example `/jobs/orders`. */
  readonly endpoint?: string
  /** One path segment before the endpoint, for example `v1`; also part of what a job is pinned to. */
  readonly version?: string
  /** Checked when a job is created; types `initialData`. */
  readonly input?: Schema
  /** Checked when a job finishes; a result that does not match fails the job. */
  readonly output?: ZodType
  /** What the data of events must be, by the event's name; see also {@link Blueprint.event}. */
  readonly events?: Readonly<Record<string, ZodType>>
  /** A job fails when it has not ended this long after its creation, in seconds. Default: no limit. */
  readonly timeout?: number
  /** Objects handed to every handler; plain dictionaries become asynchronous stores. */
  readonly dataStores?: Readonly<Record<string, unknown>>
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
  readonly #states = new Map<string, StateDraft>()
  readonly #events: Map<string, ZodType>
  #latest: StateDraft | undefined
  #definition: BlueprintDefinition | undefined

  /** @throws BlueprintError `BLUEPRINT_INVALID` for a name, version or endpoint that cannot be one. */
  constructor(name: string, options: BlueprintOptions<Schema> = {}) {
    this.name = name
    this.#options = options
    this.#events = new Map(Object.entries(options.events ?? {}))
    if (!isIdentifier(name))
      throw this.#invalid(['its name may have letters, digits, _ and - only'])
    const { version, endpoint, timeout = 1 } = options
    if (!Number.isFinite(timeout) || timeout <= 0) {
      throw this.#invalid([`its timeout must be more than 0 seconds, got ${String(timeout)}`])
    }
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
   * Adds a state. End states need no handler; all others have one, conditions, or an aggregator.
   * @throws BlueprintError `BLUEPRINT_INVALID` for a name taken before, or after registration.
   */
  state(name: string, options: StateOptions, handler?: Handler<InputOf<Schema>>): this
  state(name: string, handler?: Handler<InputOf<Schema>>): this
  state(
    name: string,
    given: StateOptions | Handler<InputOf<Schema>> = {},
    second?: Handler<InputOf<Schema>>,
  ): this {
    const [options, handler] = typeof given === 'function' ? [{}, given] : [given, second]
    const state = this.#open(name)
    if (this.#states.has(name) && !state.isOpen) {
      throw this.#invalid([`state '${name}' is declared twice; give the second one another name`])
    }
    state.describe(options)
    if (handler !== undefined) state.handle(asHandler(handler))
    return this.#keep(name, state)
  }

  /**
   * Adds a handler to the latest state that runs when its condition holds, before the state's own.
   * The first condition that holds, in order of declaration, decides.
   *
   * @param condition - a predicate, or text such as `context.initial_data.type == 'urgent'`.
   * @throws BlueprintError `CONDITION_INVALID` for text that is no condition; `BLUEPRINT_INVALID`
   *   where no state comes before.
   */
  when(condition: string | Predicate<InputOf<Schema>>, handler: Handler<InputOf<Schema>>): this {
    if (this.#latest === undefined) {
      throw this.#invalid(['a condition comes before any state; call state(name) first'])
    }
    this.#assertOpen('a condition')
    this.#latest.when(
      typeof condition === 'string' ? condition : asPredicate(condition),
      asHandler(handler),
    )
    return this
  }

  /**
   * Adds what runs when the branches of a `dispatchParallel` have come out: a state to name in
   * `aggregateInto`.
   * @throws BlueprintError `BLUEPRINT_INVALID` for a second aggregator of the name.
   */
  aggregator(name: string, options: StateOptions, handler: Handler<InputOf<Schema>>): this
  aggregator(name: string, handler: Handler<InputOf<Schema>>): this
  aggregator(
    name: string,
    given: StateOptions | Handler<InputOf<Schema>>,
    second?: Handler<InputOf<Schema>>,
  ): this {
    const [options, handler] = typeof given === 'function' ? [{}, given] : [given, second]
    if (handler === undefined) throw this.#invalid([`aggregator '${name}' has no handler`])
    const state = this.#open(name)
    if (state.hasAggregator) {
      throw this.#invalid([`aggregator '${name}' is declared twice; give the second another name`])
    }
    state.describe(options)
    state.aggregate(asHandler(handler))
    return this.#keep(name, state)
  }

  /**
   * Says what the data of an event must be; events without a schema may have any.
   * @throws BlueprintError `BLUEPRINT_INVALID` for a second schema of the name.
   */
  event(name: string, schema: ZodType): this {
    this.#assertOpen(`event '${name}'`)
    if (this.#events.has(name)) throw this.#invalid([`event '${name}' is declared twice`])
    this.#events.set(name, schema)
    return this
  }

  /**
   * The blueprint as a picture, as far as its handlers' source and `to` show where it leads.
   * @throws BlueprintError `BLUEPRINT_INVALID` for a blueprint that could not be registered; it
   *   cannot be changed after this.
   */
  graph(format: 'dot' | 'mermaid' | 'svg' = 'dot'): string {
    const draw = { dot: toDot, mermaid: toMermaid, svg: toSvg }[format]
    return draw(graphOf(this.define()), { name: this.name })
  }

  /** Issues that registration would find; errors first. */
  check(): readonly BlueprintIssue[] {
    return checkStates(this.#defined())
  }

  /**
   * The finished definition. From here on the blueprint cannot be changed.
   * @throws BlueprintError `BLUEPRINT_INVALID` listing everything that is wrong.
   */
  define(): BlueprintDefinition {
    if (this.#definition !== undefined) return this.#definition
    const errors = this.check().filter((issue) => issue.level === 'error')
    if (errors.length > 0) throw this.#invalid(errors.map((issue) => issue.message))
    const { version = null, endpoint, input, output, timeout, dataStores = {} } = this.#options
    const stores = Object.entries(dataStores).map(
      ([key, store]) => [key, asDataStore(store)] as const,
    )
    const states = this.#defined()
    this.#definition = {
      name: this.name,
      version,
      endpoint: endpoint === undefined ? null : `/${endpoint.replace(/^\//, '')}`,
      input: input ?? null,
      output: output ?? null,
      events: this.#events,
      timeoutMs: timeout === undefined ? null : Math.ceil(timeout * 1000),
      dataStores: Object.freeze(Object.fromEntries(stores)),
      states,
      ref: { name: this.name, version, hash: fingerprint(states.values()) },
    }
    return this.#definition
  }

  #defined(): ReadonlyMap<string, StateDefinition> {
    return new Map([...this.#states].map(([name, state]) => [name, state.define()]))
  }

  #open(name: string): StateDraft {
    this.#assertOpen(`state '${name}'`)
    if (name === '') throw this.#invalid(['a state has an empty name'])
    return this.#states.get(name) ?? new StateDraft(name)
  }

  #keep(name: string, state: StateDraft): this {
    this.#states.set(name, state)
    this.#latest = state
    return this
  }

  #assertOpen(what: string): void {
    if (this.#definition === undefined) return
    throw this.#invalid([`${what} was added after the blueprint was registered`])
  }

  #invalid(problems: readonly string[]): BlueprintError {
    const message = `Blueprint '${this.name}' cannot be used: ${problems.join('; ')}.`
    return new BlueprintError('BLUEPRINT_INVALID', { message, details: { problems } })
  }
}

// Safe: the engine hands over only data that this blueprint's input schema has accepted.
function asHandler<Input>(handler: Handler<Input>): Handler {
  return handler as unknown as Handler
}

function asPredicate<Input>(predicate: Predicate<Input>): Predicate {
  return predicate as unknown as Predicate
}
