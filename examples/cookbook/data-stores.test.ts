import { BlueprintTest } from '@avtomatika/core/testing'
import { expect, it, onTestFinished } from 'vitest'
import { greeting } from './data-stores.ts'

function fakeCache() {
  const entries = new Map<string, string>()
  return {
    entries,
    get: (key: string) => Promise.resolve(entries.get(key) ?? null),
    set: (key: string, value: string) => Promise.resolve(entries.set(key, value)),
  }
}

it('reads what the host handed in, and writes to it', async () => {
  const cache = fakeCache()
  const test = new BlueprintTest(greeting(cache))
  onTestFinished(() => test.close())
  const job = await test.run({ initialData: { user: 'user-123' } })
  job.assertEnded({ result: { theme: 'dark_mode' } })
  expect([...cache.entries]).toEqual([['seen:user-123', 'yes']])
})

it('is tested with other data', async () => {
  const test = new BlueprintTest(greeting(fakeCache()), {
    dataStores: { prefs: { 'user-9': 'high_contrast' } },
  })
  onTestFinished(() => test.close())
  const job = await test.run({ initialData: { user: 'user-9' } })
  job.assertEnded({ result: { theme: 'high_contrast' } })
})
