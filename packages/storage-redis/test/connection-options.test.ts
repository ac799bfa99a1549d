import { ConfigError } from '@avtomatika/protocol'
import { describe, expect, it } from 'vitest'
import { placeOf, redisOptions, type RedisConnectionOptions } from '../src/connection-options.ts'

const ca = 'a certificate'

describe('redisOptions', () => {
  it.each<[string, RedisConnectionOptions, object]>([
    ['a short URL', { url: 'redis://cache' }, { host: 'cache', port: 6379, db: 0 }],
    [
      'a whole URL',
      { url: 'redis://me:p%40ss%2Fword@cache:7000/3' },
      { host: 'cache', port: 7000, db: 3, username: 'me', password: 'p@ss/word' },
    ],
    [
      'a password alone',
      { url: 'redis://:secret@[::1]:7000/' },
      { host: '::1', port: 7000, db: 0, password: 'secret' },
    ],
    ['TLS by URL', { url: 'rediss://cache' }, { host: 'cache', port: 6379, db: 0, tls: {} }],
    [
      'TLS by URL, with certificates',
      { url: 'rediss://cache', tls: { ca } },
      { host: 'cache', port: 6379, db: 0, tls: { ca } },
    ],
    ['a host', { host: 'cache' }, { host: 'cache', port: 6379, db: 0 }],
    [
      'all parts',
      { host: 'cache', port: 7000, db: 2, username: 'me', password: 'secret', tls: true },
      { host: 'cache', port: 7000, db: 2, username: 'me', password: 'secret', tls: {} },
    ],
    [
      'sentinels',
      { sentinels: [{ host: 's1' }, { host: 's2', port: 7 }] },
      {
        name: 'mymaster',
        db: 0,
        sentinels: [
          { host: 's1', port: 26_379 },
          { host: 's2', port: 7 },
        ],
      },
    ],
    [
      'sentinels with everything',
      {
        sentinels: [{ host: 's1' }],
        name: 'jobs',
        db: 1,
        password: 'secret',
        tls: { ca },
        sentinelUsername: 'guard',
        sentinelPassword: 'other',
      },
      {
        name: 'jobs',
        db: 1,
        password: 'secret',
        sentinels: [{ host: 's1', port: 26_379 }],
        sentinelUsername: 'guard',
        sentinelPassword: 'other',
        tls: { ca },
        enableTLSForSentinelMode: true,
        sentinelTLS: { ca },
      },
    ],
  ])('takes %s', (_case, connection, expected) => {
    expect(redisOptions(connection)).toEqual(expected)
  })

  it.each<[string, object, string]>([
    ['nothing', {}, 'exactly one of url, host and sentinels, got none'],
    ['two ways at once', { url: 'redis://h', host: 'h' }, 'got url and host'],
    ['another protocol', { url: 'http://:secret@h' }, 'cannot be read'],
    ['no host', { url: 'redis://:secret@' }, 'cannot be read'],
    ['no URL', { url: 'secret' }, 'cannot be read'],
    ['a password that cuts the URL short', { url: 'redis://u:secret#1@h' }, 'cannot be read'],
    ['a broken escape', { url: 'redis://u:secret%zz@h' }, 'not %XX'],
    ['a path that is no number', { url: 'redis://u:secret@h/jobs' }, 'no database'],
    ['a query', { url: 'redis://u:secret@h/0?secret' }, 'not read'],
    ['certificates without TLS', { url: 'redis://h', tls: { ca } }, 'rediss://'],
    ['an empty host', { host: '', password: 'secret' }, 'empty host'],
    ['port 0', { host: 'h', port: 0 }, 'from 1 to 65535, got 0'],
    ['half a database', { host: 'h', db: 1.5 }, 'whole number from 0, got 1.5'],
    ['a username alone', { host: 'h', username: 'me' }, 'a username but no password'],
    ['no sentinel', { sentinels: [] }, 'at least one sentinel'],
    ['an empty name', { sentinels: [{ host: 's' }], name: '' }, 'name'],
    ['a sentinel without a host', { sentinels: [{ host: '' }] }, 'A sentinel has an empty host'],
  ])('refuses %s, and keeps secrets to itself', (_case, connection, text) => {
    const attempt = (): unknown => redisOptions(connection as RedisConnectionOptions)
    expect(attempt).toThrow(ConfigError)
    expect(attempt).toThrow(text)
    expect(attempt).not.toThrow(/secret/)
  })
})

describe('placeOf', () => {
  it.each<[RedisConnectionOptions, string]>([
    [{ url: 'redis://me:secret@cache/1' }, 'cache:6379'],
    [{ host: '::1', password: 'secret' }, '[::1]:6379'],
    [
      { sentinels: [{ host: 's1' }, { host: 's2' }], password: 'secret' },
      'mymaster (by sentinels s1:26379, s2:26379)',
    ],
  ])('%# names hosts and ports only', (connection, expected) => {
    expect(placeOf(redisOptions(connection))).toBe(expected)
  })
})
