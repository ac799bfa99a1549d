/** From what an author hands to an action to what `advance` is told. */
import { InputError, type JsonObject, type TaskContract } from '@avtomatika/protocol'
import type { ZodType } from 'zod'
import { toJsonObject } from '../json/to-json.ts'
import type { Action, ChildSpec } from '../job/event.ts'
import type { TaskSpec } from '../job/task.ts'
import type { Target, Transitions } from '../job/vocabulary.ts'
import type {
  ApprovalOptions,
  BranchOptions,
  ChildOptions,
  DispatchOptions,
  EventWaitOptions,
  ParallelOptions,
  SleepOptions,
  TaskOptions,
} from './actions.ts'
import type { DispatchSettings } from './dispatch-settings.ts'
import { check, MAX_WAIT_SECONDS, milliseconds, misfit } from './option-checks.ts'

/** Either form of `dispatchTask`. */
export interface AnyDispatch extends DispatchOptions {
  readonly type: string | TaskContract<unknown, unknown>
  readonly params?: unknown
}

export type ActionOptions =
  | { readonly kind: 'go_to'; readonly state: string }
  | { readonly kind: 'dispatch_task'; readonly options: AnyDispatch }
  | { readonly kind: 'dispatch_parallel'; readonly options: ParallelOptions }
  | { readonly kind: 'await_approval'; readonly options: ApprovalOptions }
  | { readonly kind: 'run_child'; readonly options: ChildOptions }
  | { readonly kind: 'sleep'; readonly options: SleepOptions }
  | { readonly kind: 'wait_for_event'; readonly options: EventWaitOptions }

/** What a child is made from. */
export type ChildOrder = Pick<ChildOptions, 'name' | 'version'> & {
  readonly initialData: JsonObject
}

export interface ActionTools {
  /** Resolves a state's name, or throws an error that names the blueprint and its states. */
  readonly resolve: (state: string) => Target
  readonly settings: DispatchSettings
  /** Schemas of the blueprint's events. */
  readonly events: ReadonlyMap<string, ZodType>
  /**
   * Finds a child's blueprint and checks its input.
   * @throws NotFoundError `BLUEPRINT_NOT_FOUND`
   */
  readonly child: (
    order: ChildOrder,
  ) => Promise<Pick<ChildSpec, 'blueprint' | 'start' | 'initialData' | 'timeoutMs'>>
}

/** An action, or the rest of the work that makes it one. */
export type PreparedAction = Action | (() => Promise<Action>)

/** @throws InputError `INVALID_INPUT` naming the action, the option and what it must be. */
export function toAction(given: ActionOptions, tools: ActionTools): PreparedAction {
  switch (given.kind) {
    case 'go_to':
      return { type: 'go_to', target: tools.resolve(given.state) }
    case 'dispatch_task':
      return dispatch(given.options, tools)
    case 'dispatch_parallel':
      return parallel(given.options, tools)
    case 'await_approval':
      return approval(given.options, tools)
    case 'run_child':
      return child(given.options, tools)
    case 'sleep':
      return sleep(given.options, tools)
    case 'wait_for_event':
      return eventWait(given.options, tools)
  }
}

function dispatch(options: AnyDispatch, tools: ActionTools): Action {
  const { type, params, onFailure, eventTransitions = {} } = options
  check((type as unknown) !== undefined, 'dispatchTask', 'type is missing')
  const transitions = targets('dispatchTask', options.transitions, tools)
  if (onFailure !== undefined) {
    const isKnown = (onFailure as string) === 'transition' && Object.hasOwn(transitions, 'failure')
    check(isKnown, 'dispatchTask', "onFailure can be 'transition', and needs transitions.failure")
  }
  return {
    type: 'dispatch_task',
    task: taskSpec(type, params, { options, tools }),
    transitions,
    eventTransitions: targets('dispatchTask', eventTransitions, tools),
    onFailure: onFailure ?? 'end',
  }
}

function taskSpec(
  type: string | TaskContract<unknown, unknown>,
  params: unknown,
  { options, tools }: { readonly options: TaskOptions; readonly tools: ActionTools },
): TaskSpec {
  const name = typeof type === 'string' ? type : type.name
  return tools.settings.taskSpec(name, checkedParams(type, params ?? {}), options)
}

function checkedParams(type: string | TaskContract<unknown, unknown>, params: unknown): JsonObject {
  if (typeof type === 'string' || type.params === undefined) return toJsonObject(params, 'params')
  const parsed = type.params.safeParse(params)
  if (parsed.success) return toJsonObject(parsed.data, 'params')
  const what = `The params of task ${type.name} do not match its contract`
  throw misfit({ what }, parsed.error)
}

