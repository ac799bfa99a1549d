/** Every script, ready to run. They are files of their own, so that editors know what they are. */
import { readFileSync } from 'node:fs'
import { scriptOf, type Script } from './script-runner.ts'

// Beside this module in the sources as well as in the build.
function read(name: string): string {
  return readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8')
}

const LIBRARY = `${read('queue')}\n${read('tasks')}`

function script(name: string): Script {
  return scriptOf(`${LIBRARY}\n${read(name)}`)
}

export const SCRIPTS = {
  claim: script('claim'),
  claimLost: script('claim-lost'),
  claimTasks: script('claim-tasks'),
  commit: script('commit'),
  dropDeadline: script('drop-deadline'),
  dropTask: script('drop-task'),
  listWorkers: script('list-workers'),
  loseTasks: script('lose-tasks'),
  nextDue: script('next-due'),
  remove: script('remove'),
  renewTasks: script('renew-tasks'),
  step: script('step'),
  worker: script('worker'),
} as const
