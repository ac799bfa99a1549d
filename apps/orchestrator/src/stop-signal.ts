const SIGNALS: Readonly<Record<'SIGINT' | 'SIGTERM', number>> = { SIGINT: 2, SIGTERM: 15 }
type StopSignal = keyof typeof SIGNALS

/**
 * Resolves with the first signal that asks the process to stop. The second one ends it at once, with
 * exit code 128 + its number; not left to the system, which does nothing for the first process of a
 * container.
 */
export function stopSignal(): Promise<StopSignal> {
  return new Promise((resolve) => {
    let isStopping = false
    const onSignal = (signal: StopSignal): void => {
      if (isStopping) process.exit(128 + SIGNALS[signal])
      isStopping = true
      resolve(signal)
    }
    process.on('SIGINT', () => {
      onSignal('SIGINT')
    })
    process.on('SIGTERM', () => {
      onSignal('SIGTERM')
    })
  })
}
