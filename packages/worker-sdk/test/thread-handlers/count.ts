import { threadId } from 'node:worker_threads'

import { taskResult, PermanentError, type ThreadContext } from '../../src/index.ts'

/** Does what its params say. */
export default async function count(context: ThreadContext): Promise<unknown> {
  const { params, progress, emit, stream, logger, idempotencyKey, attempt } = context
  switch (params['do']) {
    case 'spin':
      progress(0.5, 'spinning')
      for (;;) Math.sqrt(2)
    case 'tell':
      logger.child({ part: 1 }).info({ n: 2 }, 'from a thread')
      logger.warn({ callback: () => 1 }, 'with a function')
      await emit('page', { n: 1 })
      await stream('Hello')
      return { idempotencyKey, attempt, threadId }
    case 'refused':
      return { caught: await emit('progress').catch((error: unknown) => String(error)) }
    case 'custom':
      return taskResult({ status: 'big', data: { n: 1 } })
    case 'fail':
      throw new PermanentError('no', { details: { why: 'not' }, retryAfterMs: 5 })
    case 'throw':
      throw new RangeError('m')
    case 'function':
      return { callback: () => 1 }
    case 'exit':
      process.exit(7)
    case 'crash':
      setImmediate(() => {
        throw new Error('out of the blue')
      })
      return new Promise(() => undefined)
    default:
      return { threadId }
  }
}
