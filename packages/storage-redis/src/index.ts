/** Jobs in Redis: several orchestrators on one store, one atomic write per change. */
export { RedisStorage } from './redis-storage.ts'
export type { RedisStorageOptions } from './redis-storage.ts'
