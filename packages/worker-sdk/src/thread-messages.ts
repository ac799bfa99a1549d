// What a thread and its owner say to each other. Everything here passes a structured clone. Types only:
// the thread's own file must load without any package.

/** A task as a thread gets it. */
export interface ThreadTask {
  readonly params: unknown
  readonly taskId: string
  readonly jobId: string
  readonly type: string
  readonly attempt: number
  readonly priority: number
  readonly deadline: Date | null
  readonly idempotencyKey: string
  readonly tracing: Readonly<Record<string, string>>
}

/** To the thread. `run` numbers the tasks of a thread: what a task says after its end is dropped. */
export type ToThread =
  | { readonly kind: 'run'; readonly run: number; readonly file: string; readonly task: ThreadTask }
  | {
      readonly kind: 'emitted'
      readonly run: number
      readonly event: number
      readonly error?: ThreadError
    }

/** From the thread. */
export type FromThread = { readonly run: number } & (
  | { readonly kind: 'progress'; readonly fraction: number; readonly message: string | undefined }
  | {
      readonly kind: 'emit'
      readonly event: number
      readonly type: string
      readonly payload: Readonly<Record<string, unknown>>
    }
  | { readonly kind: 'stream'; readonly event: number; readonly chunk: unknown }
  | {
      readonly kind: 'log'
      readonly level: 'debug' | 'info' | 'warn' | 'error'
      readonly fields: object
      readonly message: string
    }
  | { readonly kind: 'returned'; readonly value: unknown; readonly isExplicit: boolean }
  | { readonly kind: 'threw'; readonly error: ThreadError }
)

/** An error on its way between threads: a clone would lose its class and its own fields. */
export interface ThreadError {
  readonly message: string
  readonly stack: string | undefined
  /** Of a task error; absent for every other. */
  readonly task?:
    | {
        readonly code: string
        readonly details: unknown
        readonly retryAfterMs: number | undefined
      }
    | undefined
}
