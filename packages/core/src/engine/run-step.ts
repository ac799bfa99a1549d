/** Runs one handler and says what came of it. Whatever the handler does, this does not throw. */
import { inspect } from 'node:util'
import { AvtomatikaError } from '@avtomatika/protocol'
import { ActionCollector } from '../blueprint/actions.ts'
import {
  resolveState,
  type BlueprintDefinition,
  type StateDefinition,
} from '../blueprint/definition.ts'
import type { DispatchSettings } from '../blueprint/dispatch-settings.ts'
import { handlerContext } from '../blueprint/handler-context.ts'
import { toJson } from '../json/to-json.ts'
import type { Action } from '../job/event.ts'
import type { Job, JobError } from '../job/job.ts'

export type StepOutcome =
  | { readonly kind: 'succeeded'; readonly action: Action }
  | { readonly kind: 'failed'; readonly error: JobError; readonly then: 'retry' | 'fail' }

export async function runStep(
  job: Job,
  blueprint: BlueprintDefinition,
  settings: DispatchSettings,
): Promise<StepOutcome> {
  const state = blueprint.states.get(job.state)
  if (state === undefined) return unknownState(job, blueprint)
  if (state.handler === null) return finishWithout(state, blueprint)
  const collector = new ActionCollector((name) => resolveState(blueprint, name), settings)
  try {
    const context = handlerContext(job, collector.actions, blueprint.dataStores)
    const returned = await state.handler(context)
    const action = collector.decided() ?? finish(state, returned)
    return action === undefined ? noAction(state, blueprint) : { kind: 'succeeded', action }
  } catch (error) {
    return { kind: 'failed', error: errorOf(error), then: 'retry' }
  }
}

/** An end state that takes no action ends the job with what its handler returned. */
function finish(state: StateDefinition, returned: unknown): Action | undefined {
  if (state.end === null) return undefined
  const result = returned === undefined ? {} : { result: toJson(returned, 'the returned result') }
  return { type: 'finish', outcome: state.end, ...result }
}

function finishWithout(state: StateDefinition, blueprint: BlueprintDefinition): StepOutcome {
  const action = finish(state, undefined)
  return action === undefined ? noAction(state, blueprint) : { kind: 'succeeded', action }
}

function noAction(state: StateDefinition, blueprint: BlueprintDefinition): StepOutcome {
  const message =
    `State '${state.name}' of blueprint '${blueprint.name}' returned without an action. ` +
    'Call one of the actions on every path, or make it an end state.'
  return { kind: 'failed', error: { code: 'HANDLER_NO_ACTION', message }, then: 'fail' }
}

function unknownState(job: Job, blueprint: BlueprintDefinition): StepOutcome {
  const message = `Blueprint '${blueprint.name}' has no state '${job.state}'.`
  return { kind: 'failed', error: { code: 'UNKNOWN_STATE', message }, then: 'fail' }
}

function errorOf(thrown: unknown): JobError {
  if (AvtomatikaError.is(thrown)) return { code: thrown.code, message: thrown.message }
  const message = textOf(thrown instanceof Error ? thrown.message : thrown)
  return { code: 'HANDLER_FAILED', message: message === '' ? 'The handler threw.' : message }
}

/** Authors throw anything, also what has no text: an object without a prototype. */
function textOf(thrown: unknown): string {
  return typeof thrown === 'string' ? thrown : inspect(thrown, { depth: 1 })
}
