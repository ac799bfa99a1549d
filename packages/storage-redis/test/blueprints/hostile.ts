/** Jobs for those who do not keep to the rules. */
import { readSync } from 'node:fs'
import { Blueprint } from '@avtomatika/core'
import { readSettings, say } from '../support/program.ts'

/** What this process's handler of `think` does before it decides. */
export type Manner =
  /** Decides at once. The default. */
  | 'quick'
  /** Holds up the whole process until a line comes on the standard input. */
  | 'blocks'
  /** Waits for that line. */
  | 'awaits'

const { manner = 'quick' } = readSettings() as { readonly manner?: Manner }

export const thinker = new Blueprint('thinker', { endpoint: '/jobs/thinker', version: 'v1' })
  .state('think', { start: true }, async ({ jobId, actions }) => {
    say({ kind: 'handler', state: 'think', jobId })
    if (manner === 'blocks') readSync(0, Buffer.alloc(1))
    if (manner === 'awaits') await new Promise((resolve) => process.stdin.once('data', resolve))
    actions.updateContext({ thoughtBy: process.pid })
    actions.goTo('act')
  })
  .state('act', ({ jobId, actions }) => {
    say({ kind: 'handler', state: 'act', jobId })
    actions.dispatchTask({ type: 'work', params: { n: 1 }, transitions: { success: 'done' } })
  })
  .state('done', { end: true }, ({ jobId, stateHistory }) => {
    say({ kind: 'handler', state: 'done', jobId })
    return stateHistory['thoughtBy']
  })

/** One task, which must be done within a second. */
export const hurried = new Blueprint('hurried', { endpoint: '/jobs/hurried', version: 'v1' })
  .state('start', { start: true }, ({ actions }) => {
    const transitions = { success: 'done' }
    actions.dispatchTask({ type: 'work', params: { n: 1 }, timeout: 1, transitions })
  })
  .state('done', { end: true })
