/** The decisions a handler can take: exactly one per run. */
import {
  BlueprintError,
  describeIssues,
  InputError,
  type JsonObject,
  type TaskContract,
} from '@avtomatika/protocol'
import { toJsonObject } from '../json/to-json.ts'
import type { Action } from '../job/event.ts'
import type { Target, TaskSpec } from '../job/job.ts'
import type { DispatchSettings } from './dispatch-settings.ts'

/** What every dispatch may say; times in seconds. */
export interface DispatchOptions {
  /** Where to go by the status of the result: `success`, `failure`, or a status of the worker's own. */
  readonly transitions: Readonly<Record<string, string>>
  /** Higher goes first. Default 0. */
  readonly priority?: number
  /** How long the task may wait for a worker. Default: for as long as it takes. */
  readonly dispatchTimeout?: number
  /** How long a worker may take. Default: the engine's `taskTimeoutMs` (300 s). */
  readonly timeout?: number
  /** From dispatch to result, over all retries. Default: no limit. */
  readonly resultTimeout?: number
  /** Only workers that offer the skill in this version are given the task. */
  readonly skillVersion?: string
}

export interface DispatchByName extends DispatchOptions {
  readonly type: string
  readonly params?: object
}

export interface DispatchByContract<Params> extends DispatchOptions {
  readonly type: TaskContract<Params, unknown>
  readonly params: NoInfer<Params>
}

/** What a handler decides with. A second decision in one run throws `HANDLER_TWO_ACTIONS`. */
export interface Actions {
  /** Goes to another state. */
  transitionTo(state: string): void
  /** Another name for {@link Actions.transitionTo}. */
  goTo(state: string): void
  /** Gives work to a worker, and waits for its result. */
  dispatchTask<Params>(options: DispatchByContract<Params>): void
  dispatchTask(options: DispatchByName): void
}

/** Either form, as the collector sees it. */
interface AnyDispatch extends DispatchOptions {
  readonly type: string | TaskContract<unknown, unknown>
  readonly params?: unknown
}

/** Resolves a state's name, or throws an error that names the blueprint and its states. */
export type ResolveState = (state: string) => Target

/** As long as the name of a skill may be; no worker could offer a longer one. */
const MAX_TYPE_LENGTH = 128

/** Holds what one handler run decided. */
export class ActionCollector {
  #action: { readonly name: string; readonly action: Action } | undefined
  #conflict: BlueprintError | undefined
  readonly #resolve: ResolveState
  readonly #settings: DispatchSettings

  constructor(resolve: ResolveState, settings: DispatchSettings) {
    this.#resolve = resolve
    this.#settings = settings
  }

  readonly actions: Actions = {
    transitionTo: (state) => {
      this.#decide('transitionTo', { type: 'go_to', target: this.#resolve(state) })
    },
    goTo: (state) => {
      this.#decide('goTo', { type: 'go_to', target: this.#resolve(state) })
    },
    dispatchTask: (options: AnyDispatch) => {
      this.#decide('dispatchTask', this.#dispatch(options))
    },
  }

  /**
   * The decision, if any.
   * @throws BlueprintError `HANDLER_TWO_ACTIONS` even when the handler caught it: it cannot be right.
   */
  decided(): Action | undefined {
    if (this.#conflict !== undefined) throw this.#conflict
    return this.#action?.action
  }

  #decide(name: string, action: Action): void {
    const first = this.#action
    if (first === undefined) {
      this.#action = { name, action }
      return
    }
    const message =
      `A handler takes exactly one action, but this one called ${first.name} (${sketch(first.action)}) ` +
      `and then ${name} (${sketch(action)}). Return right after the first.`
    this.#conflict = new BlueprintError('HANDLER_TWO_ACTIONS', { message })
    throw this.#conflict
  }

  #dispatch(options: AnyDispatch): Action {
    const type = typeof options.type === 'string' ? options.type : options.type.name
    if (type === '' || type.length > MAX_TYPE_LENGTH) {
      const message = `dispatchTask: type must have 1 to ${String(MAX_TYPE_LENGTH)} characters.`
      throw new InputError('INVALID_INPUT', { message })
    }
    const params = checkedParams(options)
    const { skillVersion } = options
    const task: TaskSpec = {
      demand: { type, ...(skillVersion !== undefined && { skillVersion }) },
      params,
      ...this.#settings.resolve(options, type),
    }
    const targets = Object.entries(options.transitions).map(
      ([status, state]) => [status, this.#resolve(state)] as const,
    )
    return { type: 'dispatch_task', task, transitions: Object.fromEntries(targets) }
  }
}

function checkedParams(options: AnyDispatch): JsonObject {
  const params: unknown = options.params ?? {}
  if (typeof options.type === 'string' || options.type.params === undefined) {
    return toJsonObject(params, 'params')
  }
  const parsed = options.type.params.safeParse(params)
  if (parsed.success) return toJsonObject(parsed.data, 'params')
  const issues = describeIssues(parsed.error)
  const list = issues.map(({ path, message }) => `${path}: ${message}`).join('; ')
  throw new InputError('INVALID_INPUT', {
    message: `The params of task ${options.type.name} do not match its contract: ${list}`,
    details: { issues },
  })
}

function sketch(action: Action): string {
  if (action.type === 'go_to') return `'${action.target.state}'`
  return action.type === 'dispatch_task' ? `'${action.task.demand.type}'` : action.outcome
}
