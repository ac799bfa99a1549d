/** Tokens of workers: K2 to K6. */
import assert from 'node:assert/strict'
import type { Storage } from '../../ports/storage.ts'
import {
  MAX_TOKENS_PER_WORKER,
  type Rotation,
  type TokenFamily,
  type TokenPair,
} from '../../ports/token-store.ts'
import { T0 } from '../builders.ts'
import type { ContractCase } from '../contract-case.ts'
import { storageCase } from './acts.ts'

const WORKER = 'w1'
const FAMILY: TokenFamily = { id: 'family-1', credential: 'token:1f' }
const ACCESS_MS = 1_000
const REFRESH_MS = 10_000

/** Stands for SHA-256: all that matters is which one it is. */
function pair(name: string, now = T0): TokenPair {
  return {
    access: { hash: `access-${name}`, expiresAt: now + ACCESS_MS },
    refresh: { hash: `refresh-${name}`, expiresAt: now + REFRESH_MS },
  }
}

async function issued(
  storage: Storage,
  name: string,
  { now = T0, family = FAMILY, workerId = WORKER } = {},
): Promise<void> {
  await storage.issueTokens({ workerId, family, now, ...pair(name, now) })
}

function find(
  storage: Storage,
  name: string,
  { now = T0, workerId = WORKER } = {},
): Promise<TokenFamily | undefined> {
  return storage.findAccessToken({ workerId, hash: `access-${name}`, now })
}

function rotate(
  storage: Storage,
  [from, to]: readonly [string, string],
  { now = T0, workerId = WORKER } = {},
): Promise<Rotation> {
  return storage.rotateTokens({ workerId, hash: `refresh-${from}`, now, ...pair(to, now) })
}

const UNKNOWN: Rotation = { kind: 'unknown' }

export const tokenCases: readonly ContractCase<Storage>[] = [
  storageCase(
    'K2 an access token is found until it expires, by the time given',
    async (storage) => {
      await issued(storage, 'a')
      assert.deepEqual(await find(storage, 'a'), FAMILY)
      assert.deepEqual(await find(storage, 'a', { now: T0 + ACCESS_MS - 1 }), FAMILY)
      assert.equal(await find(storage, 'a', { now: T0 + ACCESS_MS }), undefined)
    },
  ),
  storageCase(
    'K2 it stays good when its pair is rotated, and the next one is, too',
    async (storage) => {
      await issued(storage, 'a')
      assert.deepEqual(await rotate(storage, ['a', 'b']), { kind: 'rotated', family: FAMILY })
      assert.deepEqual(await find(storage, 'a'), FAMILY)
      assert.deepEqual(await find(storage, 'b'), FAMILY)
    },
  ),
  storageCase('K3 a refresh token that comes again ends its family (D-64)', async (storage) => {
    await issued(storage, 'a')
    await issued(storage, 'other', { family: { ...FAMILY, id: 'family-2' } })
    await rotate(storage, ['a', 'b'])
    await rotate(storage, ['b', 'c'])
    assert.deepEqual(await rotate(storage, ['a', 'x']), { kind: 'reused', family: FAMILY })
    for (const name of ['a', 'b', 'c', 'x']) assert.equal(await find(storage, name), undefined)
    assert.deepEqual(await rotate(storage, ['c', 'd']), UNKNOWN)
    assert.deepEqual(await rotate(storage, ['a', 'y']), UNKNOWN)
    assert.notEqual(await find(storage, 'other'), undefined)
  }),
  storageCase('K3 of many tries at the same time, one succeeds', async (storage) => {
    await issued(storage, 'a')
    const tries = ['b', 'c', 'd', 'e', 'f'].map((to) => rotate(storage, ['a', to]))
    const kinds = (await Promise.all(tries)).map(({ kind }) => kind)
    assert.equal(kinds.filter((kind) => kind === 'rotated').length, 1)
    assert.equal(await find(storage, 'a'), undefined)
  }),
  storageCase(
    'K4 what is unknown, expired or of another worker is answered alike',
    async (storage) => {
      await issued(storage, 'a')
      assert.equal(await find(storage, 'z'), undefined)
      assert.equal(await find(storage, 'a', { workerId: 'w2' }), undefined)
      assert.deepEqual(await rotate(storage, ['z', 'b']), UNKNOWN)
      assert.deepEqual(await rotate(storage, ['a', 'b'], { workerId: 'w2' }), UNKNOWN)
      assert.deepEqual(await rotate(storage, ['a', 'b'], { now: T0 + REFRESH_MS }), UNKNOWN)
      assert.equal(await find(storage, 'b'), undefined)
      assert.equal((await rotate(storage, ['a', 'b'])).kind, 'rotated')
    },
  ),
  storageCase('K4 one kind of token does not do for the other', async (storage) => {
    await issued(storage, 'a')
    const asAccess = { workerId: WORKER, hash: 'refresh-a', now: T0 }
    assert.equal(await storage.findAccessToken(asAccess), undefined)
    const asRefresh = { workerId: WORKER, hash: 'access-a', now: T0, ...pair('b') }
    assert.deepEqual(await storage.rotateTokens(asRefresh), UNKNOWN)
    assert.deepEqual(await find(storage, 'a'), FAMILY)
  }),
  storageCase('K2 a family that was ended is forgotten, and no other', async (storage) => {
    await issued(storage, 'a')
    await issued(storage, 'b', { family: { ...FAMILY, id: 'family-2' } })
    await storage.endTokenFamily({ workerId: 'w2', id: FAMILY.id })
    assert.notEqual(await find(storage, 'a'), undefined)
    await storage.endTokenFamily({ workerId: WORKER, id: FAMILY.id })
    assert.equal(await find(storage, 'a'), undefined)
    assert.deepEqual(await rotate(storage, ['a', 'c']), UNKNOWN)
    assert.notEqual(await find(storage, 'b'), undefined)
  }),
  storageCase(
    'K5 the tokens that were issued first are forgotten beyond the limit',
    async (storage) => {
      await issued(storage, 'of-another', { workerId: 'w2' })
      const count = MAX_TOKENS_PER_WORKER / 2 + 1
      for (let n = 0; n < count; n += 1) {
        await issued(storage, String(n), { family: { ...FAMILY, id: `family-${String(n)}` } })
      }
      assert.equal(await find(storage, '0'), undefined)
      assert.deepEqual(await rotate(storage, ['0', 'x']), UNKNOWN)
      assert.notEqual(await find(storage, '1'), undefined)
      assert.notEqual(await find(storage, String(count - 1)), undefined)
      assert.notEqual(await find(storage, 'of-another', { workerId: 'w2' }), undefined)
    },
  ),
  storageCase('K6 tokens that have expired make room', async (storage) => {
    await issued(storage, 'first')
    const later = T0 + REFRESH_MS
    const count = MAX_TOKENS_PER_WORKER / 2
    for (let n = 0; n < count; n += 1) await issued(storage, String(n), { now: later })
    assert.notEqual(await find(storage, '0', { now: later }), undefined)
  }),
]
