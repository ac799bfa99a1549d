import { defineConfig, type Options } from 'tsup'

/** One build recipe for every package: ESM with declarations and source maps. */
export function libraryBuild(entry: Record<string, string>, extra: Options = {}) {
  return defineConfig({
    entry,
    format: 'esm',
    target: 'node22',
    dts: true,
    sourcemap: true,
    splitting: true,
    clean: true,
    ...extra,
  })
}
