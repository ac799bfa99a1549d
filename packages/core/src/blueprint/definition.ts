/** A blueprint as the engine runs it: checked, complete and unchangeable. */
import { createHash } from 'node:crypto'
import { BlueprintError } from '@avtomatika/protocol'
import type { ZodType } from 'zod'
import type { BlueprintRef, EndOutcome, Target } from '../job/job.ts'
import type { Handler } from './handler-context.ts'
import type { ScanResult } from './scan.ts'

export interface StateDefinition {
  readonly name: string
  readonly start: boolean
  /** How a job ends here; `null` in states that are no end. */
  readonly end: EndOutcome | null
  readonly handler: Handler | null
  /** Targets that the author declared, beside what the scan found. */
  readonly to: readonly string[]
  readonly scan: ScanResult
}

export interface BlueprintDefinition {
  readonly name: string
  readonly version: string | null
  /** Path of the create route, with a leading slash; `null`: clients create jobs by name. */
  readonly endpoint: string | null
  readonly input: ZodType | null
  readonly dataStores: Readonly<Record<string, unknown>>
  readonly states: ReadonlyMap<string, StateDefinition>
  readonly ref: BlueprintRef
}

/** A fingerprint over everything that decides how jobs of a definition behave. */
export function fingerprint(states: Iterable<StateDefinition>): string {
  const hash = createHash('sha256')
  for (const { name, start, end, to, handler } of states) {
    hash.update(JSON.stringify([name, start, end, to, handler === null ? '' : String(handler)]))
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
  const endsOnEntry = found.end !== null && found.handler === null
  return endsOnEntry ? { state, end: found.end } : { state }
}

/** The target of a new job. */
export function startTarget(blueprint: BlueprintDefinition): Target {
  for (const state of blueprint.states.values()) if (state.start) return { state: state.name }
  const message = `Blueprint '${blueprint.name}' has no start state.`
  throw new BlueprintError('BLUEPRINT_INVALID', { message })
}
