import {
  CANCEL_TASK,
  ConfigError,
  workerCommandSchema,
  type WorkerCommand,
} from '@avtomatika/protocol'

import { parseJson } from './environment.ts'
import type { WorkerLogger } from './logger.ts'

/** An order that an orchestrator sent over the open connection. */
export interface ReceivedCommand {
  readonly name: string
  readonly params: Readonly<Record<string, unknown>>
  readonly metadata: Readonly<Record<string, unknown>>
  /** The task that it is about, if it names one. */
  readonly taskId: string | undefined
  readonly jobId: string | undefined
  /** Who sent it. */
  readonly orchestratorUrl: string
  readonly logger: WorkerLogger
}

/** Does what an order says. Nobody hears what it returns; what it throws is logged. */
export type CommandHandler = (command: ReceivedCommand) => unknown

/** Where commands come from, and what the one with a fixed meaning does. */
export interface CommandSource {
  readonly orchestratorUrl: string
  readonly logger: WorkerLogger
  readonly cancel: (taskId: string) => void
}

/** Commands of authors that may be at work; an orchestrator that sends more is not listened to. */
export const MAX_COMMANDS_AT_WORK = 100

/** What the worker does on commands. */
export class Commands {
  readonly #handlers = new Map<string, CommandHandler>()
  #atWork = 0

  /** Names of the commands that authors take. */
  get names(): readonly string[] {
    return [...this.#handlers.keys()]
  }

  /** @throws {@link ConfigError} `CONFIG_INVALID` for a name that is empty, taken or ours. */
  add(name: string, handler: CommandHandler): void {
    if (name === '' || name === CANCEL_TASK) {
      const why = name === '' ? 'it is empty' : 'the worker itself takes that command'
      throw invalid(`A command cannot be named '${name}': ${why}.`)
    }
    if (this.#handlers.has(name)) {
      throw invalid(`The command '${name}' is registered twice: give one of them another name.`)
    }
    this.#handlers.set(name, handler)
  }

  /**
   * Takes a frame as it came. A cancellation has had its effect on return; a handler has not begun, so
   * that cancellations which came with it are not held up.
   *
   * @returns whether it was a command at all.
   */
  take(frame: string, source: CommandSource): boolean {
    const parsed = workerCommandSchema.safeParse(parseJson(frame))
    const name = parsed.success ? (parsed.data.command ?? parsed.data.type ?? '') : ''
    if (!parsed.success || name === '') {
      source.logger.debug({ characters: frame.length }, 'a frame that is no command')
      return false
    }
    if (name === CANCEL_TASK) cancel(parsed.data, source)
    else this.#start({ ...parsed.data, name }, source)
    return true
  }

  #start(command: WorkerCommand & { readonly name: string }, source: CommandSource): void {
    const { logger, orchestratorUrl } = source
    const { name, params, metadata, task_id: taskId, job_id: jobId } = command
    const handler = this.#handlers.get(name)
    if (handler === undefined) {
      logger.info({ command: name.slice(0, 128) }, 'a command that this worker does not know')
      return
    }
    if (this.#atWork >= MAX_COMMANDS_AT_WORK) {
      logger.warn({ command: name }, 'too many commands are at work, this one is dropped')
      return
    }
    const received: ReceivedCommand = {
      name,
      params: params ?? {},
      metadata: metadata ?? {},
      taskId: taskId ?? undefined,
      jobId: jobId ?? undefined,
      orchestratorUrl,
      logger: logger.child({ command: name }),
    }
    this.#atWork += 1
    setImmediate(() => void this.#run(handler, received))
  }

  /** Never rejects. */
  async #run(handler: CommandHandler, command: ReceivedCommand): Promise<void> {
    try {
      await handler(command)
    } catch (error) {
      command.logger.error({ err: error }, 'the handler of a command failed')
    }
    this.#atWork -= 1
  }
}

function cancel(
  { task_id: taskId }: WorkerCommand,
  { logger, cancel: abort }: CommandSource,
): void {
  if (taskId == null) logger.info({}, 'a cancellation that names no task')
  else abort(taskId)
}

function invalid(message: string): ConfigError {
  return new ConfigError('CONFIG_INVALID', { message })
}
