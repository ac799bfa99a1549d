/** A blueprint as the engine runs it: checked, complete and unchangeable. */
import { createHash } from 'node:crypto'
import { BlueprintError } from '@avtomatika/protocol'
import type { ZodType } from 'zod'
import type { BlueprintRef } from '../job/job.ts'
import type { EndOutcome, Target } from '../job/vocabulary.ts'
import type { Handler, Predicate } from './handler-context.ts'
import type { ScanResult } from './scan.ts'

/** Code of a state, and where its source says that it leads. */
export interface ScannedHandler {
  readonly run: Handler
  readonly scan: ScanResult
}

export interface ConditionalHandler extends ScannedHandler {
  /** As its author wrote it; `null` for a predicate function. */
  readonly condition: string | null
  readonly test: Predicate
}

export interface StateDefinition {
  readonly name: string
  readonly start: boolean
  /** How a job ends here; `null` in states that are no end. */
  readonly end: EndOutcome | null
  /** Tried in order before the handler. */
  readonly conditional: readonly ConditionalHandler[]
  readonly handler: ScannedHandler | null
  /** Runs when the branches of a `dispatchParallel` have come out. */
  readonly aggregator: ScannedHandler | null
  /** Targets that the author declared, beside what the scan found. */
  readonly to: readonly string[]
}

export interface BlueprintDefinition {
  readonly name: string
  readonly version: string | null
  /** Path of the create route, with a leading slash; `null`: clients create jobs by name. */
  readonly endpoint: string | null
  readonly input: ZodType | null
  /** What the job's result must be. */
  readonly output: ZodType | null
  /** What the data of an event must be, by the event's name. */
  readonly events: ReadonlyMap<string, ZodType>
  /** A job must have ended this long after its creation, in ms; `null` for no such limit. */
  readonly timeoutMs: number | null
  readonly dataStores: Readonly<Record<string, unknown>>
  readonly states: ReadonlyMap<string, StateDefinition>
  readonly ref: BlueprintRef
}

/** All code of a state. */
export function handlersOf(state: StateDefinition): readonly ScannedHandler[] {
  const { conditional, handler, aggregator } = state
  return [...conditional, handler, aggregator].filter((each) => each !== null)
}

/** A fingerprint over everything that decides how jobs of a definition behave. */
export function fingerprint(states: Iterable<StateDefinition>): string {
  const hash = createHash('sha256')
  for (const { name, start, end, to, conditional, handler, aggregator } of states) {
    const conditions = conditional.map(({ condition, test, run }) => [
      condition ?? String(test),
      String(run),
    ])
    const code = [handler, aggregator].map((each) => (each === null ? '' : String(each.run)))
    hash.update(JSON.stringify([name, start, end, to, conditions, code]))
  }
  return hash.digest('hex').slice(0, 16)
}

/** @throws BlueprintError `UNKNOWN_STATE` naming the blueprint, the state and those it has. */
export function resolveState(blueprint: BlueprintDefinition, state: string): Target {
  const found = blueprint.states.get(state)
  if (found === undefined) {
    const known = [...blueprint.states.keys()].join(', ')
    const message = `Blueprint '${blueprint.name}' has no state '${state}'. Its states: ${known}.`
    throw new BlueprintError('UNKNOWN_STATE', { message, details: { state } })
  }
  // A result that has a schema must be looked at, even when no handler runs.
  const endsOnEntry = handlersOf(found).length === 0 && blueprint.output === null
  return found.end !== null && endsOnEntry ? { state, end: found.end } : { state }
}

/** The target of a new job. */
export function startTarget(blueprint: BlueprintDefinition): Target {
  for (const state of blueprint.states.values()) if (state.start) return { state: state.name }
  const message = `Blueprint '${blueprint.name}' has no start state.`
  throw new BlueprintError('BLUEPRINT_INVALID', { message })
}
