/** A state while its author still adds to it; order of declaration does not matter. */
import type { EndOutcome } from '../job/vocabulary.ts'
import { compileCondition } from './condition.ts'
import type { ConditionalHandler, ScannedHandler, StateDefinition } from './definition.ts'
import type { Handler, Predicate } from './handler-context.ts'
import { endOutcome } from './outcome.ts'
import { scanHandler } from './scan.ts'

export interface StateOptions {
  /** Jobs begin here. Exactly one state has it. */
  readonly start?: boolean
  /** Jobs end here: `true` lets the name decide (`failed`, `…_error`, … fail), or say the outcome. */
  readonly end?: boolean | EndOutcome
  /** Targets that a scan of the handler's source cannot see. */
  readonly to?: readonly string[]
}

export class StateDraft {
  readonly #name: string
  #start = false
  #end: EndOutcome | null = null
  #to: readonly string[] = []
  #handler: ScannedHandler | null = null
  #aggregator: ScannedHandler | null = null
  readonly #conditional: ConditionalHandler[] = []

  constructor(name: string) {
    this.#name = name
  }

  get hasHandler(): boolean {
    return this.#handler !== null
  }

  get hasAggregator(): boolean {
    return this.#aggregator !== null
  }

  /** Whether only conditions, or an aggregator, have been declared so far. */
  get isOpen(): boolean {
    return !this.hasHandler && (this.#conditional.length > 0 || this.hasAggregator)
  }

  describe({ start, end, to }: StateOptions): void {
    if (start !== undefined) this.#start = start
    if (end !== undefined) this.#end = end === false ? null : endOutcome(this.#name, end)
    if (to !== undefined) this.#to = [...new Set([...this.#to, ...to])]
  }

  handle(handler: Handler): void {
    this.#handler = scanned(handler)
  }

  aggregate(handler: Handler): void {
    this.#aggregator = scanned(handler)
  }

  /** @throws BlueprintError `CONDITION_INVALID` */
  when(condition: string | Predicate, handler: Handler): void {
    this.#conditional.push({ ...scanned(handler), ...conditionOf(condition) })
  }

  /** The state as it is by now. */
  define(): StateDefinition {
    return {
      name: this.#name,
      start: this.#start,
      end: this.#end,
      conditional: [...this.#conditional],
      handler: this.#handler,
      aggregator: this.#aggregator,
      to: this.#to,
    }
  }
}

function scanned(handler: Handler): ScannedHandler {
  return { run: handler, scan: scanHandler(String(handler)) }
}

function conditionOf(
  condition: string | Predicate,
): Pick<ConditionalHandler, 'condition' | 'test'> {
  if (typeof condition === 'function') return { condition: null, test: condition }
  const compiled = compileCondition(condition)
  return { condition: compiled.text, test: (context) => compiled.test(context) }
}
