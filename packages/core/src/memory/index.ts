export { MemoryHistory } from './memory-history.ts'
export { MemoryStorage } from './memory-storage.ts'
