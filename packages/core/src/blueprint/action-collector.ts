/** Holds what one handler run decided, and what it said beside it. */
import { BlueprintError, type JsonObject } from '@avtomatika/protocol'
import { toJsonObject } from '../json/to-json.ts'
import type { Action, Remarks, SentEvent } from '../job/event.ts'
import {
  toAction,
  type ActionOptions,
  type ActionTools,
  type AnyDispatch,
  type PreparedAction,
} from './action-options.ts'
import type { Actions, SendEventOptions } from './actions.ts'
import { check, fitting } from './option-checks.ts'

export interface Decided {
  readonly action: Action | undefined
  readonly remarks: Remarks
}

type ActionName = Exclude<keyof Actions, 'sendEvent' | 'updateContext'>

interface Called {
  readonly name: ActionName
  readonly options: ActionOptions
}

const MAX_NAME_LENGTH = 128

export class ActionCollector {
  readonly #tools: ActionTools
  #decision: (Called & { readonly action: PreparedAction }) | undefined
  #conflict: BlueprintError | undefined
  #updates: JsonObject | null = null
  readonly #sent: SentEvent[] = []

  constructor(tools: ActionTools) {
    this.#tools = tools
  }

  readonly actions: Actions = {
    transitionTo: (state) => {
      this.#decide('transitionTo', { kind: 'go_to', state })
    },
    goTo: (state) => {
      this.#decide('goTo', { kind: 'go_to', state })
    },
    dispatchTask: (options: AnyDispatch) => {
      this.#decide('dispatchTask', { kind: 'dispatch_task', options })
    },
    dispatchParallel: (options) => {
      this.#decide('dispatchParallel', { kind: 'dispatch_parallel', options })
    },
    awaitHumanApproval: (options) => {
      this.#decide('awaitHumanApproval', { kind: 'await_approval', options })
    },
    runBlueprint: (options) => {
      this.#decide('runBlueprint', { kind: 'run_child', options })
    },
    sleep: (options) => {
      this.#decide('sleep', { kind: 'sleep', options })
    },
    waitForEvent: (options) => {
      this.#decide('waitForEvent', { kind: 'wait_for_event', options })
    },
    sendEvent: (options) => {
      this.#send(options)
    },
    updateContext: (data) => {
      this.#updates = { ...this.#updates, ...toJsonObject(data, 'updateContext') }
    },
  }

  /**
   * The decision, if any, ready for `advance`.
   * @throws BlueprintError `HANDLER_TWO_ACTIONS` even when the handler caught it: it cannot be right.
   * @throws InputError `INVALID_INPUT` for options, child data or event data that cannot be.
   */
  async decided(): Promise<Decided> {
    if (this.#conflict !== undefined) throw this.#conflict
    for (const { name, data } of this.#sent) {
      const schema = this.#tools.events.get(name)
      if (schema === undefined) continue
      await fitting(schema, data, { what: `The data of event '${name}' do not fit` })
    }
    const remarks = { updates: this.#updates, sent: this.#sent }
    const prepared = this.#decision?.action
    const action = typeof prepared === 'function' ? await prepared() : prepared
    return { action, remarks }
  }

  /** Options are checked at once, so that a mistake is thrown where it was made. */
  #decide(name: ActionName, options: ActionOptions): void {
    const first = this.#decision
    if (first !== undefined) {
      this.#conflict = twoActions(first, { name, options })
      throw this.#conflict
    }
    this.#decision = { name, options, action: toAction(options, this.#tools) }
  }

  #send({ name, data = {}, jobId }: SendEventOptions): void {
    const isName = typeof name === 'string' && name !== '' && name.length <= MAX_NAME_LENGTH
    check(isName, 'sendEvent', `name must have 1 to ${String(MAX_NAME_LENGTH)} characters`)
    this.#sent.push({ name, data: toJsonObject(data, 'data'), to: jobId ?? null })
  }
}

function twoActions(first: Called, second: Called): BlueprintError {
  const message =
    `A handler takes exactly one action, but this one called ${first.name}${sketch(first.options)} ` +
    `and then ${second.name}${sketch(second.options)}. Return right after the first.`
  return new BlueprintError('HANDLER_TWO_ACTIONS', { message })
}

function sketch(action: ActionOptions): string {
  if (action.kind === 'go_to') return ` ('${action.state}')`
  if (action.kind !== 'dispatch_task') return ''
  const { type } = action.options
  return ` ('${typeof type === 'string' ? type : type.name}')`
}
