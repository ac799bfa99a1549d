import { ConfigError, isIdentifier, type SkillInfo, type TaskContract } from '@avtomatika/protocol'
import { z } from 'zod'

import type { TaskContext } from './task-context.ts'
import type { ExplicitResult } from './task-result.ts'

/** Does the work of one kind of task. See the README for what it may return and throw. */
export type TaskHandler<Params, Result> = (
  context: TaskContext<Params>,
) => HandlerReturn<Result> | Promise<HandlerReturn<Result>>

/** What a handler returns: the data of a success, or a result with a status of its own. */
export type HandlerReturn<Result> = Result | ExplicitResult

/** How a task is described to orchestrators and checked here. */
export interface TaskOptions<Params = Record<string, unknown>, Result = unknown> {
  /** Checks the params before the handler sees them; failing = `INVALID_INPUT_ERROR`. */
  readonly params?: z.ZodType<Params> | undefined
  /** Checks the data of a success; failing = `CONTRACT_VIOLATION_ERROR`. */
  readonly result?: z.ZodType<Result> | undefined
  readonly description?: string | undefined
  readonly version?: string | undefined
  /** Groups tasks of one kind. */
  readonly type?: string | undefined
  /** Statuses it may return besides `success` and `failure`. */
  readonly outputStatuses?: readonly string[] | undefined
}

/** A kind of task that this worker can do. */
export interface Skill {
  readonly name: string
  readonly params: z.ZodType | undefined
  readonly result: z.ZodType | undefined
  /** Takes what `params` gave. */
  readonly handler: (context: TaskContext<unknown>) => unknown
  /** The skill as it is announced. */
  readonly info: SkillInfo
}

/** The kinds of task a worker can do, by name. */
export class SkillRegistry {
  readonly #skills = new Map<string, Skill>()

  /** @throws {@link ConfigError} `CONFIG_INVALID` for a name that is malformed or taken. */
  add<Params, Result>(
    contract: TaskContract<Params, Result>,
    options: TaskOptions<Params, Result>,
    handler: TaskHandler<Params, Result>,
  ): void {
    const { name } = contract
    if (!isIdentifier(name)) {
      throw invalid(
        `The name of a task has 1 to 128 letters, digits, "_" and "-"; got ${JSON.stringify(name)}.`,
      )
    }
    if (this.#skills.has(name)) {
      throw invalid(`The task '${name}' is registered twice: give one of them another name.`)
    }
    const params = contract.params ?? options.params
    const result = contract.result ?? options.result
    this.#skills.set(name, {
      name,
      params,
      result,
      // Sound: the context is made with what this very schema's parse returned.
      handler: (context) => handler(context as TaskContext<Params>),
      info: describe(name, { ...options, params, result }),
    })
  }

  find(name: string): Skill | undefined {
    return this.#skills.get(name)
  }

  /** All of them, as they are announced. */
  infos(): SkillInfo[] {
    return [...this.#skills.values()].map(({ info }) => info)
  }
}

function describe<Params, Result>(name: string, options: TaskOptions<Params, Result>): SkillInfo {
  const { params, result, description, version, type, outputStatuses } = options
  return {
    name,
    ...(type !== undefined && { type }),
    ...(version !== undefined && { version }),
    ...(description !== undefined && { description }),
    ...(params !== undefined && { input_schema: toJsonSchema(params, 'input') }),
    ...(result !== undefined && { output_schema: toJsonSchema(result, 'output') }),
    ...(outputStatuses !== undefined && { output_statuses: [...outputStatuses] }),
  }
}

/** What JSON Schema cannot say (a transform, a check in code) is announced as "anything". */
function toJsonSchema(schema: z.ZodType, io: 'input' | 'output'): Record<string, unknown> {
  return { ...z.toJSONSchema(schema, { io, unrepresentable: 'any' }) }
}

function invalid(message: string): ConfigError {
  return new ConfigError('CONFIG_INVALID', { message })
}
