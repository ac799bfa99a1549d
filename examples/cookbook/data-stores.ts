import { Blueprint } from '@avtomatika/core'
import { z } from 'zod'

/** What is used of a Redis client; any object with methods will do. */
interface Cache {
  readonly get: (key: string) => Promise<string | null>
  readonly set: (key: string, value: string) => Promise<unknown>
}

/** Handlers reach what the host hands in: plain dictionaries, and clients of any kind. */
export function greeting(cache: Cache) {
  return new Blueprint('greeting', {
    input: z.object({ user: z.string() }),
    dataStores: { prefs: { 'user-123': 'dark_mode' }, cache },
  })
    .state('start', { start: true }, async ({ initialData: { user }, dataStores, actions }) => {
      const theme = (await dataStores['prefs']?.get(user)) ?? 'light_mode'
      actions.updateContext({ theme })
      await cache.set(`seen:${user}`, 'yes')
      actions.goTo('done')
    })
    .state('done', { end: true }, ({ stateHistory: { theme } }) => ({ theme }))
}
