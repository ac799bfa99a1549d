export { MemoryHistory } from './memory-history.ts'
export type { MemoryHistoryOptions } from './memory-history.ts'
export { MemoryStorage } from './memory-storage.ts'
export type { MemoryStorageOptions } from './memory-storage.ts'
