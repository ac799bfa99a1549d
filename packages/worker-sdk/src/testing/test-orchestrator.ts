import { taskResultSchema, type JsonValue, type TaskResult } from '@avtomatika/protocol'

import type { WorkerLogger } from '../logger.ts'
import type { EventChannel } from '../task-events.ts'
import type { TaskOutcome } from '../task-outcome.ts'
import type { ProgressChannel, TaskHome, TaskIdentity } from '../task-runner.ts'

/** A report of progress. */
export interface ToldProgress {
  /** 0 to 1. */
  readonly fraction: number
  readonly message?: string | undefined
}

/** An event that a task emitted. */
export interface ToldEvent {
  readonly type: string
  readonly payload: Readonly<Record<string, unknown>>
}

/** Everything that was told about one task. */
export interface TaskRecord {
  readonly progress: ToldProgress[]
  readonly events: ToldEvent[]
  readonly chunks: JsonValue[]
  readonly ended: Promise<TaskResult>
}

interface OpenRecord extends TaskRecord {
  readonly end: (result: TaskResult) => void
}

/** Stands in for the orchestrator: notes what tasks tell, as it would arrive, and answers at once. */
export class TestOrchestrator implements TaskHome {
  readonly logger: WorkerLogger
  readonly #records = new Map<string, OpenRecord>()

  constructor(logger: WorkerLogger) {
    this.logger = logger
  }

  /** Begins to note what is told about a task. */
  expect(taskId: string): TaskRecord {
    let end: OpenRecord['end'] = () => undefined
    const ended = new Promise<TaskResult>((resolve) => {
      end = resolve
    })
    const record = { progress: [], events: [], chunks: [], ended, end }
    this.#records.set(taskId, record)
    return record
  }

  openProgress({ taskId }: TaskIdentity): ProgressChannel {
    return {
      // Noted as it is told: on the way to a real orchestrator reports are thinned out.
      report: (fraction, message) => {
        const told = { fraction: Math.min(1, Math.max(0, fraction)), message }
        this.#records.get(taskId)?.progress.push(told)
      },
      flush: () => Promise.resolve(),
    }
  }

  openEvents({ taskId }: TaskIdentity): EventChannel {
    return {
      emit: async (type, payload) => {
        this.#records.get(taskId)?.events.push({ type, payload: asSent(payload) })
      },
      stream: async (chunk) => {
        this.#records.get(taskId)?.chunks.push(asSent(chunk) as JsonValue)
      },
      flush: () => Promise.resolve(),
    }
  }

  deliver({ jobId, taskId, attempt }: TaskIdentity, outcome: TaskOutcome): void {
    const message = {
      job_id: jobId,
      task_id: taskId,
      ...(attempt !== undefined && { attempt }),
      ...outcome,
    }
    this.#records.get(taskId)?.end(taskResultSchema.parse(asSent(message)))
  }

  hasResult(): boolean {
    return false
  }

  noteStart(): void {
    // There is no heartbeat here.
  }

  noteEnd(): void {
    // There is no heartbeat here.
  }
}

/** What arrives at the other end of the wire. */
function asSent<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T
}
