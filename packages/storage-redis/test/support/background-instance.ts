/** One orchestrator's part of the background queues, with its log, ended with its test. */
import type { Log, Notification, Notifier, Scheduler } from '@avtomatika/core'
import { onTestFinished } from 'vitest'
import {
  RedisBackground,
  type RedisNotifierOptions,
  type RedisSchedulerOptions,
} from '../../src/index.ts'

export interface LogLine {
  readonly level: string
  readonly fields: object
  readonly message: string
}

export interface BackgroundInstance {
  readonly lines: readonly LogLine[]
  readonly notifier: (options: RedisNotifierOptions) => Notifier
  readonly scheduler: (options?: RedisSchedulerOptions) => Scheduler
  /** Ends as a process that is killed: without a goodbye. */
  readonly kill: () => void
}

export async function openInstance(url: string, prefix: string): Promise<BackgroundInstance> {
  const lines: LogLine[] = []
  const background = await RedisBackground.open({ url, prefix, log: logInto(lines) })
  const opened: (Notifier | Scheduler)[] = []
  const kept = <Part extends Notifier | Scheduler>(part: Part): Part => {
    opened.push(part)
    return part
  }
  onTestFinished(async () => {
    background.close()
    await Promise.all(opened.map((part) => part.stop(0)))
  })
  return {
    lines,
    notifier: (options) => kept(background.notifier(options)),
    scheduler: (options) => kept(background.scheduler(options)),
    kill: () => {
      background.close()
    },
  }
}

/** A webhook with a secret in its URL. */
export function aNotification(id: string): Notification {
  return {
    id,
    jobId: 'job-1',
    ownerId: 'client-1',
    url: 'https://hooks.example.com/secret-path?key=secret',
    event: 'job_finished',
    status: 'finished',
    result: null,
    error: null,
    at: 0,
  }
}

function logInto(lines: LogLine[]): Log {
  const at =
    (level: string) =>
    (fields: object, message: string): void => {
      lines.push({ level, fields, message })
    }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
