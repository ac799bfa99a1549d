/**
 * Plays one round of Avtomatika: an orchestrator and a worker as two programs, and a client that
 * talks to them. Leaves nothing running. Exit code: 0, 1 when something failed, 130 after Ctrl-C.
 */
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { AvtomatikaClient } from '@avtomatika/client'
import { Program, type ProgramOptions } from './demo/program.ts'
import { Screen } from './demo/screen.ts'
import { tell } from './demo/story.ts'

const ORCHESTRATOR = fileURLToPath(import.meta.resolve('@avtomatika/orchestrator/main'))
const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url))
const BLUEPRINTS = fileURLToPath(new URL('blueprints', import.meta.url))
const WORKER_ID = 'quickstart-worker'

const screen = new Screen(process.stdout, process.env)
const programs: Program[] = []
const ending = new AbortController()
let exitCode = 0

async function play(): Promise<void> {
  const { signal } = ending
  const token = randomBytes(24).toString('hex')
  const workerToken = randomBytes(24).toString('hex')
  screen.title('Avtomatika: workflows as state machines, work done by workers')
  screen.chapter('Two programs')
  const orchestrator = start({
    name: 'orchestrator',
    file: ORCHESTRATOR,
    env: {
      API_HOST: '127.0.0.1',
      API_PORT: '0',
      CLIENT_TOKEN: token,
      GLOBAL_WORKER_TOKEN: workerToken,
      BLUEPRINTS_DIR: BLUEPRINTS,
      LOG_FORMAT: 'text',
    },
  })
  const url = await orchestrator.said(/running on (http:[^\s"]+)/, signal)
  screen.good(`the orchestrator keeps the jobs, on ${url}`)
  const env = { ORCHESTRATOR_URL: url, WORKER_TOKEN: workerToken, WORKER_ID }
  const worker = start({ name: 'worker', file: WORKER, env })
  await worker.said(/registered/i, signal)
  screen.good('a worker asks it for tasks, and does them')
  const client = new AvtomatikaClient({ url, token })
  try {
    await tell({ screen, client, url, token, signal })
  } finally {
    await client.close()
  }
}

function start(options: ProgramOptions): Program {
  const program = new Program(options)
  programs.push(program)
  program.events.once('exit', (code) => {
    ending.abort(new Error(`The ${program.name} ended by itself, with exit code ${String(code)}.`))
  })
  return program
}

/** Workers first, so that they can still say goodbye. */
async function stopAll(): Promise<void> {
  for (const program of programs.toReversed()) await program.stop()
}

function fail(error: unknown): void {
  exitCode ||= 1
  const reason: unknown = ending.signal.aborted ? ending.signal.reason : error
  process.stderr.write(`\n${reason instanceof Error ? reason.message : String(reason)}\n`)
  if (exitCode === 130) return
  for (const { name, output } of programs) {
    process.stderr.write(`\n--- what the ${name} wrote ---\n${output}\n`)
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    exitCode = 130
    ending.abort(new Error('Interrupted; stopping the programs.'))
  })
}

try {
  await play()
} catch (error) {
  fail(error)
} finally {
  await stopAll()
}
process.exitCode = exitCode
