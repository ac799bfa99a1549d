import { mergeConfig } from 'vitest/config'
import { packageTests } from '../../vitest.base.ts'

// Real processes, each with a start of its own.
const patience = { test: { testTimeout: 30_000, hookTimeout: 30_000 } }

export default mergeConfig(packageTests, patience)
