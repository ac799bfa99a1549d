// What runs in a thread: loads the handler's file and calls it, one task at a time.
// Imports nothing of ours but types, so that it starts fast and wherever it lies.
import { parentPort, type MessagePort } from 'node:worker_threads'

import type { WorkerLogger } from './logger.ts'
import type { FromThread, ThreadError, ThreadTask, ToThread } from './thread-messages.ts'

// The same names as in task-error.ts and task-result.ts.
const TASK_ERROR_BRAND = Symbol.for('@avtomatika/task-error')
const TASK_RESULT_BRAND = Symbol.for('@avtomatika/task-result')

interface TaskErrorFields {
  readonly message: string
  readonly stack: string | undefined
  readonly code: string
  readonly details: unknown
  readonly retryAfterMs: number | undefined
}
type Handler = (context: unknown) => unknown
type Body = FromThread extends infer Message
  ? Message extends FromThread
    ? Omit<Message, 'run'>
    : never
  : never

if (parentPort === null) {
  throw new Error('This file runs in the threads of a worker and is not meant to be imported.')
}
serve(parentPort)

function serve(port: MessagePort): void {
  /** Answers that events wait for. */
  const emitted = new Map<number, (error: ThreadError | undefined) => void>()
  let events = 0
  port.on('message', (message: ToThread) => {
    if (message.kind === 'emitted') {
      emitted.get(message.event)?.(message.error)
      emitted.delete(message.event)
      return
    }
    const { run, file, task } = message
    const say = (body: Body): void => {
      port.postMessage({ ...body, run })
    }
    const told = (body: Body & { readonly event: number }): Promise<void> => {
      const answered = new Promise<void>((resolve, reject) => {
        emitted.set(body.event, (error) => {
          if (error === undefined) resolve()
          else reject(new Error(error.message))
        })
        say(body)
      })
      // Handlers need not wait for their events; the owner has logged what went wrong.
      answered.catch(() => undefined)
      return answered
    }
    const emit = (type: string, payload: Readonly<Record<string, unknown>> = {}): Promise<void> => {
      events += 1
      return told({ kind: 'emit', event: events, type, payload })
    }
    const stream = (chunk: unknown): Promise<void> => {
      events += 1
      return told({ kind: 'stream', event: events, chunk })
    }
    void perform(file, { ...contextOf(task, say), emit, stream }, say)
  })
}

function contextOf(task: ThreadTask, say: (body: Body) => void) {
  return {
    ...task,
    progress: (fraction: number, message?: string): void => {
      say({ kind: 'progress', fraction, message })
    },
    logger: loggerOf(say, {}),
  }
}

/** Never rejects: what goes wrong is told to the owner. */
async function perform(file: string, context: unknown, say: (body: Body) => void): Promise<void> {
  try {
    const handler = await load(file)
    const value = await handler(context)
    const isExplicit = isBranded(value, TASK_RESULT_BRAND)
    tellResult({ isExplicit, value: isExplicit ? { ...value } : value }, say)
  } catch (error) {
    say({ kind: 'threw', error: describe(error) })
  }
}

function tellResult(
  result: { readonly isExplicit: boolean; readonly value: unknown },
  say: (body: Body) => void,
): void {
  try {
    say({ kind: 'returned', ...result })
  } catch (error) {
    const message = `The result cannot leave its thread: ${describe(error).message}`
    say({ kind: 'threw', error: taskError('CONTRACT_VIOLATION_ERROR', message) })
  }
}

async function load(file: string): Promise<Handler> {
  const module = (await import(file)) as { readonly default?: unknown; readonly handler?: unknown }
  const handler = module.default ?? module.handler
  if (typeof handler === 'function') return handler as Handler
  // Trying again will not help: a person has to mend the file.
  const message = `${file} must export the handler: a function, as 'default' or as 'handler'.`
  const error = { message, code: 'PERMANENT_ERROR', details: undefined, retryAfterMs: undefined }
  // eslint-disable-next-line @typescript-eslint/only-throw-error -- told on as a task error
  throw Object.defineProperty(error, TASK_ERROR_BRAND, { value: true })
}

function taskError(code: string, message: string): ThreadError {
  return { message, stack: undefined, task: { code, details: undefined, retryAfterMs: undefined } }
}

function describe(error: unknown): ThreadError {
  if (isBranded(error, TASK_ERROR_BRAND)) {
    const { message, stack, code, details, retryAfterMs } = error as TaskErrorFields
    return { message, stack, task: { code, details, retryAfterMs } }
  }
  if (error instanceof Error) return { message: error.message, stack: error.stack }
  return { message: String(error), stack: undefined }
}

function isBranded(value: unknown, brand: symbol): value is object {
  return typeof value === 'object' && value !== null && Reflect.get(value, brand) === true
}

function loggerOf(say: (body: Body) => void, bound: object): WorkerLogger {
  const at =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (fields: object, message: string): void => {
      const all = { ...bound, ...fields }
      try {
        say({ kind: 'log', level, message, fields: all })
      } catch {
        // A function or the like among them cannot leave the thread; their names still tell something.
        say({ kind: 'log', level, message, fields: { fields: Object.keys(all) } })
      }
    }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => loggerOf(say, { ...bound, ...fields }),
  }
}
