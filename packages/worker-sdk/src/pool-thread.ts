import { Worker as Thread } from 'node:worker_threads'

import type { JsonValue } from '@avtomatika/protocol'

import type { TaskContext } from './task-context.ts'
import {
  PermanentError,
  ResourceExhaustedError,
  TransientError,
  taskErrorOf,
  type TaskError,
} from './task-error.ts'
import { taskResult, type TaskResultFields } from './task-result.ts'
import type { FromThread, ThreadError, ThreadTask, ToThread } from './thread-messages.ts'

// Beside this file, in the sources as in the build.
const ENTRY = new URL(
  import.meta.url.endsWith('.ts') ? './thread-entry.ts' : './thread-entry.js',
  import.meta.url,
)

/** The context as a handler in a thread gets it: nothing in it reaches into the other thread's memory. */
export type ThreadContext<Params = Record<string, unknown>> = Omit<
  TaskContext<Params>,
  'signal' | 'hotCache'
>

interface Current {
  readonly run: number
  readonly context: TaskContext<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** One thread; runs one task at a time and stays for the next. */
export class PoolThread {
  readonly #thread = new Thread(ENTRY)
  #current: Current | undefined
  #runs = 0
  #isAlive = true
  #crash: Error | undefined

  constructor() {
    this.#thread.on('message', (message: FromThread) => {
      this.#hear(message)
    })
    this.#thread.on('error', (error: Error) => {
      this.#crash = error
    })
    this.#thread.on('exit', (code) => {
      this.#isAlive = false
      this.#current?.reject(crashError(this.#crash, code))
    })
    // A thread that waits for work does not keep the process alive.
    this.#thread.unref()
  }

  /** Whether it can run another task. */
  get isAlive(): boolean {
    return this.#isAlive
  }

  /**
   * Runs a task. An abort ends the thread, whatever it does.
   *
   * @throws the reason of the abort; what the handler threw; a {@link TransientError} when the thread
   * died.
   */
  async run(file: string, context: TaskContext<unknown>): Promise<unknown> {
    const { signal } = context
    signal.throwIfAborted()
    this.#runs += 1
    this.#thread.ref()
    const kill = (): void => {
      void this.stop()
    }
    try {
      return await new Promise<unknown>((resolve, reject) => {
        this.#current = { run: this.#runs, context, resolve, reject }
        signal.addEventListener('abort', kill, { once: true })
        this.#begin(file, context)
      })
    } catch (error) {
      // The thread was ended because of the abort; its death is not what went wrong.
      if (signal.aborted) throw signal.reason
      throw error
    } finally {
      signal.removeEventListener('abort', kill)
      this.#current = undefined
      this.#thread.unref()
    }
  }

  /** Ends the thread; resolves when it is gone. */
  async stop(): Promise<void> {
    this.#isAlive = false
    await this.#thread.terminate()
  }

  #begin(file: string, context: TaskContext<unknown>): void {
    try {
      this.#say({ kind: 'run', run: this.#runs, file, task: threadTaskOf(context) })
    } catch (cause) {
      throw new PermanentError(`The params cannot be sent to a thread: ${messageOf(cause)}`, {
        cause,
      })
    }
  }

  #hear(message: FromThread): void {
    const current = this.#current
    if (current?.run !== message.run) return
    const { context, resolve, reject } = current
    switch (message.kind) {
      case 'progress':
        context.progress(message.fraction, message.message)
        return
      case 'log':
        context.logger[message.level](message.fields, message.message)
        return
      case 'emit':
        void this.#answer(message, context.emit(message.type, message.payload))
        return
      case 'stream':
        // Any JSON, or it is refused like that of a handler in this thread.
        void this.#answer(message, context.stream(message.chunk as JsonValue))
        return
      case 'returned':
        resolve(
          message.isExplicit
            ? taskResult(message.value as TaskResultFields<unknown>)
            : message.value,
        )
        return
      case 'threw':
        reject(errorOf(message.error))
    }
  }

  async #answer(
    { run, event }: { readonly run: number; readonly event: number },
    sent: Promise<void>,
  ): Promise<void> {
    try {
      await sent
      this.#say({ kind: 'emitted', run, event })
    } catch (cause) {
      const error = { message: messageOf(cause), stack: undefined }
      this.#say({ kind: 'emitted', run, event, error })
    }
  }

  #say(message: ToThread): void {
    this.#thread.postMessage(message)
  }
}

function threadTaskOf(context: TaskContext<unknown>): ThreadTask {
  const { params, taskId, jobId, type, attempt, priority, deadline, idempotencyKey, tracing } =
    context
  return { params, taskId, jobId, type, attempt, priority, deadline, idempotencyKey, tracing }
}

function crashError(crash: Error | undefined, exitCode: number): TaskError {
  const how = crash === undefined ? `ended with exit code ${exitCode}` : `died: ${crash.message}`
  const message = `The thread of the task ${how}`
  const isMemory = Reflect.get(crash ?? {}, 'code') === 'ERR_WORKER_OUT_OF_MEMORY'
  const Kind = isMemory ? ResourceExhaustedError : TransientError
  return new Kind(message, { cause: crash })
}

function errorOf({ message, stack, task }: ThreadError): Error {
  const error = task === undefined ? new Error(message) : taskErrorOf(message, task)
  if (stack !== undefined) error.stack = stack
  return error
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
