import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))

/** How a process ended, and what it said. */
export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** The program as an operator starts it, on its sources. */
export class OrchestratorProcess {
  /** Resolves with the address; rejects when the process ends before. */
  readonly started: Promise<string>
  readonly ended: Promise<Ending>
  readonly #child: ChildProcess
  readonly #output: Readable
  #stdout = ''
  #stderr = ''

  constructor(variables: Readonly<Record<string, string>>) {
    const environment = { PATH: process.env['PATH'], ...variables }
    const child = spawn(process.execPath, ['--conditions=@avtomatika/source', MAIN], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    this.#output = child.stdout
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
    this.ended = new Promise((resolve) => {
      child.on('close', (code, signal) => {
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr })
      })
    })
    this.started = new Promise((resolve, reject) => {
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        this.#stdout += text
        const url = /"url":"([^"]+)"/.exec(this.#stdout)?.[1]
        if (url !== undefined) resolve(url)
      })
      child.on('close', (code) => {
        reject(new Error(`ended with ${String(code)} before it started: ${this.#stderr}`))
      })
    })
    // Tests of start-up errors look at the end only.
    this.started.catch(() => undefined)
  }

  /** Resolves when the standard output holds this text. */
  async saying(text: string): Promise<void> {
    while (!this.#stdout.includes(text)) await once(this.#output, 'data')
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }
}
