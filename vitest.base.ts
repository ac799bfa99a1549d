import { defineConfig } from 'vitest/config'

/** Tests run on the sources of our packages (`@avtomatika/source`), so nothing has to be built first. */
const conditions = ['@avtomatika/source', 'module', 'node', 'development|production']

/** The tests of one package: everything in `test/`. */
export const packageTests = defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: { include: ['test/**/*.test.ts'] },
})
