import type { JsonObject } from '@avtomatika/protocol'
import { toJsonObject } from '../json/to-json.ts'
import type { RetryRules } from '../job/retry.ts'
import type { TaskDemand, TaskSpec } from '../job/task.ts'
import type { RetryOptions, TaskOptions } from './actions.ts'
import { check, milliseconds } from './option-checks.ts'

export interface DispatchDefaults {
  readonly taskTimeoutMs: number
  readonly retry: RetryRules
}

/** As long as the name of a skill may be; no worker could offer a longer one. */
const MAX_TYPE_LENGTH = 128

/** Turns what an author writes into a complete task specification in milliseconds. */
export class DispatchSettings {
  readonly #defaults: DispatchDefaults

  constructor(defaults: DispatchDefaults) {
    this.#defaults = defaults
  }

  /** @throws InputError `INVALID_INPUT` for options out of range. */
  taskSpec(type: string, params: JsonObject, options: TaskOptions): TaskSpec {
    const what = `task '${type}'`
    const { priority = 0, dispatchStrategy = 'default', retry } = options
    const { dispatchTimeout, timeout, resultTimeout } = options
    check(
      Number.isFinite(priority),
      what,
      `priority must be a finite number, got ${String(priority)}`,
    )
    check(
      typeof dispatchStrategy === 'string' && dispatchStrategy !== '',
      what,
      'dispatchStrategy must be the name of a strategy',
    )
    return {
      demand: demandOf(type, options, what),
      params,
      priority,
      strategy: dispatchStrategy,
      dispatchTimeoutMs: milliseconds(what, 'dispatchTimeout', dispatchTimeout),
      executionTimeoutMs: milliseconds(what, 'timeout', timeout) ?? this.#defaults.taskTimeoutMs,
      resultTimeoutMs: milliseconds(what, 'resultTimeout', resultTimeout),
      retry: retry === undefined ? null : this.#retryRules(retry, what),
    }
  }

  #retryRules(options: RetryOptions, what: string): RetryRules {
    const { maxRetries, backoff } = this.#defaults.retry
    const { attempts = maxRetries + 1, factor = backoff.factor, jitter = backoff.jitter } = options
    const { initialDelay, maxDelay } = options
    check(Number.isInteger(attempts) && attempts >= 1, what, 'retry.attempts must be 1 or more')
    check(Number.isFinite(factor) && factor >= 1, what, 'retry.factor must be 1 or more')
    check(jitter >= 0 && jitter <= 1, what, 'retry.jitter must be from 0 to 1')
    return {
      maxRetries: attempts - 1,
      backoff: {
        initialMs: pause(what, 'retry.initialDelay', initialDelay) ?? backoff.initialMs,
        maxMs: pause(what, 'retry.maxDelay', maxDelay) ?? backoff.maxMs,
        factor,
        jitter,
      },
    }
  }
}

function demandOf(type: string, options: TaskOptions, what: string): TaskDemand {
  check(
    type !== '' && type.length <= MAX_TYPE_LENGTH,
    what,
    `type must have 1 to ${String(MAX_TYPE_LENGTH)} characters`,
  )
  const { skillVersion, skillType, resourceRequirements, maxCost } = options
  const isCost = maxCost === undefined || (Number.isFinite(maxCost) && maxCost >= 0)
  check(isCost, what, `maxCost must be 0 or more, got ${String(maxCost)}`)
  return {
    type,
    ...(skillVersion !== undefined && { skillVersion }),
    ...(skillType !== undefined && { skillType }),
    ...(maxCost !== undefined && { maxCost }),
    ...(resourceRequirements !== undefined && {
      resources: toJsonObject(resourceRequirements, 'resourceRequirements'),
    }),
  }
}

/** Like other times, but a retry may follow at once. */
function pause(what: string, name: string, seconds: number | undefined): number | null {
  return seconds === 0 ? 0 : milliseconds(what, name, seconds)
}
