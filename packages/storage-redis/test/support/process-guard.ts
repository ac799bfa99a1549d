/**
 * Cleans up after a test process that was killed before it could.
 *
 * A shell waits for the end of its standard input, which the system closes when our process ends, however it ends.
 * It then kills the process that it was told last and removes the scratch folder.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'

const SCRIPT = [
  'trap "" INT TERM HUP',
  'pid=',
  'while read -r line; do pid=$line; done',
  'if [ -n "$pid" ]; then kill -9 "$pid" 2>/dev/null; fi',
  'if [ -n "$1" ]; then rm -rf -- "$1"; fi',
].join('\n')

export interface ProcessGuard {
  /** From now on this process is killed with ours; `undefined` when it has ended by itself. */
  readonly watch: (pid: number | undefined) => void
  /** Cleans up now. Resolves when nothing is left. */
  readonly close: () => Promise<void>
}

/** @param scratchDir - removed at the end; left out, no folder is. */
export function guardProcess(scratchDir?: string): ProcessGuard {
  // Detached: an interrupt typed at the terminal reaches us and our children, but not the guard.
  const shell = spawn('sh', ['-c', SCRIPT, 'redis-guard', scratchDir ?? ''], {
    detached: true,
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  const closed = once(shell, 'close')
  shell.unref()
  return {
    watch: (pid) => {
      // A process may end after, or because of, the clean-up.
      if (shell.stdin.writable) shell.stdin.write(`${pid ?? ''}\n`)
    },
    close: async () => {
      shell.ref()
      shell.stdin.end()
      await closed
    },
  }
}
