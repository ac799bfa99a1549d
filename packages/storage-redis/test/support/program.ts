/** What the programs of the tests have in common. */
import { flushCompileCache } from 'node:module'
import type { Said } from './test-process.ts'

export const TOKENS = { client: 'client-token-of-the-tests', worker: 'worker-token-of-the-tests' }

/** The settings that the test handed over. */
export function readSettings(): unknown {
  return JSON.parse(process.argv[2] ?? '{}') as unknown
}

/** Tells the test; a program that was started by hand tells nobody. */
export function say(said: Said): void {
  process.send?.(said)
}

/** Tells the test that the work begins, and ends with the test, however that ends. */
export function begin(said: Extract<Said, { kind: 'started' }>): void {
  process.once('disconnect', () => {
    process.exit()
  })
  // Those that are killed would leave nothing for the next start.
  flushCompileCache()
  say(said)
}
