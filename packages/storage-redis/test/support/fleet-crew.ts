/** The workers of a fleet in a few processes, and what they recorded of their work. */
import type { Programs } from './build-programs.ts'
import type { FleetRow, FleetSettings, Post } from './fleet-program.ts'
import { TestProcess, type Said } from './test-process.ts'

export interface CrewOptions {
  readonly programs: Programs
  readonly processes: number
  readonly heartbeatIntervalMs: number
}

interface Gang {
  readonly posts: Map<string, Post>
  process: TestProcess
}

export class Crew {
  /** In the order in which they happened, as far as one worker is concerned. */
  readonly rows: FleetRow[] = []
  readonly #options: CrewOptions
  readonly #gangs: readonly Gang[]

  private constructor(options: CrewOptions, posts: readonly Post[]) {
    this.#options = options
    const size = Math.ceil(posts.length / options.processes)
    this.#gangs = Array.from({ length: options.processes }, (_, i) => {
      const some = posts.slice(i * size, (i + 1) * size)
      const byId = new Map(some.map((post) => [post.plan.workerId, post]))
      return { posts: byId, process: this.#launch(byId) }
    })
  }

  /** Resolves when all are registered. */
  static async start(options: CrewOptions, posts: readonly Post[]): Promise<Crew> {
    const crew = new Crew(options, posts)
    await Promise.all(crew.#gangs.map(({ process }) => process.started))
    return crew
  }

  /** What ended of itself, and how. */
  get failures(): readonly string[] {
    return this.#gangs.flatMap(({ process }) => process.failure ?? [])
  }

  /** A worker becomes another under the same name. Resolves when that is registered. */
  async change(post: Post): Promise<void> {
    const { workerId } = post.plan
    const gang = this.#gangs.find(({ posts }) => posts.has(workerId))
    gang?.posts.set(workerId, post)
    gang?.process.say(JSON.stringify(post))
    await gang?.process.hears(
      (said): said is Extract<Said, { kind: 'changed' }> =>
        said.kind === 'changed' && said.workerId === workerId,
    )
  }

  /** Kills a process with all its workers, and starts it again. Resolves when these are registered. */
  async restart(gangNumber: number): Promise<void> {
    const gang = this.#gangs[gangNumber]
    if (gang === undefined) throw new Error(`There is no process ${gangNumber}.`)
    await gang.process.kill()
    gang.process = this.#launch(gang.posts)
    await gang.process.started
  }

  /** Stops all of them, as an operator would not. */
  async kill(): Promise<void> {
    await Promise.all(this.#gangs.map(({ process }) => process.kill()))
  }

  #launch(posts: ReadonlyMap<string, Post>): TestProcess {
    const { programs, heartbeatIntervalMs } = this.#options
    const { fleet: program, compileCache } = programs
    const settings: FleetSettings = { posts: [...posts.values()], heartbeatIntervalMs }
    return new TestProcess({
      ...{ program, compileCache, settings },
      onSaid: (said) => {
        if (said.kind === 'fleet') this.rows.push(...said.rows)
      },
    })
  }
}
