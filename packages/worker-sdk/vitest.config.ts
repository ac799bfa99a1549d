import { defineConfig, mergeConfig } from 'vitest/config'
import { packageTests } from '../../vitest.base.ts'

// V8 of Node.js 18 to 24 may end a process whose threads come and go, on processors with protection keys
// (Check failed: jit_page.has_value); docs/workers.md says so to authors of workers.
const withoutProtectionKeys = defineConfig({
  test: { execArgv: ['--no-memory-protection-keys'] },
})

export default mergeConfig(packageTests, withoutProtectionKeys)
