/** Another program, started and ended by the demo. */
import { spawn, type ChildProcess } from 'node:child_process'
import { EventEmitter, once } from 'node:events'

/** Longer than the orchestrator grants open requests; what is alive after that is killed. */
const STOP_MS = 12_000

export interface ProgramOptions {
  /** What it is called in messages. */
  readonly name: string
  /** The module that node runs. */
  readonly file: string
  /** Beside PATH; nothing else of our own environment is passed on. */
  readonly env: Readonly<Record<string, string>>
  /** Options of node itself. Default: those that we run with. */
  readonly execArgv?: readonly string[]
}

export class Program {
  readonly name: string
  /** Emits `output` for each piece of text, and `exit` with the exit code. */
  readonly events = new EventEmitter()
  readonly #child: ChildProcess
  #output = ''
  #isRunning = true

  constructor({ name, file, env, execArgv = process.execArgv }: ProgramOptions) {
    this.name = name
    this.#child = spawn(process.execPath, [...execArgv, file], {
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text
        this.events.emit('output')
      })
    }
    this.#child.on('error', (error) => {
      this.#output += error.message
    })
    this.#child.on('close', (code) => {
      this.#isRunning = false
      this.events.emit('exit', code)
    })
  }

  /** All that it wrote, on both streams. */
  get output(): string {
    return this.#output
  }

  /** The first group of the first match in its output, waited for. */
  async said(pattern: RegExp, signal: AbortSignal): Promise<string> {
    for (;;) {
      const match = pattern.exec(this.#output)
      if (match !== null) return match[1] ?? match[0]
      await once(this.events, 'output', { signal })
    }
  }

  /** Asks it to stop, insists if it does not, and resolves when it is gone. */
  async stop(): Promise<void> {
    if (!this.#isRunning) return
    const gone = once(this.events, 'exit')
    this.#child.kill('SIGTERM')
    const insist = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS)
    await gone
    clearTimeout(insist)
  }
}
