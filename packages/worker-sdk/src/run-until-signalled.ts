import { AvtomatikaError } from '@avtomatika/protocol'

/** The part of a process that `run` uses. */
export interface SignalHost {
  on(signal: StopSignal, listener: () => void): unknown
  off(signal: StopSignal, listener: () => void): unknown
  exit(code: number): unknown
}

/** Signals that stop a worker. */
export type StopSignal = 'SIGINT' | 'SIGTERM'

interface Startable {
  start(): Promise<void>
  stop(): Promise<void>
}

/** By custom 128 and the number of the signal. */
const EXIT_CODES: Readonly<Record<StopSignal, number>> = { SIGINT: 130, SIGTERM: 143 }

/**
 * Starts a worker and waits until it is stopped, by a signal or by somebody else.
 *
 * @param stopping - aborted when the worker begins to stop.
 */
export async function runUntilSignalled(
  worker: Startable,
  stopping: AbortSignal,
  host: SignalHost,
): Promise<void> {
  const listeners = (['SIGINT', 'SIGTERM'] as const).map((signal) => {
    const listener = (): void => {
      if (stopping.aborted) host.exit(EXIT_CODES[signal])
      else void worker.stop()
    }
    host.on(signal, listener)
    return { signal, listener }
  })
  try {
    await worker.start().catch((error: unknown) => {
      const isStopped = AvtomatikaError.is(error) && error.code === 'SHUTTING_DOWN'
      if (!isStopped) throw error
    })
    await untilAborted(stopping)
    await worker.stop()
  } finally {
    for (const { signal, listener } of listeners) host.off(signal, listener)
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    signal.addEventListener(
      'abort',
      () => {
        resolve()
      },
      { once: true },
    )
  })
}
