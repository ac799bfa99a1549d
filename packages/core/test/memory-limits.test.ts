/** Locks, rate limits and quotas in memory: compared with a model that keeps all it was ever told. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ExpiringMap } from '../src/memory/expiring-map.ts'
import { MemoryLimits } from '../src/memory/memory-limits.ts'
import { MemoryLocks } from '../src/memory/memory-locks.ts'
import { T0 } from '../src/testing/index.ts'

const LEASE_MS = 50
const LIMITS = [
  { limit: 1, windowMs: 10 },
  { limit: 3, windowMs: 10 },
  { limit: 7, windowMs: 100 },
]

interface Grant {
  readonly name: string
  readonly holder: string
  readonly token: number
  until: number
}

/** Plainly right, and as large as its history. */
class Model {
  readonly #grants: Grant[] = []
  readonly #released = new Set<Grant>()
  readonly #hits: { readonly key: string; readonly at: number }[] = []
  readonly #takes: { readonly id: string; amount: number }[] = []

  get grants(): readonly Grant[] {
    return this.#grants
  }

  /** Notes what the store granted; what must hold of it is looked at here. */
  acquire(name: string, holder: string, now: number, token: number | undefined): void {
    expect(token === undefined).toBe(this.#live(name, now) !== undefined)
    if (token === undefined) return
    for (const before of this.#grants) expect(token).toBeGreaterThan(before.token)
    expect(token).toBeGreaterThanOrEqual(now)
    this.#grants.push({ name, holder, token, until: now + LEASE_MS })
  }

  renew(grant: Grant, now: number): boolean {
    if (this.#live(grant.name, now) !== grant) return false
    grant.until = now + LEASE_MS
    return true
  }

  release(grant: Grant): void {
    this.#released.add(grant)
  }

  /**
   * A hit may come in when, of every run of hits up to it, none is longer than the limit and what has
   * leaked since the run began: the definition of the bucket, without one.
   */
  hit(key: string, now: number, { limit, windowMs }: (typeof LIMITS)[number]): boolean {
    const before = this.#hits.filter((hit) => hit.key === key)
    const fits = before.every(
      ({ at }, i) => (before.length - i + 1) * windowMs <= limit * windowMs + (now - at) * limit,
    )
    if (fits) this.#hits.push({ key, at: now })
    return fits
  }

  take(id: string, amount: number, limit: number): boolean {
    const fits = this.used(id) + amount <= limit
    if (fits) this.#takes.push({ id, amount })
    return fits
  }

  giveBack(id: string, amount: number): void {
    this.#takes.push({ id, amount: -Math.min(amount, this.used(id)) })
  }

  used(id: string): number {
    return this.#takes.filter((take) => take.id === id).reduce((sum, { amount }) => sum + amount, 0)
  }

  #live(name: string, now: number): Grant | undefined {
    const latest = this.#grants.findLast((grant) => grant.name === name)
    if (latest === undefined || this.#released.has(latest) || latest.until <= now) return undefined
    return latest
  }
}

const name = fc.constantFrom('a', 'b', 'c')
const amount = fc.integer({ min: 1, max: 4 })
const command = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(30) }) },
  fc.record({ do: fc.constant('acquire' as const), name, holder: name }),
  fc.record({ do: fc.constantFrom('renew' as const, 'release' as const), pick: fc.nat() }),
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('hit' as const), which: fc.nat(LIMITS.length - 1) }),
  },
  fc.record({ do: fc.constantFrom('take' as const, 'give back' as const), name, amount }),
)
type Command = typeof command extends fc.Arbitrary<infer C> ? C : never

class Run {
  readonly #locks = new MemoryLocks()
  readonly #limits = new MemoryLimits()
  readonly #model = new Model()
  #now = T0

