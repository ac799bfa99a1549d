// Starts programs for the scripts beside it.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { ROOT } from './bootstrap.mjs'

const IGNORED = () => {}

/** Runs a command from the root with our own input and output; answers its exit code. */
export function runAttached(command, env) {
  return run(command, { env, stdio: 'inherit' }).then(({ code }) => code)
}

/** Runs a command from the root without input; answers its exit code and all that it printed. */
export function runQuietly(command, env) {
  return run(command, { env, stdio: ['ignore', 'pipe', 'pipe'] })
}

function run([program, ...args], options) {
  return new Promise((resolve) => {
    const shell = process.platform === 'win32'
    const child = spawn(program, args, { cwd: ROOT, shell, ...options })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => (output += text))
    }
    // Ctrl-C reaches the child by itself; we stay until it has put its things in order.
    process.on('SIGINT', IGNORED)
    const forward = () => child.kill('SIGTERM')
    process.on('SIGTERM', forward)
    const settle = (code) => {
      process.off('SIGINT', IGNORED)
      process.off('SIGTERM', forward)
      resolve({ code, output })
    }
    child.on('error', (error) => {
      output += `${program} could not be started: ${error.message}\n`
      settle(127)
    })
    child.on('close', (code, signal) => settle(code ?? 128 + (constants.signals[signal] ?? 0)))
  })
}
