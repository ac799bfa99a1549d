// What `scripts/with-tools` runs; the command keeps the folder it was called from.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { fail, toolEnvironment } from './tools.mjs'

const [command, ...args] = process.argv.slice(2)
if (command === undefined) fail('Nothing to run.', 'Usage: scripts/with-tools COMMAND [ARGUMENT…]')

const child = spawn(command, args, { stdio: 'inherit', env: toolEnvironment() })
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
child.on('error', (error) => fail(`${command} could not be started: ${error.message}`, 'Is it installed?'))
child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)))