  do(c: Command): void {
    const { now, locks, model } = { now: this.#now, locks: this.#locks, model: this.#model }
    switch (c.do) {
      case 'wait':
        this.#now += c.ms
        return
      case 'acquire': {
        const claim = { name: c.name, holder: c.holder, now, leaseMs: LEASE_MS }
        model.acquire(c.name, c.holder, now, locks.acquireLock(claim)?.token)
        return
      }
      case 'renew': {
        const grant = model.grants[c.pick % Math.max(1, model.grants.length)]
        if (grant === undefined) return
        const renewed = locks.renewLock({ ...grant, now, leaseMs: LEASE_MS })
        expect(renewed).toBe(model.renew(grant, now))
        return
      }
      case 'release': {
        const grant = model.grants[c.pick % Math.max(1, model.grants.length)]
        if (grant === undefined) return
        locks.releaseLock(grant)
        model.release(grant)
        return
      }
      case 'hit':
        this.#hit(c.which)
        return
      default:
        this.#quota(c)
    }
  }

  #hit(which: number): void {
    const limit = LIMITS[which] ?? { limit: 1, windowMs: 1 }
    const hit = { key: String(which), now: this.#now, ...limit }
    const promised = this.#limits.peek(hit)
    const outcome = this.#limits.hit(hit)
    expect(outcome.allowed).toBe(this.#model.hit(hit.key, hit.now, limit))
    expect(promised.allowed).toBe(outcome.allowed)
    // The moment that is told is the first at which another one would be let in.
    expect(this.#limits.peek({ ...hit, now: outcome.nextAt }).allowed).toBe(true)
    if (outcome.nextAt > hit.now) {
      expect(this.#limits.peek({ ...hit, now: outcome.nextAt - 1 }).allowed).toBe(false)
    }
  }

  #quota(c: Extract<Command, { readonly do: 'take' | 'give back' }>): void {
    const from = this.#now - (this.#now % 100)
    const quota = { key: c.name, period: { from, until: from + 100 }, now: this.#now }
    const id = `${c.name}:${String(from)}`
    if (c.do === 'take') {
      const { allowed } = this.#limits.takeQuota({ ...quota, amount: c.amount, limit: 5 })
      expect(allowed).toBe(this.#model.take(id, c.amount, 5))
    } else {
      this.#limits.giveBackQuota({ ...quota, amount: c.amount })
      this.#model.giveBack(id, c.amount)
    }
    expect(this.#limits.readQuota(quota)).toBe(this.#model.used(id))
  }
}

describe('locks, rate limits and quotas in memory', () => {
  it('do what a plain model does, whatever the order of calls (L1 to L8)', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 120, size: 'max' }), (commands) => {
        const run = new Run()
        for (const c of commands) run.do(c)
      }),
      { numRuns: 500 },
    )
  })

  it('hold no more than what is in use, however many keys there were (L8)', () => {
    const limits = new MemoryLimits()
    const locks = new MemoryLocks()
    for (let n = 0; n < 10_000; n += 1) {
      const now = T0 + n
      const key = String(n)
      limits.hit({ key, now, limit: 10, windowMs: 100 })
      limits.takeQuota({ key, now, period: { from: now, until: now + 10 }, amount: 1, limit: 1 })
      locks.acquireLock({ name: key, holder: 'a', now, leaseMs: 10 })
    }
    expect(limits.size).toBeLessThanOrEqual(20)
    expect(locks.size).toBeLessThanOrEqual(10)
  })
})

describe('ExpiringMap', () => {
  it('keeps an entry whose end was moved, and forgets it then', () => {
    const map = new ExpiringMap<string>()
    map.set('a', 'first', 10)
    map.set('a', 'second', 20)
    map.forget(10)
    expect(map.get('a')).toBe('second')
    map.forget(20)
    expect([map.get('a'), map.size]).toEqual([undefined, 0])
  })

  it('knows nothing more of what was deleted', () => {
    const map = new ExpiringMap<string>()
    map.set('a', 'first', 10)
    map.delete('a')
    map.delete('a')
    map.set('a', 'second', 30)
    map.forget(10)
    expect(map.get('a')).toBe('second')
  })
})
