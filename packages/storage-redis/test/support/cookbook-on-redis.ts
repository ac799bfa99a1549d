/** Setup file: the tests of the cookbook run on Redis. */
import { runTestsOn } from '../../../core/test/support/storage-under-test.ts'
import { runStacksOn } from '../../../../examples/cookbook/support/stack.ts'
import { redisOpener } from './open-redis.ts'

const open = redisOpener()
runStacksOn(open)
runTestsOn(open)
