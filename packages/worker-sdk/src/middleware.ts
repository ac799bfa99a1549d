import type { TaskContext } from './task-context.ts'

/** What happens around each handler. Of several, the first that was added is the outermost. */
export interface TaskMiddleware {
  /** Before the handler, with checked params. What it throws ends the task like a handler's error. */
  readonly before?: (context: TaskContext<unknown>) => void | Promise<void>
  /** After a handler that returned. What it returns is the result instead; nothing = unchanged. */
  readonly after?: (context: TaskContext<unknown>, result: unknown) => unknown
  /** After a handler that threw. An error that it returns is thrown instead; nothing = the same. */
  readonly error?: (
    context: TaskContext<unknown>,
    error: unknown,
  ) => Error | undefined | void | Promise<Error | undefined | void>
}

type Handle = (context: TaskContext<unknown>) => unknown

/** A handler with everything around it. */
export function withMiddleware(middleware: readonly TaskMiddleware[], handler: Handle): Handle {
  return middleware.reduceRight<Handle>((next, each) => around(each, next), handler)
}

function around(middleware: TaskMiddleware, next: Handle): Handle {
  return async (context) => {
    await middleware.before?.(context)
    let result: unknown
    try {
      result = await next(context)
    } catch (error) {
      throw (await middleware.error?.(context, error)) ?? error
    }
    const replaced = await middleware.after?.(context, result)
    return replaced === undefined ? result : replaced
  }
}
