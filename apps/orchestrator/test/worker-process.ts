/** Workers of the tests as processes of their own. */
import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** What they say. */
export interface Said {
  readonly kind: 'registered' | 'connected' | 'began' | 'cancelled'
  readonly workerId: string
  readonly jobId?: string
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly output: string
}

export class WorkerProcess {
  readonly ended: Promise<Exit>
  readonly #child: ChildProcess
  readonly #said: Said[] = []
  readonly #listeners = new Set<() => void>()
  #output = ''

  /** @param program - a file beside this one. */
  constructor(program: string, settings: object) {
    const file = fileURLToPath(new URL(program, import.meta.url))
    const child = fork(file, [JSON.stringify(settings)], {
      execArgv: ['--conditions=@avtomatika/source'],
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.#child = child
    const read = (text: Buffer): void => {
      this.#output += text.toString()
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
    child.on('message', (said) => {
      this.#said.push(said as Said)
      this.#tell()
    })
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        this.#tell()
        resolve({ code, signal, output: this.#output })
      })
    })
  }

  /** How often it has said so. */
  count(kind: Said['kind'], jobId?: string): number {
    const isWanted = (said: Said): boolean =>
      said.kind === kind && (jobId === undefined || said.jobId === jobId)
    return this.#said.filter(isWanted).length
  }

  /** Ids of the jobs whose tasks began here, as often as they did. */
  get began(): readonly string[] {
    return this.#said.flatMap(({ kind, jobId }) => (kind === 'began' && jobId ? [jobId] : []))
  }

  /** @throws when it ends before it has said so that often. */
  async says(
    kind: Said['kind'],
    { jobId, times = 1 }: { jobId?: string; times?: number } = {},
  ): Promise<void> {
    while (this.count(kind, jobId) < times) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        throw new Error(`The worker ended before it was ${kind}:\n${this.#output}`)
      }
      await new Promise<void>((resolve) => this.#listeners.add(resolve))
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  #tell(): void {
    const listeners = [...this.#listeners]
    this.#listeners.clear()
    for (const listener of listeners) listener()
  }
}
