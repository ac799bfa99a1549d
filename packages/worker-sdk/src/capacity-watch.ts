import type { Clock } from './clock.ts'
import { sleep } from './wake.ts'

/** The author's word on capacity can change without a sign, so it is asked this often, in ms. */
export const CAPACITY_INTERVAL_MS = 1000

/** What is watched. */
export interface CapacityWatchOptions {
  readonly clock: Clock
  /** What can be started now, in a text. */
  readonly look: () => string
  /** Called when that is another than before. */
  readonly onChange: () => void
}

/** Asks for the capacity again and again, until the abort. */
export async function watchCapacity(
  { clock, look, onChange }: CapacityWatchOptions,
  signal: AbortSignal,
): Promise<void> {
  let before = look()
  while (!signal.aborted) {
    await sleep(clock, CAPACITY_INTERVAL_MS, signal)
    const now = look()
    if (now !== before && !signal.aborted) onChange()
    before = now
  }
}
