import { defineConfig } from 'vitest/config'

export default defineConfig({
  // Packs, installs and starts for real; the first two take as long as the registry does.
  test: { include: ['test/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 240_000 },
})
