import type { z } from 'zod'

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
