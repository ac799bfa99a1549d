import { mergeConfig } from 'vitest/config'
import { packageTests } from '../../vitest.base.ts'

// Each test stands beside what it tests. None changes anything that another one sees.
export default mergeConfig(packageTests, { test: { include: ['*.test.ts'], isolate: false } })
