import { describe, it } from 'vitest'
import { MemoryStorage } from '../src/memory/index.ts'
import { storageContract } from '../src/testing/index.ts'

describe('MemoryStorage', () => {
  const open = () => Promise.resolve(new MemoryStorage())
  for (const { name, run } of storageContract) it(name, () => run(open))
})
