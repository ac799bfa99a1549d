import { InputError } from '@avtomatika/protocol'
import type { TaskSpec } from '../job/job.ts'
import type { DispatchOptions } from './actions.ts'

const MAX_SECONDS = 30 * 86_400

/** Turns the seconds that an author writes into a complete task specification in milliseconds. */
export class DispatchSettings {
  readonly #defaultTaskTimeoutMs: number

  constructor(defaultTaskTimeoutMs: number) {
    this.#defaultTaskTimeoutMs = defaultTaskTimeoutMs
  }

  /** @throws InputError `INVALID_INPUT` for times out of range and priorities that are no numbers. */
  resolve(options: DispatchOptions, type: string): Omit<TaskSpec, 'demand' | 'params'> {
    const { priority = 0, dispatchTimeout, timeout, resultTimeout } = options
    if (!Number.isFinite(priority)) {
      throw invalid(type, `priority must be a finite number, got ${String(priority)}`)
    }
    return {
      priority,
      dispatchTimeoutMs: milliseconds(type, 'dispatchTimeout', dispatchTimeout),
      executionTimeoutMs: milliseconds(type, 'timeout', timeout) ?? this.#defaultTaskTimeoutMs,
      resultTimeoutMs: milliseconds(type, 'resultTimeout', resultTimeout),
    }
  }
}

function milliseconds(type: string, name: string, seconds: number | undefined): number | null {
  if (seconds === undefined) return null
  if (Number.isFinite(seconds) && seconds > 0 && seconds <= MAX_SECONDS) return seconds * 1000
  const range = `more than 0 and at most ${String(MAX_SECONDS)} seconds`
  throw invalid(type, `${name} must be ${range}, got ${String(seconds)}`)
}

function invalid(type: string, problem: string): InputError {
  return new InputError('INVALID_INPUT', { message: `dispatchTask '${type}': ${problem}.` })
}
