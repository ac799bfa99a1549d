/** Stands for `@avtomatika/core/testing`: the kit of authors, with each test's jobs on Redis. */
import { BlueprintTest as Kit } from '../../../core/src/testing/index.ts'
import { openStorage } from '../../../core/test/support/storage-under-test.ts'

export class BlueprintTest extends Kit {
  constructor(...[blueprint, options]: ConstructorParameters<typeof Kit>) {
    super(blueprint, { storage: openStorage(), ...options })
  }
}
