/** Makes one file of each program of the tests, because one that is killed every second must start fast. */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'
import { afterAll, beforeAll, expect } from 'vitest'

/** Where the programs lie, ready to run; with the cache that Node keeps of what it compiled. */
export interface Programs {
  readonly orchestrator: string
  readonly worker: string
  readonly fleet: string
  readonly compileCache: string
  readonly remove: () => Promise<void>
}

/** Builds the programs before the tests of a file, and removes them afterwards. */
export function builtPrograms(): () => Programs {
  let programs: Programs | undefined
  beforeAll(async () => {
    programs = await buildPrograms()
  }, 60_000)
  afterAll(() => programs?.remove())
  return () => programs ?? expect.unreachable('The programs are not built yet.')
}

/**
 * Builds from the sources as they are now. From these directly, an orchestrator would need twice the
 * time to start.
 */
async function buildPrograms(): Promise<Programs> {
  const folder = await mkdtemp(join(tmpdir(), 'avtomatika-programs-'))
  await build({
    config: false,
    silent: true,
    entry: {
      orchestrator: here('orchestrator-program.ts'),
      worker: here('worker-program.ts'),
      fleet: here('fleet-program.ts'),
    },
    outDir: folder,
    outExtension: () => ({ js: '.mjs' }),
    format: 'esm',
    target: 'node22',
    noExternal: [/./],
    minify: true,
    splitting: false,
    // Some dependencies are CommonJS and require what Node has.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    esbuildOptions: (options) => {
      options.conditions = ['@avtomatika/source']
    },
  })
  // Scripts are read from beside the module that runs them.
  await cp(here('../../src/scripts'), join(folder, 'scripts'), { recursive: true })
  return {
    orchestrator: join(folder, 'orchestrator.mjs'),
    worker: join(folder, 'worker.mjs'),
    fleet: join(folder, 'fleet.mjs'),
    compileCache: join(folder, 'compiled'),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

function here(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url))
}
