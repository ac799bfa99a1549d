/** Every script, ready to run. They are files of their own, so that editors know what they are. */
import { readFileSync } from 'node:fs'
import { scriptOf, type Script } from './script-runner.ts'

// Beside this module in the sources as well as in the build.
function read(name: string): string {
  return readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8')
}

const LIBRARY = ['jobs', 'queue', 'tasks', 'workers'].map(read).join('\n')

function script(name: string): Script {
  return scriptOf(`${LIBRARY}\n${read(name)}`)
}

export const SCRIPTS = {
  acquireLock: script('acquire-lock'),
  changedWorkers: script('changed-workers'),
  claim: script('claim'),
  claimLost: script('claim-lost'),
  claimQuiet: script('claim-quiet'),
  claimTasks: script('claim-tasks'),
  commit: script('commit'),
  dropDeadline: script('drop-deadline'),
  dropOldest: script('drop-oldest'),
  dropTask: script('drop-task'),
  endReservations: script('end-reservations'),
  findJob: script('find-job'),
  findMissing: script('find-missing'),
  hit: script('hit'),
  listWorkers: script('list-workers'),
  lock: script('lock'),
  loseTasks: script('lose-tasks'),
  nextDue: script('next-due'),
  oldest: script('oldest'),
  quota: script('quota'),
  readQuota: script('read-quota'),
  remove: script('remove'),
  removeEnded: script('remove-ended'),
  removeWorker: script('remove-worker'),
  renewTasks: script('renew-tasks'),
  reputation: script('reputation'),
  step: script('step'),
  token: script('token'),
  worker: script('worker'),
} as const
