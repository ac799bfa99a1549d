/** Runs one handler and says what came of it. Whatever the handler does, this does not throw. */
import { inspect } from 'node:util'
import { AvtomatikaError, BlueprintError } from '@avtomatika/protocol'
import { ActionCollector } from '../../blueprint/action-collector.ts'
import type { ActionTools } from '../../blueprint/action-options.ts'
import {
  handlersOf,
  resolveState,
  type BlueprintDefinition,
  type ConditionalHandler,
  type StateDefinition,
} from '../../blueprint/definition.ts'
import {
  handlerContext,
  type Handler,
  type HandlerContext,
} from '../../blueprint/handler-context.ts'
import { misfit } from '../../blueprint/option-checks.ts'
import { toJson } from '../../json/to-json.ts'
import type { Action, Remarks } from '../../job/event.ts'
import type { Job } from '../../job/job.ts'
import type { JobError } from '../../job/vocabulary.ts'

export type StepOutcome =
  | { readonly kind: 'succeeded'; readonly action: Action; readonly remarks: Remarks }
  | { readonly kind: 'failed'; readonly error: JobError; readonly then: 'retry' | 'fail' }

/** What a step needs of its engine. */
export type StepTools = Pick<ActionTools, 'settings' | 'child'>

export async function runStep(
  job: Job,
  blueprint: BlueprintDefinition,
  tools: StepTools,
): Promise<StepOutcome> {
  const state = blueprint.states.get(job.state)
  if (state === undefined) return unknownState(job, blueprint)
  const { events, dataStores } = blueprint
  const resolve = (name: string): ReturnType<typeof resolveState> => resolveState(blueprint, name)
  const collector = new ActionCollector({ ...tools, resolve, events })
  try {
    const context = handlerContext(job, collector.actions, dataStores)
    const handler = chooseHandler(state, context, job)
    if (handler === undefined && state.end === null) return noHandler(state, blueprint)
    const returned = await handler?.(context)
    const { action, remarks } = await collector.decided()
    if (action !== undefined) return { kind: 'succeeded', action, remarks }
    if (state.end === null) return noAction(state, blueprint)
    return await finish({ job, state, blueprint, returned, remarks })
  } catch (error) {
    return { kind: 'failed', error: errorOf(error), then: 'retry' }
  }
}

/** The first condition that holds decides, then the state's own handler. */
function chooseHandler(
  state: StateDefinition,
  context: HandlerContext,
  { received }: Job,
): Handler | undefined {
  const { conditional, handler, aggregator } = state
  if (aggregator !== null && (received?.kind === 'branches' || handlersOf(state).length === 1)) {
    return aggregator.run
  }
  const chosen = conditional.find((each) => holds(each, context, state)) ?? handler
  return chosen?.run
}

/** A promise would always count as true, so it is refused. */
function holds(
  { test, condition }: ConditionalHandler,
  context: HandlerContext,
  { name }: StateDefinition,
): boolean {
  const answer: unknown = test(context)
  if (typeof answer === 'boolean') return answer
  const which = condition ?? 'a predicate'
  const message = `A condition of state '${name}' (${which}) must answer true or false at once, got ${inspect(answer, { depth: 0 })}.`
  throw new BlueprintError('CONDITION_INVALID', { message })
}

interface Finish {
  readonly job: Job
  readonly state: StateDefinition
  readonly blueprint: BlueprintDefinition
  readonly returned: unknown
  readonly remarks: Remarks
}

/** An end state that takes no action ends the job with what its handler returned. */
async function finish({ job, state, blueprint, returned, remarks }: Finish): Promise<StepOutcome> {
  const outcome = state.end ?? 'finished'
  const own = returned === undefined ? undefined : toJson(returned, 'the returned result')
  const result = own === undefined ? {} : { result: own }
  const action = { type: 'finish', outcome, ...result } as const
  const { output, name } = blueprint
  if (output === null || outcome !== 'finished') return { kind: 'succeeded', action, remarks }
  const parsed = await output.safeParseAsync(own ?? job.lastData)
  if (parsed.success) {
    const checked = { ...action, result: toJson(parsed.data, 'the result') }
    return { kind: 'succeeded', action: checked, remarks }
  }
  const what = `The result of blueprint '${name}' does not match its output schema`
  const { message } = misfit({ what, root: 'result' }, parsed.error)
  return { kind: 'failed', error: { code: 'OUTPUT_INVALID', message }, then: 'fail' }
}

function noHandler(
  { name, conditional }: StateDefinition,
  blueprint: BlueprintDefinition,
): StepOutcome {
  const tried = conditional.map(({ condition }) => condition ?? 'a predicate').join('; ')
  const message =
    `No condition of state '${name}' of blueprint '${blueprint.name}' holds (${tried}), and it has ` +
    'no default handler. Add one, or a condition for this case.'
  return { kind: 'failed', error: { code: 'NO_HANDLER', message }, then: 'fail' }
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
