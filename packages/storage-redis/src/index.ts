/** Jobs in Redis: several orchestrators on one store, one atomic write per change. */
export { RedisBackground } from './background/redis-background.ts'
export type { RedisBackgroundOptions } from './background/redis-background.ts'
export type { RedisNotifierOptions } from './background/redis-notifier.ts'
export type { RedisSchedulerOptions } from './background/redis-scheduler.ts'
export { redisOptions } from './connection-options.ts'
export type {
  RedisByHost,
  RedisBySentinels,
  RedisByUrl,
  RedisConnectionOptions,
} from './connection-options.ts'
export { RedisStorage } from './redis-storage.ts'
export type { RedisStorageOptions } from './redis-storage.ts'
