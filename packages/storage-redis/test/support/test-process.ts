/** A program of the tests as a process of its own, spoken to by messages. */
import { fork, type ChildProcess } from 'node:child_process'
import type { FleetRow } from './fleet-program.ts'

/** What the programs say. */
export type Said =
  /** At work; an orchestrator says where. */
  | { readonly kind: 'started'; readonly url?: string }
  /** A handler of a blueprint began to run. */
  | { readonly kind: 'handler'; readonly state: string; readonly jobId: string }
  /** A worker began to run a task. */
  | { readonly kind: 'task'; readonly taskId: string }
  /** What the workers of a fleet did. */
  | { readonly kind: 'fleet'; readonly rows: readonly FleetRow[] }
  /** A worker of a fleet is another from now on. */
  | { readonly kind: 'changed'; readonly workerId: string }

export interface ProcessOptions {
  /** The file to run. */
  readonly program: string
  /** Where Node keeps what it compiled, for the next start. */
  readonly compileCache: string
  /** Handed over as JSON. */
  readonly settings: object
  readonly onSaid?: (said: Said) => void
}

const LOG_TAIL_CHARS = 4_000

export class TestProcess {
  readonly started: Promise<Extract<Said, { kind: 'started' }>>
  /** Resolves with the process gone, however it ended. */
  readonly ended: Promise<void>
  readonly #child: ChildProcess
  readonly #said: Said[] = []
  readonly #listeners = new Set<() => void>()
  #log = ''
  #isKilled = false
  #failure: string | undefined

  constructor({ program, compileCache, settings, onSaid }: ProcessOptions) {
    const child = fork(program, [JSON.stringify(settings)], {
      execArgv: [],
      env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: compileCache },
      stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
    })
    this.#child = child
    const read = (text: Buffer): void => {
      this.#log = (this.#log + text.toString()).slice(-LOG_TAIL_CHARS)
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
    child.on('message', (message) => {
      const said = message as Said
      this.#said.push(said)
      onSaid?.(said)
      this.#tell()
    })
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        const how = `ended with ${String(code ?? signal)}`
        if (!this.#isKilled) this.#failure = `${how}; its log ends with:\n${this.#log}`
        this.#tell()
        resolve()
      })
    })
    this.started = this.hears((said) => said.kind === 'started')
    // Whoever killed it in the middle of its start does not wait for that.
    this.started.catch(() => undefined)
  }

  /** Why the process ended without having been told to; `undefined` while all is well. */
  get failure(): string | undefined {
    return this.#failure
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** What the process has said so far. */
  get said(): readonly Said[] {
    return this.#said
  }

  /**
   * Resolves with the first thing said, before or from now on, that passes the test.
   * @throws when the process ends before it says so.
   */
  async hears<T extends Said>(test: (said: Said) => said is T): Promise<T> {
    for (;;) {
      const heard = this.#said.find((said) => test(said))
      if (heard !== undefined) return heard
      if (this.#hasEnded()) {
        throw new Error(`The process ended before it said so. Its log ends with:\n${this.#log}`)
      }
      await new Promise<void>((resolve) => this.#listeners.add(resolve))
    }
  }

  /** Writes a line to its standard input. */
  say(line: string): void {
    this.#child.stdin?.write(`${line}\n`)
  }

  /** Ends the process, at once by default. Resolves when it is gone. */
  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    this.#isKilled = true
    this.#child.kill(signal)
    await this.ended
  }

  #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  #tell(): void {
    const listeners = [...this.#listeners]
    this.#listeners.clear()
    for (const listener of listeners) listener()
  }
}
