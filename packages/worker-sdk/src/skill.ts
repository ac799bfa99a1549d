import {
  ConfigError,
  isIdentifier,
  type JsonValue,
  type SkillInfo,
  type TaskContract,
} from '@avtomatika/protocol'
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
  /** Groups tasks of one kind: `typeLimits` of the worker bounds them together. Default: the name. */
  readonly type?: string | undefined
  /** Statuses it may return besides `success`, `failure` and `cancelled`. Default: any. */
  readonly outputStatuses?: readonly string[] | undefined
  /** Most tasks of this name at a time. Default: as many as the worker takes. */
  readonly concurrency?: number | undefined
  /** What one task costs, in the unit of the fleet. Wins over `COST_PER_SKILL`. */
  readonly cost?: number | undefined
  /** Names of models; when all are in the hot cache, the task is announced as hot. */
  readonly dependencies?: readonly string[] | undefined
  /** What `emit` may send: names and schemas of payloads, without asynchronous checks. Default: anything. */
  readonly events?: Readonly<Record<string, z.ZodType>> | undefined
  /** More facts for the catalog, such as a category. */
  readonly properties?: Readonly<Record<string, JsonValue>> | undefined
}

/** How a task is described whose handler runs in a thread. */
export interface ThreadTaskOptions<
  Params = Record<string, unknown>,
  Result = unknown,
> extends TaskOptions<Params, Result> {
  /**
   * The file whose `default` or `handler` export is the handler: a `file:` URL, an absolute path, or a
   * path from the folder of the program's main script.
   */
  readonly thread: string | URL
}

/** A kind of task that this worker can do. */
export interface Skill {
  readonly name: string
  readonly params: z.ZodType | undefined
  readonly result: z.ZodType | undefined
  readonly events: Readonly<Record<string, z.ZodType>> | undefined
  readonly outputStatuses: readonly string[] | undefined
  readonly concurrency: number | undefined
  readonly cost: number | undefined
  readonly dependencies: readonly string[]
  readonly isThreaded: boolean
  /** Takes what `params` gave. */
  readonly handler: (context: TaskContext<unknown>) => unknown
  /** The skill as it is announced. */
  readonly info: SkillInfo
}

/** The kinds of task a worker can do, by name. */
export class SkillRegistry {
  readonly #skills = new Map<string, Skill>()

  /** @throws {@link ConfigError} `CONFIG_INVALID` for a name that is malformed or taken, and wrong options. */
  add<Params, Result>(
    contract: TaskContract<Params, Result>,
    options: TaskOptions<Params, Result> & { readonly isThreaded?: boolean },
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
    checkNumbers(name, options)
    const params = contract.params ?? options.params
    const result = contract.result ?? options.result
    this.#skills.set(name, {
      name,
      params,
      result,
      events: options.events,
      outputStatuses: options.outputStatuses,
      concurrency: options.concurrency,
      cost: options.cost,
      dependencies: options.dependencies ?? [],
      isThreaded: options.isThreaded ?? false,
      // Sound: the context is made with what this very schema's parse returned.
      handler: (context) => handler(context as TaskContext<Params>),
      info: describe(name, { ...options, params, result }),
    })
  }

  find(name: string): Skill | undefined {
    return this.#skills.get(name)
  }

  get all(): readonly Skill[] {
    return [...this.#skills.values()]
  }

  /** What each costs that says so. */
  costs(): Record<string, number> {
    return Object.fromEntries(
      this.all.flatMap(({ name, cost }) => (cost === undefined ? [] : [[name, cost]])),
    )
  }

  /** Names of those that could start without loading anything: all they depend on, or they themselves, are hot. */
  hot(isHot: (name: string) => boolean): string[] {
    return this.all
      .filter(
        ({ name, dependencies }) =>
          isHot(name) || (dependencies.length > 0 && dependencies.every(isHot)),
      )
      .map(({ name }) => name)
  }

  /**
   * All of them, as they are announced.
   *
   * @param limitOf - most tasks of one skill at a time; `undefined` = as many as the worker takes.
   */
  infos(limitOf: (skill: Skill) => number | undefined): SkillInfo[] {
    return [...this.#skills.values()].map((skill) => {
      const limit = limitOf(skill)
      return limit === undefined ? skill.info : { ...skill.info, max_concurrent_tasks: limit }
    })
  }
}

function describe<Params, Result>(name: string, options: TaskOptions<Params, Result>): SkillInfo {
  const { params, result, description, version, type, outputStatuses, events, properties } = options
  return {
    name,
    ...(type !== undefined && { type }),
    ...(version !== undefined && { version }),
    ...(description !== undefined && { description }),
    ...(params !== undefined && { input_schema: toJsonSchema(params, 'input') }),
    ...(result !== undefined && { output_schema: toJsonSchema(result, 'output') }),
    ...(outputStatuses !== undefined && { output_statuses: [...outputStatuses] }),
    ...(events !== undefined && { events_schema: eventSchemas(events) }),
    ...(properties !== undefined && { properties: { ...properties } }),
  }
}

function eventSchemas(events: Readonly<Record<string, z.ZodType>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(events).map(([name, schema]) => [name, toJsonSchema(schema, 'input')]),
  )
}

function checkNumbers(
  name: string,
  {
    concurrency,
    cost,
  }: { readonly concurrency?: number | undefined; readonly cost?: number | undefined },
): void {
  if (concurrency !== undefined && !(Number.isInteger(concurrency) && concurrency >= 1)) {
    throw invalid(
      `concurrency of the task '${name}' must be a whole number from 1, got ${concurrency}.`,
    )
  }
  if (cost !== undefined && !(Number.isFinite(cost) && cost >= 0)) {
    throw invalid(`cost of the task '${name}' must be a number from 0, got ${cost}.`)
  }
}

/** What JSON Schema cannot say (a transform, a check in code) is announced as "anything". */
function toJsonSchema(schema: z.ZodType, io: 'input' | 'output'): Record<string, unknown> {
  return { ...z.toJSONSchema(schema, { io, unrepresentable: 'any' }) }
}

function invalid(message: string): ConfigError {
  return new ConfigError('CONFIG_INVALID', { message })
}
