import { defineConfig } from 'vitest/config'

// Tests run on the sources of our packages; nothing has to be built first.
const conditions = ['@avtomatika/source', 'module', 'node', 'development|production']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: { include: ['test/**/*.test.ts'] },
})
