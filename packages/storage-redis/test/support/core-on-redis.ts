/** Setup file: the tests of core's engine and HTTP run on Redis. */
import { runTestsOn } from '../../../core/test/support/storage-under-test.ts'
import { redisOpener } from './open-redis.ts'

runTestsOn(redisOpener())
