import { describe, expect, it } from 'vitest'

import { AvtomatikaClient, ConfigError, systemClock } from '../src/index.ts'
import type { ClientOptions } from '../src/index.ts'
import { rejectionOf, thrownBy, TOKEN } from './setup.ts'

const good: ClientOptions = { url: 'http://localhost:8080', token: TOKEN }

describe('options', () => {
  it.each<[string, unknown]>([
    ['url', 'localhost:8080'],
    ['url', 'ftp://localhost'],
    ['url', undefined],
    ['url', 'http://user:hunter2@localhost'],
    ['url', 'http://localhost?token=hunter2'],
    ['token', ''],
    ['token', undefined],
    ['token', 'hunter2\r\nx-evil: 1'],
    ['apiVersion', 1],
    ['apiVersion', 'v1?x'],
    ['prefix', '/api/../admin'],
    ['timeoutMs', 0],
    ['timeoutMs', Number.NaN],
    ['timeoutMs', '30'],
    ['retries', -1],
    ['retries', 1.5],
    ['retries', 11],
  ])('%s = %j is refused by name, without repeating a secret', (option, value) => {
    const options = { ...good, [option]: value }
    const error = thrownBy(() => new AvtomatikaClient(options))
    expect(ConfigError.is(error)).toBe(true)
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', details: { option } })
    expect(String(error)).toContain(`\`${option}\``)
    expect(String(error)).not.toContain('hunter2')
  })

  it('may be as long as a timer cannot be', async () => {
    const abort = new AbortController()
    const sleeping = rejectionOf(systemClock.sleep(2 ** 33, abort.signal))
    abort.abort(new Error('awake'))
    expect(await sleeping).toMatchObject({ message: 'awake' })
  })
})
