import { ConfigError } from '@avtomatika/protocol'
import { describe, expect, it } from 'vitest'
import { readRedis } from '../src/redis-settings.ts'
import { VariableReader } from '../src/variable-reader.ts'

type Variables = Readonly<Record<string, string>>

function read(variables: Variables): unknown {
  const reader = new VariableReader(variables)
  const redis = readRedis(reader)
  reader.finish()
  return redis
}

const LOGIN = { db: 0, tls: false }

describe('readRedis', () => {
  it.each<[string, Variables, unknown]>([
    ['nothing', { REDIS_URL: '', REDIS_PASSWORD: ' ' }, undefined],
    ['a URL', { REDIS_URL: 'redis://h/1' }, { url: 'redis://h/1' }],
    ['a host', { REDIS_HOST: 'h' }, { host: 'h', port: 6379, ...LOGIN }],
    [
      'all parts',
      {
        REDIS_HOST: 'h',
        REDIS_PORT: '7000',
        REDIS_DB: '2',
        REDIS_USERNAME: 'me',
        REDIS_PASSWORD: 'se:cr@t',
        REDIS_TLS: 'true',
      },
      { host: 'h', port: 7000, db: 2, username: 'me', password: 'se:cr@t', tls: true },
    ],
    [
      'sentinels',
      { REDIS_SENTINELS: 's1, s2:7,[::1]:8' },
      {
        sentinels: [
          { host: 's1', port: 26_379 },
          { host: 's2', port: 7 },
          { host: '::1', port: 8 },
        ],
        name: 'mymaster',
        ...LOGIN,
      },
    ],
    [
      'sentinels with everything',
      {
        REDIS_SENTINELS: 's1',
        REDIS_SENTINEL_NAME: 'jobs',
        REDIS_SENTINEL_USERNAME: 'guard',
        REDIS_SENTINEL_PASSWORD: 'other',
        REDIS_PASSWORD: 'secret',
        REDIS_TLS: 'TRUE',
      },
      {
        sentinels: [{ host: 's1', port: 26_379 }],
        name: 'jobs',
        sentinelUsername: 'guard',
        sentinelPassword: 'other',
        password: 'secret',
        db: 0,
        tls: true,
      },
    ],
  ])('takes %s', (_case, variables, expected) => {
    expect(read(variables)).toEqual(expected)
  })

  it.each<[string, Variables, string]>([
    [
      'a URL and parts',
      { REDIS_URL: 'redis://u:secret@h', REDIS_HOST: 'h', REDIS_PASSWORD: 'secret' },
      'REDIS_URL cannot be used together with REDIS_HOST, REDIS_PASSWORD',
    ],
    [
      'a URL and a part',
      { REDIS_URL: 'redis://u:secret@h', REDIS_DB: '1' },
      'REDIS_URL cannot be used together with REDIS_DB',
    ],
    [
      'a host and sentinels',
      { REDIS_HOST: 'h', REDIS_SENTINELS: 's' },
      'REDIS_HOST cannot be used together with REDIS_SENTINELS',
    ],
    [
      'a port that the sentinels tell',
      { REDIS_SENTINELS: 's', REDIS_PORT: '7' },
      'REDIS_SENTINELS cannot be used together with REDIS_PORT',
    ],
    [
      'parts of nothing',
      { REDIS_PASSWORD: 'secret', REDIS_PORT: '7' },
      'REDIS_PORT, REDIS_PASSWORD are set, but neither REDIS_URL nor REDIS_HOST nor REDIS_SENTINELS',
    ],
    ['a wrong port', { REDIS_HOST: 'h', REDIS_PORT: 'x' }, 'REDIS_PORT must be a whole number'],
    ['a wrong switch', { REDIS_HOST: 'h', REDIS_TLS: 'yes' }, 'REDIS_TLS must be one of'],
    [
      'a username alone',
      { REDIS_HOST: 'h', REDIS_USERNAME: 'me' },
      'REDIS_HOST cannot be used: Redis has a username but no password',
    ],
    [
      'a sentinel that is a URL',
      { REDIS_SENTINELS: 's1,redis://:secret@s2' },
      'number 2 in it is no address',
    ],
    ['no sentinel', { REDIS_SENTINELS: ',' }, 'number 1 in it is no address'],
    ['a sentinel port', { REDIS_SENTINELS: 's:99999' }, 'The port of s must be'],
  ])('refuses %s, and keeps secrets to itself', (_case, variables, text) => {
    const attempt = (): unknown => read(variables)
    expect(attempt).toThrow(ConfigError)
    expect(attempt).toThrow(text)
    expect(attempt).not.toThrow(/secret/)
  })
})