function parallel(options: ParallelOptions, tools: ActionTools): Action {
  const { aggregateInto, concurrency, failFast = false } = options
  const isCount = concurrency === undefined || (Number.isInteger(concurrency) && concurrency >= 1)
  check(isCount, 'dispatchParallel', 'concurrency must be a whole number of 1 or more')
  const given: unknown = options.tasks
  check(typeof given === 'object' && given !== null, 'dispatchParallel', 'tasks must be given')
  const named: [string, BranchOptions][] = Array.isArray(options.tasks)
    ? options.tasks.map((task: BranchOptions, i) => [task.name ?? String(i), task])
    : Object.entries(options.tasks)
  const names = new Set<string>()
  for (const [name] of named) {
    check(!names.has(name), 'dispatchParallel', `two branches have the same name: '${name}'`)
    names.add(name)
  }
  return {
    type: 'dispatch_parallel',
    tasks: named.map(([name, task]) => ({ name, spec: branchSpec(name, task, tools) })),
    aggregateInto: tools.resolve(aggregateInto),
    concurrency: concurrency ?? null,
    failFast,
  }
}

function branchSpec(name: string, task: BranchOptions, tools: ActionTools): TaskSpec {
  const type = task.type ?? task.task_type
  check(type !== undefined, `dispatchParallel, branch '${name}'`, 'type is missing')
  return taskSpec(type, task.params, { options: task, tools })
}

function approval(options: ApprovalOptions, tools: ActionTools): Action {
  const { integration, message, timeout, onTimeout } = options
  const what = 'awaitHumanApproval'
  check(typeof integration === 'string', what, 'integration must be a text')
  check(typeof message === 'string', what, 'message must be a text')
  const transitions = targets(what, options.transitions, tools)
  check(Object.keys(transitions).length > 0, what, 'transitions has no decision')
  return {
    type: 'await_approval',
    integration,
    message,
    transitions,
    timeoutMs: milliseconds(what, 'timeout', timeout, MAX_WAIT_SECONDS),
    onTimeout: onTimeout === undefined ? null : tools.resolve(onTimeout),
  }
}

function child(options: ChildOptions, tools: ActionTools): PreparedAction {
  const { name, version, timeouts = {} } = options
  check(typeof name === 'string' && name !== '', 'runBlueprint', 'name is missing')
  const what = `runBlueprint '${name}'`
  const limits = {
    dispatchTimeoutMs: milliseconds(what, 'timeouts.dispatch', timeouts.dispatch),
    resultTimeoutMs: milliseconds(what, 'timeouts.result', timeouts.result),
  }
  const timeoutMs = milliseconds(what, 'timeouts.total', timeouts.total, MAX_WAIT_SECONDS)
  const transitions = targets(what, options.transitions, tools)
  const initialData = toJsonObject(options.initialData ?? {}, 'initialData')
  const order = { name, initialData, ...(version !== undefined && { version }) }
  return async () => {
    const found = await tools.child(order)
    const total = { timeoutMs: timeoutMs ?? found.timeoutMs }
    return { type: 'run_child', child: { ...found, ...limits, ...total }, transitions }
  }
}

function sleep(options: SleepOptions, tools: ActionTools): Action {
  const next = tools.resolve(options.next)
  if ('until' in options) {
    const at = options.until instanceof Date ? options.until.getTime() : NaN
    check(Number.isFinite(at), 'sleep', 'until must be a valid Date')
    return { type: 'sleep', until: { at }, next }
  }
  const { seconds } = options
  const ms = seconds === 0 ? 0 : milliseconds('sleep', 'seconds', seconds, MAX_WAIT_SECONDS)
  if (ms === null) {
    throw new InputError('INVALID_INPUT', { message: 'sleep: give seconds or until.' })
  }
  return { type: 'sleep', until: { ms }, next }
}

function eventWait(options: EventWaitOptions, tools: ActionTools): Action {
  const { name, match, timeout, transitions } = options
  check(typeof name === 'string' && name !== '', 'waitForEvent', 'name is missing')
  const what = `waitForEvent '${name}'`
  const given: Partial<EventWaitOptions['transitions']> | undefined = transitions
  check(given?.received !== undefined, what, 'transitions.received is missing')
  return {
    type: 'wait_for_event',
    name,
    match: match === undefined ? null : toJsonObject(match, 'match'),
    timeoutMs: milliseconds(what, 'timeout', timeout, MAX_WAIT_SECONDS),
    received: tools.resolve(transitions.received),
    timeout: transitions.timeout === undefined ? null : tools.resolve(transitions.timeout),
  }
}

function targets(
  what: string,
  given: Readonly<Record<string, string>> | undefined,
  { resolve }: ActionTools,
): Transitions {
  check(typeof given === 'object', what, 'transitions must be given')
  return Object.fromEntries(
    Object.entries(given).map(([status, state]) => [status, resolve(state)] as const),
  )
}
