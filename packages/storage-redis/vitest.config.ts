import { defineConfig, mergeConfig } from 'vitest/config'
import { packageTests } from '../../vitest.base.ts'

export default mergeConfig(
  packageTests,
  defineConfig({ test: { globalSetup: ['test/global-setup.ts'], testTimeout: 20_000 } }),
)
