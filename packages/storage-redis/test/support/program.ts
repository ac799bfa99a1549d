/** What the programs of the tests have in common. */
import { flushCompileCache } from 'node:module'
import type { Said } from './test-process.ts'

export const TOKENS = {
  client: 'client-token-of-the-tests',
  admin: 'admin-token-of-the-tests',
  worker: 'worker-token-of-the-tests',
}

/** The settings that the test handed over; the process ends with the test, however that ends. */
export function readSettings(): unknown {
  process.once('disconnect', () => {
    process.exit()
  })
  return JSON.parse(process.argv[2] ?? '{}') as unknown
}

/** Tells the test; a program that was started by hand tells nobody. */
export function say(said: Said): void {
  process.send?.(said)
}

/** Tells the test that the work begins. */
export function begin(said: Extract<Said, { kind: 'started' }>): void {
  // Those that are killed would leave nothing for the next start.
  flushCompileCache()
  say(said)
}
