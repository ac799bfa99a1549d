import { EventEmitter } from 'node:events'

import { expect, onTestFinished } from 'vitest'

import { Worker, type WorkerLogger, type WorkerOptions } from '../src/index.ts'
import { FakeOrchestrator } from './fake-orchestrator.ts'
import { ManualClock } from './manual-clock.ts'

export const TOKEN = 'top-secret-token'

export interface LogLine {
  readonly level: string
  readonly fields: object
  readonly message: string
}

export function recordingLogger(): WorkerLogger & { readonly lines: LogLine[] } {
  const lines: LogLine[] = []
  const make = (bound: object): WorkerLogger => {
    const at = (level: string) => (fields: object, message: string) => {
      lines.push({ level, fields: { ...bound, ...fields }, message })
    }
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: (fields) => make({ ...bound, ...fields }),
    }
  }
  return { ...make({}), lines }
}

export interface Bench {
  readonly server: FakeOrchestrator
  readonly clock: ManualClock
  readonly worker: Worker
  readonly logger: ReturnType<typeof recordingLogger>
}

/**
 * A worker (not started) and its orchestrator. With chance at 0.5 the first back-off is 500 ms, the
 * second 1000 ms. When the test ends the worker is stopped and every message must have been valid.
 */
export async function openBench(options: WorkerOptions = {}): Promise<Bench> {
  const server = await FakeOrchestrator.open()
  const clock = new ManualClock()
  const logger = recordingLogger()
  const worker = new Worker({
    workerId: 'w1',
    token: TOKEN,
    orchestratorUrl: server.url,
    env: {},
    healthPort: false,
    clock,
    random: () => 0.5,
    logger,
    ...options,
  })
  onTestFinished(async () => {
    await stopNow(worker, clock)
    await server.close()
    expect(server.violations).toEqual([])
    expect(JSON.stringify(logger.lines)).not.toContain(TOKEN)
    expect(clock.waits).toEqual([])
  })
  return { server, clock, worker, logger }
}

/** Stops a worker and lets as much time pass as that takes. */
export async function stopNow(worker: Worker, clock: ManualClock): Promise<void> {
  let isStopped = false
  const stopped = worker.stop().then(() => {
    isStopped = true
  })
  while (!isStopped) {
    clock.advance(60_000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await stopped
}

/** A task as an orchestrator hands it over. */
export function aTask(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return { job_id: 'j1', task_id: 't1', type: 'echo', params: {}, attempt: 1, ...fields }
}

/** Something that a test opens. */
export function gate<T = void>() {
  let open: (value: T) => void = () => undefined
  const opened = new Promise<T>((resolve) => {
    open = resolve
  })
  return {
    opened,
    open: (value: T) => {
      open(value)
    },
  }
}

/** The process that a worker runs in, as far as signals and the exit go. */
export class FakeProcess extends EventEmitter {
  readonly exits: number[] = []
  exit(code: number): void {
    this.exits.push(code)
  }
}

/** Runs a worker that has a task at work which hears no signal: it ends when `end` is opened. */
export async function runDeaf(options: WorkerOptions = {}) {
  const { server, clock, worker } = await openBench(options)
  const started = gate()
  const end = gate()
  worker.task('echo', async () => {
    started.open()
    await end.opened
  })
  const host = new FakeProcess()
  const code = worker.run(host)
  server.push(aTask())
  await started.opened
  return { clock, host, code, end }
}
