export { MemoryHistory } from './memory-history.ts'
export { MemoryLimits } from './memory-limits.ts'
export { MemoryScheduler } from './memory-scheduler.ts'
export { MemoryStorage } from './memory-storage.ts'
