import type { z } from 'zod'

import { ConfigError } from './error.ts'
import { isIdentifier } from './identifiers.ts'

/**
 * What a blueprint and a worker agree on about one kind of task. Written once, in a module that
 * both import; each side then checks and infers its types from it.
 */
export interface TaskContract<Params, Result> {
  /** Name of the skill: `type` on the wire. */
  readonly name: string
  /** What the task is given. Default: any object. */
  readonly params?: z.ZodType<Params> | undefined
  /** What a successful result holds as `data`. Default: anything. */
  readonly result?: z.ZodType<Result> | undefined
}

/** The schemas of a {@link TaskContract}. */
export interface TaskSchemas<Params, Result> {
  /** What the task is given. Default: any object. */
  readonly params?: z.ZodType<Params> | undefined
  /** What a successful result holds as `data`. Default: anything. */
  readonly result?: z.ZodType<Result> | undefined
}

/**
 * Defines a kind of task for both sides: blueprints dispatch it, workers register a handler for it.
 *
 * @param name - letters, digits, `_` and `-`, 1 to 128 characters.
 * @throws {@link ConfigError} `CONFIG_INVALID` when the name breaks that rule.
 * @example
 * ```ts
 * const processPayment = defineTask('process_payment', {
 *   params: z.object({ amount: z.number() }),
 *   result: z.object({ receipt: z.string() }),
 * })
 * ```
 */
export function defineTask<Params = Record<string, unknown>, Result = unknown>(
  name: string,
  schemas: TaskSchemas<Params, Result> = {},
): TaskContract<Params, Result> {
  if (!isIdentifier(name)) {
    throw new ConfigError('CONFIG_INVALID', {
      message: `The name of a task has 1 to 128 letters, digits, "_" and "-"; got ${JSON.stringify(name)}.`,
      details: { name },
    })
  }
  return Object.freeze({ name, params: schemas.params, result: schemas.result })
}
